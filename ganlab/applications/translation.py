"""Folders of pictures translated by a trained model."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ganlab.applications.large_pictures import check_tile, translate_picture
from ganlab.applications.sheet import save_picture, save_sheet
from ganlab.config.values import check_folder, device_named
from ganlab.core import load
from ganlab.core.translator import Translator
from ganlab.data.readers.decoding import ENDINGS, CorruptImageError, Decoder
from ganlab.data.readers.pictures import list_pictures
from ganlab.errors import ConfigError, DataError
from ganlab.modalities.pixels import denormalise
from ganlab.record.run import read_record

_SHEET = "sheet.png"
_SHOWN = 8  # pictures on the sheet
_NAMED = 10  # files that a message names
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def translate_folder(
    run: Path,
    input: Path,
    output: Path,
    direction: str | None = None,
    checkpoint: str = "last",
    ema: bool = True,
    tile: int | None = None,
    overlap: int | None = None,
    seed: int = 0,
    max_pixels: int = 2**26,
    device: str | None = None,
) -> tuple[str, list[tuple[Path, Path]], dict[Path, str]]:
    """Translate pictures of any size; write a PNG for each, and a sheet of the first.

    Args:
        run: the folder of a translator's run.
        input: a picture, or a folder of them.
        output: the folder for the results.
        direction: such as "a_to_b"; the model's first for None.
        checkpoint: "last", "best", or a checkpoint's file.
        ema: averaged weights where there are some.
        tile: side of the tiles, see `ganlab.applications.translate_picture`.
        overlap: pixels that neighbouring tiles share.
        seed: of noise, where the model has any.
        max_pixels: files that state more are refused.
        device: the fastest there is for None.

    Returns:
        The direction; each picture with its result; and why the others could not be read.

    Raises:
        GanlabError: no pictures, no translator, or arguments that do not fit, before anything is
            written; or a picture that does not fit into memory.
    """
    paths = _find_pictures(input, output)
    targets = _name_results(paths, input, output)
    module = load.load_module(run, checkpoint)
    if not isinstance(module, Translator):
        raise ConfigError(
            f"run: {run} holds a {type(module).__name__}, which translates nothing. Give the run "
            "of a model such as pix2pix or cyclegan."
        )
    chosen = module.direction(direction)
    direction = next(name for name, other in module.directions.items() if other == chosen)
    generator = module.to(device_named(device)).get_submodule(chosen.generator)
    check_tile(tile, overlap, generator.multiple)
    _warn_of_random(run, module, chosen.generator)
    network = partial(module.translate, direction=direction, ema=ema, seed=seed)
    options = {"multiple": generator.multiple, "overlap": overlap}
    translate = partial(_translate_one, tile=tile, network=network, **options)
    decoder = Decoder(generator.in_channels, max_pixels=max_pixels)
    pairs = dict(zip(paths, targets, strict=True))
    failures = _translate_all(pairs, decoder, translate)
    done = [pair for pair in pairs.items() if pair[0] not in failures]
    if done:
        save_sheet(done[:_SHOWN], direction, output / _SHEET)
    return direction, done, failures


def _find_pictures(place: Path, output: Path) -> list[Path]:
    """The picture at `place`, or all under it but for hidden ones and those in `output`; sorted.

    Raises:
        DataError: there is none.
        ConfigError: `output` is a file, or the folder that `place` is.
    """
    if not place.exists():
        raise DataError(f"input: there is no {place}. Give a picture, or a folder of pictures.")
    check_folder("output", output)
    if place.is_file():
        return [place]
    if output.resolve() == place.resolve():
        raise ConfigError(f"output: {output} is the input's folder; name another one.")
    inside = output.resolve()
    paths = [path for path in list_pictures(place) if inside not in path.resolve().parents]
    if not paths:
        raise DataError(
            f"input: {place} holds no pictures, in sub-folders neither. Pictures end in "
            f"{', '.join(ENDINGS)}."
        )
    return paths


def check_all_read(failures: dict[Path, str], count: int) -> None:
    """Raise a DataError that names the first pictures, of `count`, that could not be read."""
    if failures:
        lines = [f"  {path}: {reason}" for path, reason in list(failures.items())[:_NAMED]]
        more = [f"  … and {len(failures) - _NAMED} more"] if len(failures) > _NAMED else []
        raise DataError(
            f"input: {len(failures)} of {count} pictures could not be read and have no result:\n"
            + "\n".join(lines + more)
        )


def _name_results(paths: list[Path], place: Path, output: Path) -> list[Path]:
    """Where each picture's result goes: below `output` as the picture lies below `place`, x.png.

    Pictures of one folder and one stem (x.jpg and x.png) keep their endings: x.jpg.png, x.png.png;
    so does one whose result would take the sheet's name.

    Raises:
        ConfigError: a result would replace one of the pictures, or another's result.
    """
    relative = [path.relative_to(place) if place.is_dir() else Path(path.name) for path in paths]
    # names that differ in case alone are one file on some systems
    taken = Counter(str(path.with_suffix("")).casefold() for path in relative)
    taken[Path(_SHEET).stem] += 1
    targets = [
        output / f"{path}.png"
        if taken[str(path.with_suffix("")).casefold()] > 1
        else output / path.with_suffix(".png")
        for path in relative
    ]
    inputs = {path.resolve() for path in paths}
    seen: dict[str, Path] = {}
    for path, target in zip(paths, targets, strict=True):
        other = seen.setdefault(str(target).casefold(), path)
        if other is not path:
            raise ConfigError(f"input: {other} and {path} would both become {target}; rename one.")
        if target.resolve() in inputs:
            raise ConfigError(
                f"output: the result of {path} would replace the picture {target}; name another "
                "folder."
            )
    return targets


def _warn_of_random(folder: Path, module: Translator, generator: str) -> None:
    """Say so where an import had no file for a generator, and nothing has been trained since."""
    if module.batches_seen or not (folder / "run.json").exists():
        return
    imported = read_record(folder).get("imported")
    if imported and generator not in imported:
        learnt = [name for name, d in module.directions.items() if d.generator in imported]
        print(
            f"ganlab: warning: {generator} was drawn anew at the import of {folder} and has not "
            f"been trained: its results mean nothing. Choose direction={'|'.join(learnt)}.",
            file=sys.stderr,
        )


def _translate_one(
    picture: Tensor, progress: Callable[[float], object], tile: int | None, **options: Any
) -> Tensor:
    """A picture's translation, uint8; see `ganlab.applications.translate_picture`.

    Raises:
        ConfigError: it does not fit into memory.
    """
    try:
        return denormalise(
            translate_picture(picture=picture, progress=progress, tile=tile, **options)
        )
    except RuntimeError as error:  # torch has a class of its own for accelerators alone
        if not any(text in str(error).lower() for text in _NO_MEMORY):
            raise
        _, height, width = picture.shape
        on_cpu = "DefaultCPUAllocator" in str(error)
        raise ConfigError(
            f"tile: {'this computer' if on_cpu else 'the device'} has too little memory for "
            f"{width}×{height} pixels in tiles of {tile or 'the usual size'}; use "
            f"smaller ones{'.' if on_cpu else ', or device=cpu.'}"
        ) from error


def _translate_all(
    targets: dict[Path, Path],
    decoder: Decoder,
    translate: Callable[[Tensor, Callable[[float], object]], Tensor],
) -> dict[Path, str]:
    """Translate one picture after the other, with a progress bar on stderr.

    Args:
        targets: where the result of each picture goes.
        decoder: reads a picture as `translate` is to see it.
        translate: uint8 (C, H, W), and a function that hears of progress, to uint8 (C', H, W).

    Returns:
        Why a picture could not be read, for those that could not.
    """
    from rich.console import Console
    from rich.progress import Progress

    failures = {}
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Translating", total=len(targets))
        for number, (path, target) in enumerate(targets.items(), start=1):
            try:
                picture = decoder(path)
            except CorruptImageError as error:
                failures[path] = error.reason
            else:
                result = translate(picture, partial(bar.advance, task))
                save_picture(result, target)
            bar.update(task, completed=number)
    return failures
