"""Scores of a trained model, or of two folders of images, and the file that keeps them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule
from omegaconf import OmegaConf

from ganlab.config.compose import check_key, merge
from ganlab.config.values import device_named
from ganlab.core import AdversarialModule
from ganlab.core.build import make
from ganlab.core.load import load_module
from ganlab.data import FolderData
from ganlab.errors import ConfigError
from ganlab.files import write_json
from ganlab.metrics import FolderSamples
from ganlab.modalities.grid import save_grid
from ganlab.modalities.pixels import normalise
from ganlab.record.old_names import SEEN
from ganlab.record.run import read_config, timestamp


@dataclass
class Subject:
    """What is scored: a trained model, or images that anything has made.

    Args:
        title: for people.
        described: what its entries of scores.json begin with, e.g. the checkpoint.
        data: the real examples.
        module: the model, or None.
        source: the images in place of a model, or None.
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
) -> dict[str, Any]:
    """Score a run's model, and add the scores to its scores.json.

    Args:
        folder: of the run.
        protocol: its plain configuration, see `ganlab.config.protocols.chosen`.
        checkpoint: last, best, or a checkpoint's file.
        device: the fastest there is for None.

    Returns:
        The entry of scores.json: checkpoint, protocol, seed, scores by name, ….

    Raises:
        GanlabError: a run, checkpoint, data set or protocol that is missing or does not fit.
    """
    out = folder / "scores.json"
    before = read_entries(out)
    subject = of_run(folder, checkpoint)
    (entry,) = evaluate(subject, make(protocol), [protocol.get("seed")], device)
    write_entries(out, before, [entry])
    return entry


def of_run(folder: Path, checkpoint: str = "last", overrides: Sequence[str] = ()) -> Subject:
    """A run's model and data, to `evaluate`.

    Args:
        folder: of the run.
        checkpoint: last, best, or a checkpoint's file.
        overrides: `data.key=value`, of the data that it is scored against.

    Raises:
        GanlabError: no run, no checkpoint, or no such key.
    """
    base = OmegaConf.create({"data": read_config(folder)["data"]})
    for text in overrides:
        check_key(base, text, text.partition("=")[0])
    config = merge(base, overrides, resolve=True)
    module = load_module(folder, checkpoint)
    return Subject(
        f"{folder}, {checkpoint} checkpoint, {module.examples_seen:,} examples",
        {"checkpoint": checkpoint, SEEN: module.examples_seen},
        make(config["data"]),
        module=module,
    )


def of_folders(real: Path, generated: Path, skip_corrupt: bool = False) -> Subject:
    """Two folders of images, to `evaluate`.

    Args:
        real: the real ones.
        generated: those to score.
        skip_corrupt: leave out images that cannot be read.

    Raises:
        DataError: generated images that are missing or corrupt; real ones are read when scored.
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
    subject: Subject, protocol: Any, seeds: Sequence[int | None], device: str | None = None
) -> list[dict[str, Any]]:
    """One entry of scores.json for each seed; real examples are looked at once for all.

    Args:
        subject: see `of_run` and `of_folders`.
        protocol: made, see `ganlab.core.build.make`.
        seeds: of the latents; [None] for a protocol that draws nothing.
        device: the fastest there is for None.

    Returns:
        Entries of scores.json, each with protocol, seed, scores by name, ….

    Raises:
        ConfigError: a protocol of trained models, for folders; an unknown device; a model, data or
            number of samples that the protocol does not fit.
        DataError: data or weights of features that are missing.
    """
    if subject.source and not hasattr(protocol, "score"):
        raise ConfigError(
            "protocol: this one is of a trained model, not of images in a folder. Choose one of "
            "folders, e.g. protocol=folders_inception."
        )
    device = device_named(device)
    return [_evaluate(subject, protocol, seed, device) for seed in seeds]


def _evaluate(subject: Subject, protocol: Any, seed: int | None, device: str) -> dict[str, Any]:
    protocol.seed = seed
    started = time.monotonic()
    with _progress() as track:
        if subject.source:
            scores = protocol.score(subject.source, subject.data, device, track=track)
        else:
            module = subject.module.to(device)
            protocol.check(module, subject.data)
            scores = protocol.evaluate(module, subject.data, track=track)
    return subject.described | {
        "protocol": getattr(protocol, "name", "accuracy"),
        "seed": seed,
        "at": timestamp(),
        "seconds": round(time.monotonic() - started, 1),
        "scores": {name: score.as_dict() for name, score in scores.items()},
    }


def save_neighbours(subject: Subject, protocol: Any, path: Path) -> Path | None:
    """Draw some samples above their nearest training examples, if the protocol looks for those.

    Args:
        subject: what has been scored.
        protocol: which has scored it.
        path: of the picture, a PNG.

    Returns:
        `path`; None where nothing is drawn.
    """
    if not hasattr(protocol, "nearest"):
        return None
    pairs = protocol.nearest(subject.source or protocol.source(subject.module))
    if pairs is None:
        return None
    save_grid(normalise(torch.cat(pairs)), path, columns=len(pairs[0]))
    return path


@contextmanager
def _progress() -> Iterator[Callable[..., Any]]:
    """Progress bars on stderr that go away at the end; see `Protocol.evaluate`'s `track`."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        yield lambda steps, title: progress.track(steps, description=title)


def read_entries(path: Path) -> list[dict[str, Any]]:
    """The entries of a scores.json; none where there is no such file.

    Raises:
        ConfigError: another file, which is not to be lost.
    """
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = content["evaluations"]
        if set(content) == {"evaluations"} and all("scores" in entry for entry in entries):
            return entries
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise ConfigError(
        f"out: {path} is there already, and holds no scores. Move it away, or let ganlab evaluate "
        "write to another place with out=FILE."
    )


def write_entries(path: Path, before: list[dict[str, Any]], entries: list[dict[str, Any]]) -> None:
    """Add entries to scores.json, in place of those of the same model, protocol and seed."""
    kept = [old for old in before if not any(_is_same(old, new) for new in entries)]
    write_json(path, {"evaluations": kept + entries})


def _is_same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    def settings(entry: dict[str, Any]) -> Any:
        changing = ("at", "seconds", "scores")
        what = {key: value for key, value in entry.items() if key not in changing}
        return what, {name: s["protocol"] for name, s in entry["scores"].items()}

    return settings(old) == settings(new)
