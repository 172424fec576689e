"""`ganlab evaluate`: score a trained model, or a folder of images against another folder."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from ganlab.cli.arguments import (
    METRICS_MEMORY_ARGUMENT,
    TRUST,
    Argument,
    parse,
    say_loading,
    usage,
    wants_help,
)
from ganlab.config.values import boolean, seeds
from ganlab.errors import ConfigError

ARGUMENTS = {
    "run": Argument(Path, "the run's folder, outputs/…"),
    "checkpoint": Argument(str, "last, best, or a checkpoint's file", "last"),
    "real": Argument(Path, "folder of real images; give it with generated= instead of run="),
    "generated": Argument(Path, "folder of generated images, from any program"),
    "skip_corrupt": Argument(boolean, "true to skip unreadable images", False),
    "protocol": Argument(
        str,
        "name of a protocol, see `ganlab list protocols` (default: the run's; folders_inception "
        "for two folders)",
    ),
    "features": Argument(
        str, "name of a feature network, see `ganlab list features` (default: set by the protocol)"
    ),
    "seeds": Argument(
        seeds, "seeds of the latents, e.g. 0,1,2; several give mean and standard deviation"
    ),
    "device": Argument(str, "cpu, cuda, mps or xpu (default: the fastest available)"),
    "metrics_memory": METRICS_MEMORY_ARGUMENT,
    "out": Argument(
        Path, "file for the scores (default: scores.json in the folder of the run or of generated=)"
    ),
    "trust": TRUST,
}
OVERRIDES_HELP = """
  protocol.key=value, features.key=value and data.root=DIR change single settings, e.g.
  protocol.samples=1000, features.weights=PATH, protocol.metrics.ms_ssim=null.
"""
FOLDER_PROTOCOL = "folders_inception"  # default for two folders
GENERATION = ("seed", "ema", "batch_norm", "truncation")  # protocol settings of sampling
ONLY_FOR_RUNS = ("checkpoint", "seeds", "data", "trust", *(f"protocol.{key}" for key in GENERATION))


def main(argv: list[str]) -> int:
    """Print a table of scores, and write the scores with their protocols to scores.json."""
    if wants_help(argv):
        purpose = "score a trained model, or a folder of images."
        print(usage("evaluate", purpose, ARGUMENTS) + OVERRIDES_HELP)
        return 0
    from ganlab.config.overrides import is_about_protocol
    from ganlab.config.protocols import chosen
    from ganlab.config.targets import check_numbers, check_targets
    from ganlab.record.run import refuse_lesson
    from ganlab.record.stored import stored_config

    protocol_overrides = [text for text in argv if is_about_protocol(text)]
    data_overrides = [text for text in argv if text.partition("=")[0].startswith("data.")]
    overrides = {*protocol_overrides, *data_overrides}
    arguments = parse([text for text in argv if text not in overrides], ARGUMENTS)
    _check(arguments, argv)
    if arguments["run"]:
        config = stored_config(arguments["run"], arguments["trust"])
        refuse_lesson(arguments["run"], config)
        callbacks = config.get("callbacks") or {}
        default = (callbacks.get("evaluation") or {}).get("protocol")
    else:
        default = None
        if not any(text.startswith("protocol=") for text in protocol_overrides):
            protocol_overrides.insert(0, f"protocol={FOLDER_PROTOCOL}")
    say_loading("evaluate", f"what is in {arguments['run'] or arguments['generated']}")
    plain = chosen(default, protocol_overrides)
    check_numbers({"protocol": plain})
    check_targets({"protocol": plain})
    if arguments["seeds"] and "seed" not in plain:
        raise ConfigError("seeds: this protocol samples nothing; leave seeds out.")
    out = arguments["out"] or (arguments["run"] or arguments["generated"]) / "scores.json"
    from ganlab.core.build import make
    from ganlab.runs import evaluation

    old_entries = evaluation.read_entries(out)
    if run := arguments["run"]:
        subject = evaluation.run_subject(
            run, arguments["checkpoint"], data_overrides, arguments["trust"]
        )
    else:
        folders = arguments["real"], arguments["generated"]
        subject = evaluation.folders_subject(*folders, arguments["skip_corrupt"])
    protocol = make(plain)
    latent_seeds = arguments["seeds"] or [plain.get("seed")]
    memory = arguments["metrics_memory"]
    entries = evaluation.evaluate(subject, protocol, latent_seeds, arguments["device"], memory)
    print(_table(entries[0]["protocol"], subject.title, entries))
    evaluation.write_entries(out, old_entries, entries)
    print(f"Wrote the scores to {out}.")
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
    unused = ONLY_FOR_RUNS if folders else ("skip_corrupt",)
    for key in (text.partition("=")[0] for text in argv):
        if key in unused or key.split(".")[0] in unused:
            subject = "a trained model" if folders else "folders of images"
            raise ConfigError(f"{key}: is for {subject}; leave it out.")


def _table(name: str, title: str, entries: list[dict[str, Any]]) -> str:
    """Return a table of the scores, mean and standard deviation over seeds, with explanations.

    Args:
        name: the protocol's name.
        title: description of what was scored.
        entries: entries for scores.json, one per seed.
    """
    lines = [f"{title}", f"protocol {name}, {sum(e['seconds'] for e in entries):.1f} s"]
    first = entries[0]["scores"]
    width = max(map(len, first))
    for score in first:
        values = [entry["scores"][score]["value"] for entry in entries]
        line = f"  {score:<{width}}  {statistics.fmean(values):>10.4g}"
        if len(values) > 1:
            line += f" ± {statistics.stdev(values):.2g} over {len(values)} seeds"
        lines.append(line)
    prefix = f"seed {entries[0]['seed']}: " if len(entries) > 1 else ""
    lines += [f"  {prefix}{s['words']}" for s in first.values() if s["words"]]
    return "\n".join(lines)
