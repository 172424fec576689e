"""The objects of a training, built from a configuration."""

from helpers.tiny import ARGUMENTS

from ganlab.callbacks import Doctor, Evaluation, Samples
from ganlab.config.checks import check
from ganlab.runs.assemble import assemble, load
from ganlab.runs.train import prepare


def test_all_that_scores_or_draws_has_the_same_bound_of_memory(tmp_path):
    arguments = [*ARGUMENTS, "protocol=modes10k", "budget.batches=2", "metrics_memory=64MiB"]
    config, _ = prepare([*arguments, f"run_dir={tmp_path / 'run'}"])
    check(config)
    bounds = {
        type(callback): callback.memory
        for callback in assemble(config, *load(config)).callbacks
        if isinstance(callback, (Evaluation, Doctor, Samples))
    }
    assert bounds == dict.fromkeys((Evaluation, Doctor, Samples), 2**26)
