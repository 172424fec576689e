"""`ganlab evaluate`: scores of a trained model, or of two folders of images."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganlab.cli.arguments import Argument, boolean, device_named, parse, usage, wants_help
from ganlab.errors import ConfigError


def _seeds(text: str) -> list[int]:
    seeds = [part.strip() for part in text.strip("[]").split(",")]
    if not all(part.isdigit() for part in seeds) or len(set(seeds)) < len(seeds):
        raise ValueError(f"received {text!r}; needs different whole numbers, with commas")
    return [int(part) for part in seeds]


ARGUMENTS = {
    "run": Argument(Path, "the run's folder, outputs/…"),
    "checkpoint": Argument(str, "last, best, or a checkpoint's file (last)", "last"),
    "real": Argument(Path, "a folder of real images, in place of a run"),
    "generated": Argument(Path, "a folder of generated images, made by anything"),
    "skip_corrupt": Argument(boolean, "leave out images that cannot be read (false)", False),
    "protocol": Argument(str, "see `ganlab list protocols`; the run's own unless given"),
    "features": Argument(str, "in place of the protocol's, see `ganlab list features`"),
    "seeds": Argument(_seeds, "e.g. 0,1,2: of the latents; several give a mean and a spread"),
    "device": Argument(str, "cpu, cuda, mps, xpu; the fastest there is unless given"),
    "out": Argument(Path, "where the scores go; scores.json in the run's folder unless given"),
}
MORE = """
  protocol.key=value, features.key=value and data.root=DIR change single settings, e.g.
  protocol.samples=1000, features.weights=PATH, protocol.metrics.ms_ssim=null.
