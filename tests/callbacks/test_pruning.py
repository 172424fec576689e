"""`Pruning`: a judge of scores stops runs early."""

import pytest
from helpers.tiny import fit, tiny_gan, tiny_ring

from ganlab.callbacks import Checkpoints, Evaluation
from ganlab.callbacks.pruning import Pruning
from ganlab.core.load import read_checkpoint
from ganlab.errors import ConfigError
from ganlab.metrics import ModeCoverage, SampleProtocol


def evaluation():
    protocol = SampleProtocol("test", {"modes": ModeCoverage()}, samples=50, split="train")
    return Evaluation(protocol, every_examples=10)


def trained(folder, judge, score="high_quality"):
    """Train 7 batches of 4 examples; return the module, the callback, and the examples saved.

    Scores are due at multiples of 10 examples: they are taken at 12 and 20, and at the end, 28.
    """
    module, pruning = tiny_gan(), Pruning(score, judge)
    fit(
        module,
        evaluation(),
        Checkpoints(folder, every_examples=None),
        pruning,
        batches=7,
        data=tiny_ring(),
    )
    saved = read_checkpoint(folder / "checkpoints" / "last.ckpt")["ganlab"]["counters"]
    return module, pruning, saved["examples_seen"]


def test_judge_sees_scores_at_multiples_of_their_cadence_and_at_the_end(tmp_path):
    seen = []
    module, pruning, saved = trained(tmp_path, lambda *what: seen.append(what))
    assert [examples for examples, _ in seen] == [10, 20, 28]
    assert (module.examples_seen, saved, pruning.pruned) == (28, 28, False)


def test_run_stops_at_the_batch_of_the_score_with_a_checkpoint(tmp_path):
    module, pruning, saved = trained(tmp_path, lambda examples, value: examples >= 20)
    assert (module.examples_seen, saved, pruning.pruned) == (20, 20, True)


def test_judge_cannot_prune_a_run_that_has_reached_its_end(tmp_path):
    module, pruning, saved = trained(tmp_path, lambda examples, value: examples > 20)
    assert (module.examples_seen, saved, pruning.pruned) == (28, 28, False)


def test_unknown_score_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"'fid' is not logged; allowed .*high_quality"):
        trained(tmp_path, lambda *_: False, score="fid")
