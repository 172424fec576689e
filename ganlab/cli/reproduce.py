"""`ganlab reproduce`: hold a recipe that is trained here against the published figure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ganlab.cli.arguments import Argument, parse, split_options, wants_help
from ganlab.config.values import boolean, check_folder, count, number, seeds
from ganlab.errors import ConfigError
from ganlab.record.machine import without_password
from ganlab.reproduction.baselines import Baseline

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
    text = text.strip("[] ")
    if "," not in text:
        return list(range(count(text)))
    return seeds(text.removesuffix(","))


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
    positional, options = split_options(argv, ARGUMENTS)
    if positional == ["list"]:
        if options:
            raise ConfigError(f"{options[0]}: reproduce list takes no arguments.")
        from ganlab.reproduction.ledger import ledger

        print(ledger())
        return 0
    if len(positional) != 1:
        raise ConfigError(
            f"reproduce: received {' '.join(positional) or 'no name'}; give one experiment, or "
            "list."
        )
    from ganlab.reproduction.ledger import baseline_named

    baseline = baseline_named(positional[0])
    own = [text for text in options if text.partition("=")[0] in ARGUMENTS]
    arguments = parse(own, ARGUMENTS)
    return _reproduce(baseline, arguments, [o for o in options if o not in own], argv)


def _reproduce(
    baseline: Baseline, arguments: dict[str, Any], overrides: list[str], argv: list[str]
) -> int:
    from ganlab.reproduction.begin import begin
    from ganlab.reproduction.report import report
    from ganlab.runs.train import new_folder

    for text in overrides:
        if text.partition("=")[0].lstrip("+~").partition("@")[0] in SET:
            raise ConfigError(
                f"{text}: is set by ganlab reproduce, whose own arguments are seeds=, scale=, "
                "out=DIR and dry_run=true. Leave it out."
            )
    folder = arguments["out"] or new_folder(f"reproduce/{baseline.name}")
    check_folder("out", folder)
    reproduction = begin(
        baseline,
        folder,
        arguments["seeds"],
        arguments["scale"],
        overrides,
        ["ganlab", "reproduce", *map(without_password, argv)],
    )
    if arguments["dry_run"]:
        from ganlab.estimate.dry_run import dry_run

        print(f"{reproduction.title}, seeds {', '.join(map(str, reproduction.seeds))}; of each:")
        return dry_run(reproduction.config)
    if reproduction.changed:
        print(
            "ganlab: not the baseline's recipe, so there will be no verdict: "
            + "; ".join(reproduction.changed),
            file=sys.stderr,
        )
    again = f"ganlab reproduce {baseline.name} out={folder}"
    try:
        path = reproduction.carry_out()
    except KeyboardInterrupt:
        if (folder / "sweep.json").exists():
            print(f"Interrupted. Go on with\n  {again}", file=sys.stderr)
        return 130
    print(report(reproduction, path))
    _, missing = reproduction.scores()
    if missing:
        print(f"Go on with\n  {again}", file=sys.stderr)
    return 1 if missing else 0
