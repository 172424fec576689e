"""`ganlab reproduce`: hold a recipe that is trained here against the published figure."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

from ganlab.cli.arguments import (
    Argument,
    boolean,
    check_folder,
    number,
    parse,
    split_options,
    wants_help,
)
from ganlab.errors import ConfigError, RunError
from ganlab.reports.baselines import Baseline, interval, measured

HELP = """ganlab reproduce list             what papers and peers claim, and what came out here
ganlab reproduce NAME [options]   train an experiment that has a baseline, score it by the
                                  baseline's protocol, and say whether the figure is reproduced

  --seeds 3        so many seeds (0, 1, 2), or the seeds themselves: 0,1,2 or 7, (1)
  --scale 0.01     a share of the recipe's length, to see that it works; gets no verdict
  out=DIR          the folder; an interrupted reproduction goes on in its own, and seeds that have
                   been trained are not trained again (outputs/reproduce/NAME/<date>_<time>;
                   `ganlab reproduce list` looks for verdicts in outputs/reproduce alone)
  dry_run=true     print what a seed's training would do, and how long it would take, and stop
  trainer=gpu      where it runs: also data.root=, logger=, threads=, features.weights=, …
                   over n processes the recipe is the same with 1/n of data.batch_size each, and
                   trainer.sync_batchnorm=true
  any.key=value    changes the recipe, and the result is then not comparable
