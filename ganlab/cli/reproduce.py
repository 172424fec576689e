"""`ganlab reproduce`: train a recipe, and compare its score with the published score."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ganlab.cli.arguments import TRUST, Argument, parse, say_loading, split_options, wants_help
from ganlab.config.values import boolean, check_folder, count, number, seeds
from ganlab.errors import ConfigError
from ganlab.record.machine import without_password
from ganlab.reproduction.baselines import Baseline

HELP = """ganlab reproduce list             list published scores, and the scores reproduced here
ganlab reproduce NAME [options]   train experiment NAME, which must have a baseline; score it with
                                  the baseline's protocol, and say whether it is reproduced

  --seeds 3        3 means seeds 0,1,2; a list has a comma: 0,5, or "7," for seed 7 alone
                   (default: 1)
  --scale 0.01     fraction of the recipe's length, for a quick check that gives no verdict
  out=DIR          folder of the reproduction (default: outputs/reproduce/NAME/<date>_<time>);
                   give the folder of an interrupted reproduction to resume it: finished seeds are
                   not trained again. `ganlab reproduce list` reads outputs/reproduce only
  dry_run=true     print what the training of a seed would do and how long it would take, and stop
  trainer=gpu      where the training runs. Like data.root=, logger=, threads= and so on,
                   this does not change the recipe. On n processes, divide data.batch_size by n and
                   set trainer.sync_batchnorm=true to keep the recipe
  any.key=value    changes the recipe; the result is then not comparable with the baseline
"""


def _seeds(text: str) -> list[int]:
    text = text.strip("[] ")
    if "," not in text:
        return list(range(count(text)))
    return seeds(text.removesuffix(","))


def _scale(text: str) -> float:
    if not 0 < (scale := number(text)) <= 1:
        raise ValueError(f"received {text}; needs a number above 0 and up to 1")
    return scale


ARGUMENTS = {
    "seeds": Argument(_seeds, "a number of seeds, or a list of seeds: 0,1,2"),
    "scale": Argument(_scale, "a fraction of the recipe's length, e.g. 0.01"),
    "out": Argument(Path, "a new folder, or the folder of an interrupted reproduction"),
    "dry_run": Argument(boolean, "true to print what would be done, and stop", False),
    "trust": TRUST,
}
# keys that the user must not override, nor add as +key or delete as ~key: the command sets them
RESERVED = ("seed", "run_dir", "name", "experiment", "run", "resume", *ARGUMENTS)


def main(argv: list[str]) -> int:
    """Print the ledger, or reproduce one baseline.

    Returns:
        0 if all seeds are trained and scored, whatever the verdict; 1 if a seed is not; 130 after
        Ctrl-C; 2 without arguments. With `dry_run=true`, the exit code of the dry run.
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
            f"reproduce: received {' '.join(positional) or 'no name'}; give the name of one "
            "experiment, or the word list."
        )
    from ganlab.reproduction.ledger import baseline_named

    baseline = baseline_named(positional[0])
    given = [text for text in options if text.partition("=")[0] in ARGUMENTS]
    overrides = [text for text in options if text not in given]
    return _reproduce(baseline, parse(given, ARGUMENTS), overrides, argv)


def _reproduce(
    baseline: Baseline, arguments: dict[str, Any], overrides: list[str], argv: list[str]
) -> int:
    say_loading("reproduce", f"the recipe of {baseline.name}")
    from ganlab.reproduction.begin import begin
    from ganlab.reproduction.report import report
    from ganlab.runs.train import new_folder, removed_after_error

    for text in overrides:
        if text.partition("=")[0].lstrip("+~").partition("@")[0] in RESERVED:
            raise ConfigError(
                f"{text}: is set by ganlab reproduce, whose arguments are seeds=, scale=, "
                "out=DIR and dry_run=true. Leave it out."
            )
    name, is_dry = f"reproduce/{baseline.name}", arguments["dry_run"]
    folder = arguments["out"] or new_folder(name, make=not is_dry)
    check_folder("out", folder)
    with removed_after_error(folder):
        reproduction = begin(
            baseline,
            folder,
            arguments["seeds"],
            arguments["scale"],
            overrides,
            ["ganlab", "reproduce", *map(without_password, argv)],
            arguments["trust"],
        )
    if is_dry:
        from ganlab.estimate.dry_run import dry_run

        print(f"{reproduction.title}, seeds {', '.join(map(str, reproduction.seeds))}. Each seed:")
        return dry_run(reproduction.config)
    if reproduction.changed:
        print(
            "ganlab: there will be no verdict, since this is not the baseline's recipe: "
            + "; ".join(reproduction.changed),
            file=sys.stderr,
        )
    command = f"ganlab reproduce {baseline.name} out={folder}"
    try:
        with removed_after_error(folder):
            path = reproduction.carry_out()
    except KeyboardInterrupt:
        if (folder / "sweep.json").exists():
            print(f"Interrupted. Resume with\n  {command}", file=sys.stderr)
        return 130
    print(report(reproduction, path))
    _, missing = reproduction.scores()
    if missing:
        print(f"Train the missing seeds with\n  {command}", file=sys.stderr)
    return 1 if missing else 0
