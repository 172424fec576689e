"""Scores a trained model or a folder of images, and keeps the scores in scores.json."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightning import LightningDataModule
from omegaconf import OmegaConf

from ganlab.config.compose import check_key, merge
from ganlab.config.values import device_named
from ganlab.core import AdversarialModule
from ganlab.core.build import make
from ganlab.core.load import load_module
from ganlab.data import FolderData
from ganlab.errors import ConfigError, RunError
from ganlab.files import write_json
from ganlab.metrics import FolderSamples, Work
from ganlab.modalities.grid import save_rows
from ganlab.modalities.pixels import normalise
from ganlab.printable import console
from ganlab.reading import read_json
from ganlab.record.old_names import SEEN
from ganlab.record.run import timestamp
from ganlab.record.stored import stored_config

_CELL = 192  # maximum pixels of an image in the picture of nearest neighbours


@dataclass
class Subject:
    """What is scored: a trained model, or generated images in a folder.

    Args:
        title: description for users.
        described: what identifies the subject in scores.json, e.g. the checkpoint.
        data: the real examples.
        module: the model; None for images in a folder.
        source: the images; None for a model.
    """

    title: str
    described: dict[str, Any]
    data: LightningDataModule
    module: AdversarialModule | None = None
    source: FolderSamples | None = None


def evaluate_run(
    folder: Path,
    protocol: dict[str, Any],
    checkpoint: str = "last",
    device: str | None = None,
    trust: bool = False,
) -> dict[str, Any]:
    """Score a run's model, and add the scores to the run's scores.json.

    Args:
        folder: the run's folder.
        protocol: plain configuration of the protocol, see `ganlab.config.protocols.chosen`.
        checkpoint: last, best, previous, or a checkpoint's file.
        device: a torch device; None for the fastest available one.
        trust: whether the run may name classes that are not part of ganlab.

    Returns:
        The entry of scores.json, with the keys `checkpoint`, `protocol`, `seed`, `scores` and more.

    Raises:
        GanlabError: a run, checkpoint, data set or protocol is missing or does not fit.
    """
    out = folder / "scores.json"
    old_entries = read_entries(out)
    subject = run_subject(folder, checkpoint, trust=trust)
    (entry,) = evaluate(subject, make(protocol), [protocol.get("seed")], device)
    write_entries(out, old_entries, [entry])
    return entry


def run_subject(
    folder: Path, checkpoint: str = "last", overrides: Sequence[str] = (), trust: bool = False
) -> Subject:
    """Return a run's model and data as a subject for `evaluate`.

    Args:
        folder: the run's folder.
        checkpoint: last, best, previous, or a checkpoint's file.
        overrides: texts `data.key=value` that change the data that the model is scored against.
        trust: whether the run may name classes that are not part of ganlab.

    Raises:
        GanlabError: the run, the checkpoint or a key does not exist.
    """
    data = stored_config(folder, trust).get("data")
    if not data or "_target_" not in data:
        raise RunError(f"run: {folder / 'config.yaml'} is damaged: it names no data.")
    base = OmegaConf.create({"data": data})
    for text in overrides:
        check_key(base, text, text.partition("=")[0])
    config = merge(base, overrides, resolve=True)
    module = load_module(folder, checkpoint, trust)
    return Subject(
        f"{folder}, {checkpoint} checkpoint, {module.examples_seen:,} examples",
        {"checkpoint": checkpoint, SEEN: module.examples_seen},
        make(config["data"]),
        module=module,
    )


def folders_subject(real: Path, generated: Path, skip_corrupt: bool = False) -> Subject:
    """Return two folders of images as a subject for `evaluate`.

    Args:
        real: folder of the real images.
        generated: folder of the images to score.
        skip_corrupt: whether to skip images that cannot be read.

    Raises:
        DataError: generated images are missing or corrupt. Real images are read only by
            `evaluate`.
    """
    real_data, images = (
        FolderData(str(folder), skip_corrupt=skip_corrupt) for folder in (real, generated)
    )
    images.split("train")
    return Subject(
        f"{generated} against {real}",
        {"generated": str(generated), "real": str(real)},
        real_data,
        source=FolderSamples(images),
    )


def evaluate(
    subject: Subject,
    protocol: Any,
    seeds: Sequence[int | None],
    device: str | None = None,
    memory: int | None = None,
) -> list[dict[str, Any]]:
    """Score a subject once per seed; real examples are processed once for all seeds.

    Args:
        subject: see `run_subject` and `folders_subject`.
        protocol: the protocol object, see `ganlab.core.build.make`.
        seeds: seeds of the latents; [None] for a protocol that samples nothing.
        device: a torch device; None for the fastest available one.
        memory: bytes that the scores may take, see `ganlab.metrics.Work`; None for its default.

    Returns:
        One entry of scores.json per seed, with the keys `protocol`, `seed`, `scores` and more.

    Raises:
        ConfigError: the protocol does not support folders; the device is unknown or not
            available; or the model, the data or the number of samples does not fit the protocol.
        DataError: data, or weights of a feature network, are missing.
    """
    if subject.source and not hasattr(protocol, "score"):
        raise ConfigError(
            "protocol: this protocol scores trained models, not images in a folder. Choose a "
            "protocol for folders, e.g. protocol=folders_inception."
        )
    device = device_named(device)
    work = Work() if memory is None else Work(memory=memory)
    return [_evaluate(subject, protocol, seed, device, work) for seed in seeds]


def _evaluate(
    subject: Subject, protocol: Any, seed: int | None, device: str, work: Work
) -> dict[str, Any]:
    protocol.seed = seed
    started = time.monotonic()
    with _progress() as track:
        work = replace(work, track=track)
        if subject.source:
            scores = protocol.score(subject.source, subject.data, device, work)
        else:
            module = subject.module.to(device)
            protocol.check(module, subject.data)
            scores = protocol.evaluate(module, subject.data, work)
    return subject.described | {
        "protocol": getattr(protocol, "name", "accuracy"),
        "seed": seed,
        "at": timestamp(),
        "seconds": round(time.monotonic() - started, 1),
        "scores": {name: score.as_dict() for name, score in scores.items()},
    }


def save_neighbours(subject: Subject, protocol: Any, path: Path) -> Path | None:
    """Save a picture of some samples above their nearest training examples, if these can be found.

    The distances stand below, with the distance that is usual between training examples.

    Args:
        subject: the scored subject.
        protocol: the protocol that has scored the subject.
        path: where the picture is written, a PNG file.

    Returns:
        `path`, or None if nothing is drawn.
    """
    if not hasattr(protocol, "nearest"):
        return None
    found = protocol.nearest(subject.source or protocol.source(subject.module))
    if found is None:
        return None

    def text(distance: float) -> str:
        return f"{float(f'{distance:.3g}'):,.10g}"  # 12,300 in place of 1.23e+04

    rows = {"sample": found.samples, "nearest training example": found.examples}
    save_rows(
        {title: normalise(images) for title, images in rows.items()},
        path,
        below=("distance", [text(distance) for distance in found.distances.tolist()]),
        note=f"Distances are between {found.between}; a copy has 0. From a training example to "
        f"the nearest other training example it is {text(found.usual)} (median).",
        most=_CELL,
    )
    return path


@contextmanager
def _progress() -> Iterator[Callable[..., Any]]:
    """Yield the argument `track` of `Protocol.evaluate`: it shows progress bars on stderr."""
    from rich.progress import Progress

    with Progress(console=console(), transient=True) as progress:
        yield lambda steps, title: progress.track(steps, description=title)


def read_entries(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a scores.json; [] if the file does not exist.

    Raises:
        ConfigError: the file is something else than a scores.json, so it must not be overwritten.
    """
    if not path.exists():
        return []
    try:
        content = read_json(path)
        entries = content["evaluations"]
        scores = [score for entry in entries for score in entry["scores"].values()]
        has_protocols = all(isinstance(score, dict) and "protocol" in score for score in scores)
        if set(content) == {"evaluations"} and has_protocols:
            return entries
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ConfigError(
        f"out: {path} exists, and holds no scores. Move it away, or choose another file for "
        "ganlab evaluate with out=FILE."
    )


def write_entries(
    path: Path, old_entries: list[dict[str, Any]], entries: list[dict[str, Any]]
) -> None:
    """Write a scores.json; new entries replace old ones of the same model, protocol and seed.

    Args:
        path: the file.
        old_entries: the file's entries, see `read_entries`.
        entries: the new entries.
    """
    kept = [old for old in old_entries if not any(_is_same(old, new) for new in entries)]
    write_json(path, {"evaluations": kept + entries})


def _is_same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    def settings(entry: dict[str, Any]) -> Any:
        results = ("at", "seconds", "scores")
        others = {key: value for key, value in entry.items() if key not in results}
        return others, {name: s["protocol"] for name, s in entry["scores"].items()}

    return settings(old) == settings(new)
