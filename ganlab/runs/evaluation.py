"""Scores of a trained model, or of two folders of images, and the file that keeps them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from ganlab.config.compose import check_key
from ganlab.config.values import device_named
from ganlab.core.build import make
from ganlab.core.load import load_module
from ganlab.data import FolderData
from ganlab.errors import ConfigError
from ganlab.files import write_json
from ganlab.metrics import FolderSamples
from ganlab.modalities.grid import save_grid
from ganlab.modalities.pixels import normalise
from ganlab.record.run import read_config, timestamp


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
        The entry of scores.json: checkpoint, images_seen, protocol, seed, scores by name, ….

    Raises:
        GanlabError: a run, checkpoint, data set or protocol that is missing or does not fit.
    """
    out = folder / "scores.json"
    before = read_entries(out)
    prepared = of_run(folder, checkpoint, [])
    recipe = make(protocol)
    entry = prepared["described"] | evaluate(recipe, protocol.get("seed"), prepared, device)
    write_entries(out, before, [entry])
    return entry


def of_run(folder: Path, checkpoint: str, overrides: list[str]) -> dict[str, Any]:
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
    merged = OmegaConf.merge(base, OmegaConf.from_dotlist(overrides))
    module = load_module(folder, checkpoint)
    return {
        "module": module,
        "data": make(OmegaConf.to_container(merged)["data"]),
        "title": f"{folder}, {checkpoint} checkpoint, {module.images_seen:,} images",
        "described": {"checkpoint": checkpoint, "images_seen": module.images_seen},
    }


def of_folders(arguments: dict[str, Any]) -> dict[str, Any]:
    """Two folders of images, to `evaluate`.

    Args:
        arguments: "real" and "generated", the folders, and "skip_corrupt".

    Raises:
        DataError: a folder without images, or with corrupt ones.
    """
    real, generated = (
        FolderData(str(arguments[key]), skip_corrupt=arguments["skip_corrupt"])
        for key in ("real", "generated")
    )
    generated.split("train")
    return {
        "source": FolderSamples(generated),
        "data": real,
        "title": f"{arguments['generated']} against {arguments['real']}",
        "described": {"generated": str(arguments["generated"]), "real": str(arguments["real"])},
    }


def evaluate(
    recipe: Any, seed: int | None, prepared: dict[str, Any], device: str | None
) -> dict[str, Any]:
    """One entry of scores.json; real samples are looked at once for all seeds."""
    recipe.seed = seed
    if "source" in prepared and not hasattr(recipe, "score"):
        raise ConfigError("protocol: this one is of a trained model, not of images in a folder.")
    device = device_named(device)
    started = time.monotonic()
    with _progress() as track:
        if "module" in prepared:
            module = prepared["module"].to(device)
            recipe.check(module, prepared["data"])
            scores = recipe.evaluate(module, prepared["data"], track=track)
        else:
            scores = recipe.score(prepared["source"], prepared["data"], device, track=track)
    return {
        "protocol": getattr(recipe, "name", "accuracy"),
        "seed": seed,
        "at": timestamp(),
        "seconds": round(time.monotonic() - started, 1),
        "scores": {name: score.as_dict() for name, score in scores.items()},
    }


def save_neighbours(recipe: Any, prepared: dict[str, Any], path: Path) -> Path | None:
    """Draw some samples above their nearest training images, if the protocol looks for those."""
    if not hasattr(recipe, "nearest"):
        return None
    pairs = recipe.nearest(prepared.get("source") or recipe.source(prepared["module"]))
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
        f"out: {path} is there already, and holds no scores. Move it away, or choose another "
        "place with out=FILE."
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
