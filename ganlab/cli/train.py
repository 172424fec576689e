"""`ganlab train`: train a model, continue a run, or launch a sweep."""

from __future__ import annotations

import sys

from ganlab.cli.arguments import wants_help
from ganlab.ranks import is_main

HELP = """ganlab train [experiment=NAME] [key=value …]: train a model.

  experiment=NAME         a paper's baseline or a short run; `ganlab list experiments`
  model= data= loss=      choose and combine freely; `ganlab list` says from what
  regularizer=[a,b]       regularizers beside the loss's own
  trainer=cpu|gpu|…       where it runs; trainer.precision=bf16-mixed, trainer.devices=2, …
  budget.examples=          length of the run; also budget.batches, .epochs, .minutes: first reached
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
    if any(text in ("-m", "--multirun") for text in argv):
        from ganlab.sweeps.multirun import sweep

        return sweep(argv)
    if is_main():
        print("ganlab: reading the configuration …", file=sys.stderr, flush=True)
    from ganlab.runs.train import prepare, train

    config, resume = prepare(argv)
    if config.get("dry_run"):
        from ganlab.config.checks import check
        from ganlab.estimate.dry_run import dry_run

        check(config)
        return dry_run(config)
    return train(config, resume)
