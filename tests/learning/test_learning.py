"""Whether it learns: minutes, so marked slow (`pytest -m slow`)."""

import os
import time

import helpers.plain_loop as plain_loop
import pytest
import torch
from helpers.learned import scores_of
from helpers.tiny import Given

from ganlab.config.compose import compose, to_plain
from ganlab.config.protocols import named_protocol
from ganlab.core.build import make
from ganlab.errors import DataError
from ganlab.metrics import FolderSamples
from ganlab.modalities.pixels import denormalise

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(autouse=True)
def _all_cores():
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ring_finds_all_modes(seed, tmp_path):
    scores = scores_of(tmp_path / "run", "experiment=ring_non_saturating", f"seed={seed}")
    assert scores["modes"] == 8
    assert scores["high_quality"] >= 0.8


def test_quickstart(tmp_path):
    scores = scores_of(tmp_path / "run", "experiment=quickstart", "budget.minutes=null")
    assert scores["classes_present_digits"] == 10
    assert scores["frechet_distance_digits"] < 0.35
    assert scores["class_frechet_distance_digits"] < 1
    assert scores["label_consistency_digits"] > 0.98


def test_conditional_digits_show_their_label(tmp_path):
    """At least 95 % of the digits are of the class that was asked for."""
    from ganlab.core.load import load_module
    from ganlab.metrics import DigitFeatures
    from ganlab.modalities.pixels import denormalise

    scores_of(tmp_path / "run", "experiment=cdcgan_mnist_5k")
    labels = torch.arange(10).repeat(100)
    images = load_module(tmp_path / "run").sample(labels=labels, seed=0)
    assert (DigitFeatures()(denormalise(images))[1].argmax(1) == labels).float().mean() >= 0.95


def test_quality_per_second_beats_a_plain_loop(tmp_path):
    """In a third of the time, no further from real digits; needs MNIST under $GANLAB_DATA."""
    data = make(to_plain(compose(["experiment=dcgan_mnist", "data.download=false"]))["data"])
    try:
        data.setup("fit")
    except DataError as error:
        if "data.download is false" not in str(error):
            raise
        pytest.skip(f"MNIST is not there: {str(error).splitlines()[0]}")
    seconds = 120

    network, batches = plain_loop.train(data.train["example"], seconds, seed=0)
    protocol = make(named_protocol("fd10k_test_mnist"))
    plain = Given(denormalise(plain_loop.samples(network, 10_000, seed=0)))
    score = protocol.score(FolderSamples(plain), data)["frechet_distance_digits"]
    images = int(seconds / 3 * batches * 64 / seconds)  # as many as the plain loop sees
    started = time.monotonic()
    ours = scores_of(tmp_path / "run", "experiment=dcgan_mnist", f"budget.examples={images}")
    assert ours["frechet_distance_digits"] <= score.value
    assert time.monotonic() - started < seconds
