"""`ganlab train`: train a model, continue a run, or launch a sweep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ganlab.cli.arguments import wants_help
from ganlab.errors import ConfigError

HELP = """ganlab train [experiment=NAME] [key=value …]: train a model.

  experiment=NAME         a paper's baseline or a short run; `ganlab list experiments`
  model= data= loss=      choose and combine freely; `ganlab list` says from what
  regularizer=[a,b]       regularizers beside the loss's own
  trainer=cpu|gpu|…       where it runs; trainer.precision=bf16-mixed, trainer.devices=2, …
  budget.images=          length of the run; also budget.batches, .epochs, .minutes: first reached
  seed=  run_dir=         the seed, and the folder that the run is written to
  logger=wandb            also log to Weights & Biases (offline); logger=tensorboard
  dry_run=true            print what would be done, and how long it would take, and stop
  any.key=value           anything in the configuration, e.g. model.generator.features=32
  -m key=a,b,c            a sweep: one run for each combination; hydra/launcher=joblib runs several
                          at once, submitit_slurm on a cluster; sweep=NAME takes it from conf/sweep
  run=DIR resume=true     continue a run in its folder, with a longer budget.* if it had finished

Ctrl-C ends a run at the next batch with a checkpoint; a second one at once.
"""


def main(argv: list[str]) -> int:
    """Train as the arguments say; returns the exit code."""
    if wants_help(argv):
        print(HELP)
        return 0
    if any(word in ("-m", "--multirun") for word in argv):
        from ganlab.cli.sweep import sweep

        return sweep(argv)
    _say("ganlab: reading the configuration …")
    return train(*prepare(argv))


def prepare(argv: list[str]) -> tuple[dict[str, Any], bool]:
    """The plain configuration of a run, and whether it continues one.

    Raises:
        ConfigError, RunError: whatever is wrong with the arguments.
    """
    from ganlab.cli.compose import compose, to_plain
    from ganlab.cli.resume import continued

    values = dict(text.partition("=")[::2] for text in argv)
    if "sweep" in values:
        raise ConfigError("sweep: is for several runs; add -m, or use `ganlab tune`.")
    if values.get("run") and values.get("resume", "").lower() in ("true", "1", "yes"):
        return continued(Path(values["run"]), argv), True
    if values.get("run"):
        raise ConfigError(
            "run: is for continuing a run; add resume=true, or use run_dir= to name a folder."
        )
    config = compose(argv)
    config.run_dir = str(config.run_dir or new_folder(config.name))
    plain = to_plain(config)
    if plain["resume"]:
        if not values.get("run_dir"):
            raise ConfigError("resume: needs run=DIR, the folder of the run to continue.")
        return continued(Path(plain["run_dir"]), [], plain), True
    return plain, False


def train(config: dict[str, Any], resume: bool = False, *callbacks: Any) -> int:
    """Train from a plain configuration; returns 0 when finished, 130 when interrupted.

    Args:
        config: plain and resolved.
        resume: go on from the newest checkpoint in its run_dir.
        *callbacks: of Lightning, beside the configuration's.

    Raises:
        GanlabError: what a user can mend; the record says so too.
    """
    from ganlab.cli.validate import check

    check(config)
    if config.get("dry_run"):
        from ganlab.cli.dry_run import dry_run

        return dry_run(config)
    if config.get("study"):
        from ganlab.cli.study import run_study

        return run_study(config)
    from ganlab.cli.session import Session

    with Session(config, resume, *callbacks) as session:
        session.fit()
    return session.exit_code


def new_folder(name: str) -> Path:
    """outputs/<name>/<date>_<time>, with a number where two runs start in one second."""
    import os
    import time

    from ganlab.ranks import agreed

    if pinned := os.environ.get("GANLAB_RUN_DIR"):  # a further rank of a run that has begun
        return Path(pinned)
    base = Path("outputs") / name / time.strftime("%Y-%m-%d_%H-%M-%S")
    folder, number = base, 1
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}_{number}")
    return Path(agreed(str(folder)))


def _say(text: str) -> None:
    from ganlab.ranks import is_main

    if is_main():
        print(text, file=sys.stderr, flush=True)
