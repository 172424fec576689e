"""Scores during training: when they are taken, and what they are measured on."""

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


def test_scores_are_those_of_the_protocol_at_that_moment():
    module, data, callback = tiny_gan(), tiny_ring(samples=200), Evaluation(protocol())
    fit(module, EMA(50), callback, batches=5, data=data)
    expected = scored(module, data)
    assert {name: score.value for name, score in callback.scores.items()} == expected
    assert callback.scores["modes"].protocol["weights"] == "ema"
    assert module.latest["sliced_wasserstein"] == expected["sliced_wasserstein"]
    assert callback.seconds > 0


def test_they_are_taken_every_n_images_and_at_the_end():
    """Batches of 4: 12 and 24 examples are crossed, and 28 is the end."""
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
    again = tiny_gan()
    again.on_load_checkpoint(checkpoint)
    again.load_state_dict(checkpoint["state_dict"])
    assert scored(again, data)["sliced_wasserstein"] == best.best


def test_training_goes_on_as_if_nobody_had_looked():
    looked, alone = tiny_gan(), tiny_gan()
    fit(looked, Evaluation(protocol(), every_examples=8), batches=8, data=tiny_ring(samples=200))
    fit(alone, batches=8, data=tiny_ring(samples=200))
    for name, value in alone.state_dict().items():
        assert torch.equal(looked.state_dict()[name], value), name


def test_what_cannot_be_scored_is_missed_before_training():
    module = tiny_gan()
    few = SampleProtocol("test", {"modes": ModeCoverage()}, samples=7, split="train")
    with pytest.raises(ConfigError, match="7 generated samples are too few"):
        fit(module, Evaluation(few), batches=1)
    assert module.batches_seen == 0
    with pytest.raises(ConfigError, match="every_examples"):
        Evaluation(protocol(), every_examples=0)