"""
FOLDERS = "folders_inception"
GENERATION = ("seed", "ema", "batch_norm", "truncation")  # settings of how samples are made


def main(argv: list[str]) -> int:
    """Print a table of scores, and write them with their protocols to scores.json."""
    if wants_help(argv):
        print(usage("evaluate", "score a trained model, or a folder of images.", ARGUMENTS) + MORE)
        return 0
    from ganlab.cli.protocols import chosen, is_about_protocol

    about = [text for text in argv if is_about_protocol(text)]
    dotted = [t for t in argv if t.partition("=")[0].startswith("data.")]
    rest = [text for text in argv if text not in about and text not in dotted]
    arguments = parse(rest, ARGUMENTS)
    _check(arguments, argv)
    if arguments["run"]:
        from ganlab.reports.record import read_config

        callbacks = read_config(arguments["run"]).get("callbacks") or {}
        own = (callbacks.get("evaluation") or {}).get("protocol")
    else:
        own = None
        if not any(text.startswith("protocol=") for text in about):
            about.insert(0, f"protocol={FOLDERS}")
    protocol = chosen(own, about)
    from ganlab.core.checks import check_targets

    check_targets({"protocol": protocol})
    if arguments["seeds"] and "seed" not in protocol:
        raise ConfigError("seeds: this protocol draws nothing; leave seeds out.")
    out = arguments["out"] or (arguments["run"] or arguments["generated"]) / "scores.json"
    before = read_entries(out)
    run, checkpoint = arguments["run"], arguments["checkpoint"]
    prepared = _of_run(run, checkpoint, dotted) if run else _of_folders(arguments)
    from ganlab.core.build import make

    recipe = make(protocol)
    seeds = arguments["seeds"] or [protocol.get("seed")]
    entries = [_evaluate(recipe, seed, prepared, arguments["device"]) for seed in seeds]
    print(_table(entries[0]["protocol"], prepared["title"], entries))
    _write(out, before, [prepared["described"] | entry for entry in entries])
    print(f"Written to {out}.")
    if picture := _save_neighbours(recipe, prepared, out.with_name("neighbours.png")):
        print(f"Generated images above their nearest training images: {picture}.")
    return 0


OF_MODELS = ("checkpoint", "seeds", "data", *(f"protocol.{key}" for key in GENERATION))


def _check(arguments: dict[str, Any], argv: list[str]) -> None:
    folders = [key for key in ("real", "generated") if arguments[key]]
    if arguments["run"] and folders:
        raise ConfigError(f"{folders[0]}: give run=, or real= and generated=, not both.")
    if not arguments["run"] and len(folders) < 2:
        missing = "run" if not folders else "generated" if folders == ["real"] else "real"
        raise ConfigError(
            f"{missing}: missing; give run=outputs/…, or both real=DIR and generated=DIR."
        )
    unused = OF_MODELS if folders else ("skip_corrupt",)
    for key in (text.partition("=")[0] for text in argv):
        if key in unused or key.split(".")[0] in unused:
            of = "a trained model" if folders else "folders of images"
            raise ConfigError(f"{key}: is for {of}; leave it out.")


def evaluate_run(
    folder: Path,
    protocol: dict[str, Any],
    checkpoint: str = "last",
    device: str | None = None,
) -> dict[str, Any]:
    """Score a run's model, and add the scores to its scores.json.

    Args:
        folder: of the run.
        protocol: its plain configuration, see `ganlab.cli.protocols.chosen`.
        checkpoint: last, best, or a checkpoint's file.
        device: the fastest there is for None.

    Returns:
        The entry of scores.json: checkpoint, images_seen, protocol, seed, scores by name, ….

    Raises:
        GanlabError: a run, checkpoint, data set or protocol that is missing or does not fit.
    """
    from ganlab.core.build import make

    out = folder / "scores.json"
    before = read_entries(out)
    prepared = _of_run(folder, checkpoint, [])
    recipe = make(protocol)
    entry = prepared["described"] | _evaluate(recipe, protocol.get("seed"), prepared, device)
    _write(out, before, [entry])
    return entry


def _of_run(folder: Path, checkpoint: str, overrides: list[str]) -> dict[str, Any]:
    from omegaconf import OmegaConf

    from ganlab.cli.compose import check_key, register_resolvers
    from ganlab.core.build import make
    from ganlab.reports.record import read_config
    from ganlab.reports.runs import load_module

    register_resolvers()
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


def _of_folders(arguments: dict[str, Any]) -> dict[str, Any]:
    from ganlab.data import FolderData
    from ganlab.metrics import FolderSamples

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


def _evaluate(
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
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seconds": round(time.monotonic() - started, 1),
        "scores": {name: score.as_dict() for name, score in scores.items()},
    }


def _save_neighbours(recipe: Any, prepared: dict[str, Any], path: Path) -> Path | None:
    """Draw some samples above their nearest training images, if the protocol looks for those."""
    if not hasattr(recipe, "nearest"):
        return None
    pairs = recipe.nearest(prepared.get("source") or recipe.source(prepared["module"]))
    if pairs is None:
        return None
    import torch

    from ganlab.data import normalise
    from ganlab.reports.pictures import save_grid

    save_grid(normalise(torch.cat(pairs)), path, columns=len(pairs[0]))
    return path


@contextmanager
def _progress() -> Iterator[Callable[..., Any]]:
    """Progress bars on stderr that go away at the end; see `Protocol.evaluate`'s `track`."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        yield lambda steps, title: progress.track(steps, description=title)


def _table(name: str, title: str, entries: list[dict[str, Any]]) -> str:
    """Scores by name, with mean and standard deviation over seeds, and what they mean."""
    lines = [f"{title}", f"protocol {name}, {sum(e['seconds'] for e in entries):.1f} s"]
    first = entries[0]["scores"]
    width = max(map(len, first))
    for score in first:
        values = [entry["scores"][score]["value"] for entry in entries]
        line = f"  {score:<{width}}  {statistics.fmean(values):>10.4g}"
        if len(values) > 1:
            line += f" ± {statistics.stdev(values):.2g} over {len(values)} seeds"
        lines.append(line)
    lines += [f"  {s['words']}" for s in first.values() if s["words"]]
    return "\n".join(lines)


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


def _write(path: Path, before: list[dict[str, Any]], entries: list[dict[str, Any]]) -> None:
    """Add entries to scores.json, in place of those of the same model, protocol and seed."""
    from ganlab.reports.files import write_text

    kept = [old for old in before if not any(_is_same(old, new) for new in entries)]
    write_text(path, json.dumps({"evaluations": kept + entries}, indent=2) + "\n")


def _is_same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    def settings(entry: dict[str, Any]) -> Any:
        changing = ("at", "seconds", "scores")
        what = {key: value for key, value in entry.items() if key not in changing}
        return what, {name: s["protocol"] for name, s in entry["scores"].items()}

    return settings(old) == settings(new)
