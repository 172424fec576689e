"""`ganlab train`: train a model, resume a run, or launch a sweep."""

from __future__ import annotations

from ganlab.cli.arguments import say_loading, wants_help
from ganlab.printable import one_line

HELP = """ganlab train [experiment=NAME] [key=value …]: train a model.

  experiment=NAME         a paper's recipe or a short run; `ganlab list experiments` lists them
  model= data= loss=      free combination of model, data and loss; `ganlab list` lists the choices
  regularizer=[a,b]       regularizers in addition to those of the loss
  trainer=cpu|gpu|…       where to train; trainer.devices=2, …
  precision=auto          bfloat16 where the processor is made for it; also 32-true (default),
                          bf16-mixed and 16-mixed
  budget.examples=        length of the run; also budget.batches, .epochs and .minutes. The run ends
                          when it reaches the first limit; without any, after 3 minutes
  seed=  run_dir=         seed of the run, and the folder that the run is written to
  logger=wandb            also log to Weights & Biases (offline); likewise logger=tensorboard
  metrics_memory=512MiB   what scores take in memory, and again on an accelerator, beyond the data
  dry_run=true            print what would be done and how long it would take, and stop
  any.key=value           any setting, e.g. model.generator.features=32
  -m key=a,b,c            a sweep: one run for each combination. hydra/launcher=joblib trains
                          several runs at once, hydra/launcher=submitit_slurm on a cluster;
                          sweep=NAME reads the values from a file of conf/sweep
  run=DIR resume=true     resume a run in its folder; a finished run needs a longer budget. A run
                          that uses code of other packages also needs trust=true

Ctrl-C ends a run after the current batch and saves a checkpoint. Ctrl-C again ends it at once.
"""


def main(argv: list[str]) -> int:
    """Train a model or a sweep, and return the exit code."""
    if wants_help(argv):
        print(HELP)
        return 0
    is_sweep = any(text in ("-m", "--multirun") for text in argv)
    say_loading("train", "the runs of the sweep" if is_sweep else _what(argv))
    if is_sweep:
        from ganlab.sweeps.multirun import sweep

        return sweep(argv)
    from ganlab.runs.train import prepare, train

    config, resume = prepare(argv)
    if config.get("dry_run"):
        from ganlab.config.checks import check
        from ganlab.estimate.dry_run import dry_run

        check(config)
        return dry_run(config)
    return train(config, resume)


def _what(argv: list[str]) -> str:
    """Return what a command line trains or resumes, from its experiment, folder or model."""
    given = dict(text.partition("=")[::2] for text in argv)
    named = (f"{key}={given[key]}" for key in ("experiment", "run", "model") if given.get(key))
    return one_line(next(named, "the configuration"))