"""


def _seeds(text: str) -> list[int]:
    parts = [part.strip() for part in text.strip("[]").split(",")]
    if parts[-1] == "":
        parts.pop()
    if not parts or not all(part.isdigit() for part in parts) or len(set(parts)) < len(parts):
        raise ValueError(f"received {text!r}; needs a number of seeds, or different seeds: 0,1,2")
    if len(parts) == 1 and "," not in text:
        if int(parts[0]) < 1:
            raise ValueError("received 0; needs 1 or more")
        return list(range(int(parts[0])))
    return [int(part) for part in parts]


def _scale(text: str) -> float:
    if not 0 < (scale := number(text)) <= 1:
        raise ValueError(f"received {text}; needs a share above 0 and up to 1")
    return scale


ARGUMENTS = {
    "seeds": Argument(_seeds, "a number of seeds, or the seeds themselves: 0,1,2"),
    "scale": Argument(_scale, "a share of the recipe's length, e.g. 0.01"),
    "out": Argument(Path, "the folder, new or of an interrupted reproduction"),
    "dry_run": Argument(boolean, "print what would be done, and stop (false)", False),
}
# what the command sets itself, also as +key and ~key
SET = ("seed", "run_dir", "name", "experiment", "run", "resume", *ARGUMENTS)


def main(argv: list[str]) -> int:
    """Print the ledger, or reproduce one baseline.

    Returns:
        0 when each seed has been trained and scored, whatever the verdict; 1 when one has not;
        130 after Ctrl-C.
    """
    if wants_help(argv) or not argv:
        print(HELP)
        return 0 if argv else 2
    words, options = split_options(argv, ARGUMENTS)
    if words == ["list"]:
        if options:
            raise ConfigError(f"{options[0]}: reproduce list takes no arguments.")
        from ganlab.cli.ledger import ledger

        print(ledger())
        return 0
    if len(words) != 1:
        raise ConfigError(
            f"reproduce: received {' '.join(words) or 'no name'}; give one experiment, or list."
        )
    from ganlab.cli.ledger import baseline_named

    baseline = baseline_named(words[0])
    own = [text for text in options if text.partition("=")[0] in ARGUMENTS]
    arguments = parse(own, ARGUMENTS)
    return _reproduce(baseline, arguments, [o for o in options if o not in own], argv)


def _reproduce(
    baseline: Baseline, arguments: dict[str, Any], overrides: list[str], argv: list[str]
) -> int:
    from ganlab.cli.compose import PROTOCOL, compose
    from ganlab.cli.protocols import is_about_protocol
    from ganlab.cli.reproduction import Reproduction
    from ganlab.cli.train import new_folder

    for text in overrides:
        if text.partition("=")[0].lstrip("+~").partition("@")[0] in SET:
            raise ConfigError(
                f"{text}: is set by ganlab reproduce; use seeds=, out=DIR or dry_run=true."
            )
    folder = arguments["out"] or new_folder(f"reproduce/{baseline.name}")
    check_folder("out", folder)
    about = [text for text in overrides if is_about_protocol(text)]
    training = [text for text in overrides if text not in about]
    if about:
        from omegaconf import OmegaConf

        plain = compose([f"experiment={baseline.name}"])
        if OmegaConf.select(plain, f"{PROTOCOL}.name") == baseline.protocol:
            training += about  # scores in training are by the same protocol
    wanted = {
        "seeds": arguments["seeds"],
        "scale": arguments["scale"],
        "overrides": training or None,
        "protocol_overrides": about or None,
    }
    if before := read_plan(folder, baseline.name):
        wanted = _going_on(folder, before, wanted)
    reproduction = Reproduction(
        folder,
        baseline,
        wanted["seeds"] or [0],
        wanted["scale"] or 1.0,
        wanted["overrides"] or [],
        wanted["protocol_overrides"] or [],
        before["command"] if before else ["ganlab", "reproduce", *argv],
        before["data_hash"] if before else "",
    )
    if arguments["dry_run"]:
        from ganlab.cli.dry_run import dry_run

        print(f"{reproduction.title}, seeds {', '.join(map(str, reproduction.seeds))}; of each:")
        return dry_run(reproduction.config)
    return _carry_out(reproduction, folder)


BEGUN = {"seeds": list, "scale": (int, float), "overrides": list, "protocol_overrides": list}


def read_plan(folder: Path, name: str) -> dict[str, Any] | None:
    """What a reproduction in `folder` was started with; None where there is nothing yet.

    Raises:
        RunError: it holds something else, or a damaged file.
    """
    from ganlab.cli.ledger import recorded_in
    from ganlab.reports.sweeps import read_sweep_file

    if not (folder / "sweep.json").exists():
        if (folder / "run.json").exists():
            raise RunError(f"out: {folder} holds a run; choose another folder.")
        return None
    content = read_sweep_file(folder)
    if content.get("experiment") != name or content.get("kind") != "reproduce":
        what = content.get("experiment") or content.get("name")
        raise RunError(f"out: {folder} holds {what}, not a reproduction of {name}.")
    for key, kind in BEGUN.items():
        if not isinstance(content.get(key), kind):
            raise RunError(
                f"out: {folder / 'sweep.json'} is damaged: its {key} is {content.get(key)!r}."
            )
    # verdict.json has the hash of reproductions that an earlier version began
    data_hash = content.get("data_hash") or (recorded_in(folder) or {}).get("data_hash")
    return {"command": []} | content | {"data_hash": data_hash or ""}


def _going_on(
    folder: Path, before: dict[str, Any], wanted: dict[str, Any]
) -> dict[str, list[str] | list[int] | float]:
    """What a reproduction goes on with: what it began with, and perhaps further seeds."""
    for key in ("scale", "overrides", "protocol_overrides"):
        if wanted[key] is not None and wanted[key] != before[key]:
            raise ConfigError(
                f"{key}: received {wanted[key]}, and the reproduction in {folder} was begun with "
                f"{before[key]}. Leave it out to go on, or begin another one without out=."
            )
    seeds = before["seeds"]
    further = [seed for seed in wanted["seeds"] or [] if seed not in seeds]
    return {**{key: before[key] for key in wanted}, "seeds": seeds + further}


def _carry_out(reproduction: Any, folder: Path) -> int:
    again = f"ganlab reproduce {reproduction.baseline.name} out={folder}"
    if reproduction.changed:
        print(
            "ganlab: not the baseline's recipe, so there will be no verdict: "
            + "; ".join(reproduction.changed),
            file=sys.stderr,
        )
    if not reproduction.is_complete:
        reproduction.prepare()
        reproduction.plan()
    try:
        reproduction.run()
    except KeyboardInterrupt:
        print(f"Interrupted. Go on with\n  {again}", file=sys.stderr)
        return 130
    path = reproduction.write()
    print(_report(reproduction, path))
    _, missing = reproduction.scores()
    if missing:
        print(f"Go on with\n  {again}", file=sys.stderr)
    return 1 if missing else 0


def _report(reproduction: Any, path: Path) -> str:
    """Paper, peers, ours and the verdict."""
    from ganlab.cli.compose import CONF
    from ganlab.cli.list import describe

    baseline: Baseline = reproduction.baseline
    values, _ = reproduction.scores()
    what = describe(CONF / "experiment" / f"{baseline.name}.yaml")
    lines = [f"{reproduction.title}: {what}", f"  paper      {baseline.paper}"]
    for figure in baseline.published:
        unlike = "" if figure.get("comparable", True) else "; not compared"
        how = f"{figure['how']}; {figure['source']}{unlike}"
        lines.append(f"  published  {figure['by']} {figure['value']:g} ({how})")
    if baseline.note:
        lines.append(f"  note       {baseline.note}")
    if baseline.protocol:
        lines.append(f"  ours       {_ours(reproduction, values)}")
    lines.append(f"  verdict    {reproduction.verdict().words}")
    if _is_first(reproduction, values):
        file = f"conf/experiment/{baseline.name}.yaml"
        lines.append(
            f"Its first measurement. For the baseline in {file}:\n{_measured(reproduction)}"
        )
    return "\n".join([*lines, f"Written to {path}."])


def _ours(reproduction: Any, values: list[float]) -> str:
    from ganlab.cli.ledger import mean_and_spread

    baseline = reproduction.baseline
    seeds = ", ".join(map(str, reproduction.seeds))
    text = mean_and_spread(values)
    if (found := interval(values)) and all(map(math.isfinite, values)):
        text += f" (95 % interval of the mean {found[0]:.4g} … {found[1]:.4g})"
    how = f"{reproduction.protocol.get('name', baseline.protocol)}, {baseline.checkpoint}"
    return f"{text}; {baseline.score}, {how} checkpoint, seeds {seeds}"


def _measured(reproduction: Any) -> str:
    records = [run.record for run in reproduction.runs]
    facts = {
        "seeds": reproduction.seeds,
        "minutes": round(sum(r["seconds"] for r in records) / 60 / len(records), 1),
        "torch": records[0]["versions"].get("torch"),
    }
    return measured(reproduction.scores()[0], facts)


def _is_first(reproduction: Any, values: list[float]) -> bool:
    """Whether these are the figures that a short baseline of ours is still without."""
    is_whole = reproduction.scale == 1 and not reproduction.changed
    baseline = reproduction.baseline
    is_without = baseline.target is None and baseline.why is None
    is_complete = len(values) == len(reproduction.seeds) > 1
    return bool(is_whole and is_without and is_complete and all(map(math.isfinite, values)))
