"""`Evaluation`: when scores are taken, and from which weights."""

import pytest
import torch
from helpers.tiny import fit, tiny_gan, tiny_ring

from ganlab.callbacks import EMA, Checkpoints, Evaluation
from ganlab.core.load import read_checkpoint
from ganlab.errors import ConfigError
from ganlab.metrics import ModeCoverage, PointSlicedWasserstein, SampleProtocol


def protocol(**options):
    metrics = {"modes": ModeCoverage(), "distance": PointSlicedWasserstein()}
    return SampleProtocol("test", metrics, samples=200, split="test", **options)


def scored(module, data):
    scores = protocol().evaluate(module, data)
    return {name: score.value for name, score in scores.items()}


def test_scores_equal_those_of_the_protocol_for_the_same_weights():
    module, data, callback = tiny_gan(), tiny_ring(samples=200), Evaluation(protocol())
    fit(module, EMA(50), callback, batches=5, data=data)
    expected = scored(module, data)
    assert {name: score.value for name, score in callback.scores.items()} == expected
    assert callback.scores["modes"].protocol["weights"] == "ema"
    assert module.latest["sliced_wasserstein"] == expected["sliced_wasserstein"]
    assert callback.seconds > 0


def test_scores_are_taken_every_n_examples_and_at_the_end():
    """With batches of 4, multiples of 12 are reached at 12 and 24 examples; the end is at 28."""
    module, taken = tiny_gan(), []

    class Watch(SampleProtocol):
        def evaluate(self, module, *args, **options):
            taken.append(module.examples_seen)
            return super().evaluate(module, *args, **options)

    watch = Watch("test", {"modes": ModeCoverage()}, samples=50, split="train")
    fit(module, Evaluation(watch, every_examples=12), batches=7)
    assert taken == [12, 24, 28]
    assert module.scored_at == 28


def test_any_score_chooses_the_best_checkpoint(tmp_path):
    module, data = tiny_gan(), tiny_ring(samples=200)
    best = Checkpoints(tmp_path, every_examples=None, monitor="sliced_wasserstein", mode="max")
    fit(module, Evaluation(protocol(), every_examples=8), best, batches=8, data=data)
    checkpoint = read_checkpoint(tmp_path / "checkpoints" / "best.ckpt")
    loaded = tiny_gan()
    loaded.on_load_checkpoint(checkpoint)
    loaded.load_state_dict(checkpoint["state_dict"])
    assert scored(loaded, data)["sliced_wasserstein"] == best.best


def test_evaluation_does_not_change_training():
    evaluated, plain = tiny_gan(), tiny_gan()
    fit(evaluated, Evaluation(protocol(), every_examples=8), batches=8, data=tiny_ring(samples=200))
    fit(plain, batches=8, data=tiny_ring(samples=200))
    for name, value in plain.state_dict().items():
        assert torch.equal(evaluated.state_dict()[name], value), name


def test_impossible_protocol_is_refused_before_training():
    module = tiny_gan()
    few = SampleProtocol("test", {"modes": ModeCoverage()}, samples=7, split="train")
    with pytest.raises(ConfigError, match="7 generated samples are too few"):
        fit(module, Evaluation(few), batches=1)
    assert module.batches_seen == 0
    with pytest.raises(ConfigError, match="every_examples"):
        Evaluation(protocol(), every_examples=0)


def test_a_run_of_few_batches_logs_its_losses_beside_its_scores():
    module = tiny_gan()
    fit(module, Evaluation(protocol()), batches=3)
    assert module.latest["generator/steps"] == 3
    assert "discriminator/adversarial" in module.latest
