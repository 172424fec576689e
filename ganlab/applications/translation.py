"""Translate folders of pictures with a trained model."""

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
from ganlab.config.values import check_folder, check_unmixed, device_named
from ganlab.core import Translates, load
from ganlab.data.readers.decoding import ENDINGS, CorruptImageError, Decoder
from ganlab.data.readers.pictures import list_pictures
from ganlab.errors import ConfigError, DataError, first_few
from ganlab.metrics.memory import DEFAULT_MEMORY
from ganlab.printable import console
from ganlab.record.run import read_record

_SHEET = "sheet.png"
_SHOWN = 8  # maximum of pictures on the sheet
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
    trust: bool = False,
    metrics_memory: int | None = None,
) -> tuple[str, list[tuple[Path, Path]], dict[Path, str]]:
    """Translate pictures of any size; write a PNG for each picture, and a sheet of the first few.

    Args:
        run: the folder of a translator's run.
        input: a picture, or a folder of pictures.
        output: the folder for the results. If `input` is a folder, this one may hold nothing else
            than results of the same pictures, which are replaced.
        direction: the direction, such as "a_to_b"; None for the model's first direction.
        checkpoint: "last", "best", or a checkpoint's file.
        ema: whether to use EMA weights, if the checkpoint has some.
        tile: side of the tiles, see `ganlab.applications.translate_picture`.
        overlap: minimum pixels that neighbouring tiles share.
        seed: the seed of the noise of models that use noise.
        max_pixels: a file whose header states more pixels counts as unreadable.
        device: the device, such as "cpu"; None for the fastest available.
        trust: whether the run may name classes that are not part of ganlab.
        metrics_memory: bytes that a row of tiles may take; None for 512 MiB.

    Returns:
        The direction; each translated picture with its result; and for each picture that could not
        be read, the reason.

    Raises:
        GanlabError: there are no pictures, the run is no translator, or an argument is invalid (in
            these three cases nothing was written), or a picture does not fit into memory.
    """
    paths = _find_pictures(input, output)
    targets = _name_results(paths, input, output)
    if input.is_dir():
        check_unmixed("output", output, [*targets, output / _SHEET])
    module = load.load_module(run, checkpoint, trust)
    if not isinstance(module, Translates):
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
    memory = DEFAULT_MEMORY if metrics_memory is None else metrics_memory
    options = {"multiple": generator.multiple, "overlap": overlap, "memory": memory}
    translate = partial(_translate_one, tile=tile, network=network, **options)
    decoder = Decoder(generator.in_channels, max_pixels=max_pixels)
    pairs = dict(zip(paths, targets, strict=True))
    failures = _translate_all(pairs, decoder, translate)
    done = [pair for pair in pairs.items() if pair[0] not in failures]
    if done:
        save_sheet(done[:_SHOWN], direction, output / _SHEET)
    return direction, done, failures


def _find_pictures(source: Path, output: Path) -> list[Path]:
    """Return [source] if it is a file, else all pictures below it, sorted.

    Hidden files and pictures in `output` are left out.

    Raises:
        DataError: there is no picture.
        ConfigError: `output` is a file, or the same folder as `source`.
    """
    if not source.exists():
        raise DataError(f"input: there is no {source}. Give a picture, or a folder of pictures.")
    check_folder("output", output)
    if source.is_file():
        return [source]
    resolved = output.resolve()
    if resolved == source.resolve():
        raise ConfigError(f"output: {output} is the input's folder; name another folder.")
    paths = [path for path in list_pictures(source) if resolved not in path.resolve().parents]
    if not paths:
        raise DataError(
            f"input: {source} holds no pictures, nor do its sub-folders. Pictures end in "
            f"{', '.join(ENDINGS)}."
        )
    return paths


def check_all_read(failures: dict[Path, str], count: int) -> None:
    """Raise a DataError if any of `count` pictures could not be read; name the first ten."""
    if failures:
        lines = (f"{path}: {reason}" for path, reason in failures.items())
        raise DataError(
            f"input: {len(failures)} of {count} pictures could not be read and have no result:\n  "
            + first_few(lines, between="\n  ")
        )


def _name_results(paths: list[Path], source: Path, output: Path) -> list[Path]:
    """Return the path of each picture's result: the picture's relative path, in `output`.

    Results end in .png. Pictures in the same folder with the same stem (x.jpg and x.png) keep their
    endings: x.jpg.png, x.png.png. So does a picture whose result would have the sheet's name.

    Raises:
        ConfigError: a result would replace one of the pictures, or the result of another picture.
    """
    relative = [path.relative_to(source) if source.is_dir() else Path(path.name) for path in paths]
    # on some file systems, names that differ only in case are one file
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
            raise ConfigError(
                f"input: {other} and {path} would both become {target}; rename one of them."
            )
        if target.resolve() in inputs:
            raise ConfigError(
                f"output: the result of {path} would replace the picture {target}; name another "
                "folder."
            )
    return targets


def _warn_of_random(folder: Path, module: Translates, generator: str) -> None:
    """Warn if a generator's weights are random: neither imported nor trained since the import."""
    if module.batches_seen or not (folder / "run.json").exists():
        return
    imported = read_record(folder).get("imported")
    if imported and generator not in imported:
        trained = [name for name, d in module.directions.items() if d.generator in imported]
        print(
            f"ganlab: warning: {generator} was not part of the import {folder}, and has not been "
            "trained since: its weights are random. "
            f"Choose direction={' or direction='.join(trained)}.",
            file=sys.stderr,
        )


def _translate_one(
    picture: Tensor, progress: Callable[[float], object], tile: int | None, **options: Any
) -> Tensor:
    """Return a picture's translation as uint8; see `ganlab.applications.translate_picture`.

    Raises:
        ConfigError: the picture does not fit into memory.
    """
    try:
        return translate_picture(picture=picture, progress=progress, tile=tile, **options)
    except RuntimeError as error:  # torch.OutOfMemoryError exists for accelerators, not the CPU
        if not any(text in str(error).lower() for text in _NO_MEMORY):
            raise
        _, height, width = picture.shape
        on_cpu = "DefaultCPUAllocator" in str(error)
        raise ConfigError(
            f"tile: {'this computer' if on_cpu else 'the device'} has too little memory for "
            f"{width}×{height} pixels in tiles of {tile or 'the default size'}; use "
            f"smaller tiles{'.' if on_cpu else ', or device=cpu.'}"
        ) from error


def _translate_all(
    targets: dict[Path, Path],
    decoder: Decoder,
    translate: Callable[[Tensor, Callable[[float], object]], Tensor],
) -> dict[Path, str]:
    """Translate the pictures one by one and write the results, with a progress bar on stderr.

    Args:
        targets: maps the path of each picture to the path of its result.
        decoder: decodes a picture to the channels that the model takes.
        translate: maps a picture, uint8 (C, H, W), to its translation, uint8 (C', H, W). It calls
            its second argument with each share of the picture that is done.

    Returns:
        For each picture that could not be read, the reason.
    """
    from rich.progress import Progress

    failures = {}
    with Progress(console=console(), transient=True) as bar:
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
