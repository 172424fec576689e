"""`ganlab train`: train a model, continue a run, or launch a sweep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ganlab.cli.arguments import wants_help
from ganlab.errors import ConfigError
from ganlab.ranks import is_main

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
        from ganlab.sweeps.multirun import sweep

        return sweep(argv)
    if is_main():
        print("ganlab: reading the configuration …", file=sys.stderr, flush=True)
    config, resume = prepare(argv)
    if config.get("dry_run"):
        from ganlab.config.checks import check
        from ganlab.estimate.dry_run import dry_run

        check(config)
        return dry_run(config)
    from ganlab.runs.train import train

    return train(config, resume)


def prepare(argv: list[str]) -> tuple[dict[str, Any], bool]:
    """The plain configuration of a run, and whether it continues one.

    Raises:
        ConfigError, RunError: whatever is wrong with the arguments.
    """
    from ganlab.config.compose import compose, to_plain
    from ganlab.runs.resume import continued
    from ganlab.runs.train import new_folder

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
