"""`ganlab evaluate`: scores of a trained model, or of two folders of images."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from ganlab.cli.arguments import Argument, parse, usage, wants_help
from ganlab.config.values import boolean, seeds
from ganlab.errors import ConfigError

ARGUMENTS = {
    "run": Argument(Path, "the run's folder, outputs/…"),
    "checkpoint": Argument(str, "last, best, or a checkpoint's file (last)", "last"),
    "real": Argument(Path, "a folder of real images, in place of a run"),
    "generated": Argument(Path, "a folder of generated images, made by anything"),
    "skip_corrupt": Argument(boolean, "leave out images that cannot be read (false)", False),
    "protocol": Argument(str, "see `ganlab list protocols`; the run's own unless given"),
    "features": Argument(str, "in place of the protocol's, see `ganlab list features`"),
    "seeds": Argument(seeds, "e.g. 0,1,2: of the latents; several give a mean and a spread"),
    "device": Argument(str, "cpu, cuda, mps, xpu; the fastest there is unless given"),
    "out": Argument(Path, "where the scores go; scores.json in the run's folder unless given"),
}
MORE = """
  protocol.key=value, features.key=value and data.root=DIR change single settings, e.g.
  protocol.samples=1000, features.weights=PATH, protocol.metrics.ms_ssim=null.
"""
FOLDERS = "folders_inception"
GENERATION = ("seed", "ema", "batch_norm", "truncation")  # settings of how samples are made
OF_MODELS = ("checkpoint", "seeds", "data", *(f"protocol.{key}" for key in GENERATION))


def main(argv: list[str]) -> int:
    """Print a table of scores, and write them with their protocols to scores.json."""
    if wants_help(argv):
        print(usage("evaluate", "score a trained model, or a folder of images.", ARGUMENTS) + MORE)
        return 0
    from ganlab.config.protocols import chosen, is_about_protocol
    from ganlab.config.targets import check_targets
    from ganlab.record.run import read_config

    about = [text for text in argv if is_about_protocol(text)]
    dotted = [t for t in argv if t.partition("=")[0].startswith("data.")]
    rest = [text for text in argv if text not in about and text not in dotted]
    arguments = parse(rest, ARGUMENTS)
    _check(arguments, argv)
    if arguments["run"]:
        callbacks = read_config(arguments["run"]).get("callbacks") or {}
        own = (callbacks.get("evaluation") or {}).get("protocol")
    else:
        own = None
        if not any(text.startswith("protocol=") for text in about):
            about.insert(0, f"protocol={FOLDERS}")
    plain = chosen(own, about)
    check_targets({"protocol": plain})
    if arguments["seeds"] and "seed" not in plain:
        raise ConfigError("seeds: this protocol draws nothing; leave seeds out.")
    out = arguments["out"] or (arguments["run"] or arguments["generated"]) / "scores.json"
    from ganlab.core.build import make
    from ganlab.runs import evaluation

    before = evaluation.read_entries(out)
    if run := arguments["run"]:
        subject = evaluation.of_run(run, arguments["checkpoint"], dotted)
    else:
        folders = arguments["real"], arguments["generated"]
        subject = evaluation.of_folders(*folders, arguments["skip_corrupt"])
    protocol = make(plain)
    drawn = arguments["seeds"] or [plain.get("seed")]
    entries = evaluation.evaluate(subject, protocol, drawn, arguments["device"])
    print(_table(entries[0]["protocol"], subject.title, entries))
    evaluation.write_entries(out, before, entries)
    print(f"Written to {out}.")
    if picture := evaluation.save_neighbours(subject, protocol, out.with_name("neighbours.png")):
        print(f"Samples above their nearest training examples: {picture}.")
    return 0


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
    of = f"seed {entries[0]['seed']}: " if len(entries) > 1 else ""
    lines += [f"  {of}{s['words']}" for s in first.values() if s["words"]]
    return "\n".join(lines)
