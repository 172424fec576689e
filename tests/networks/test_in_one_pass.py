"""One pass for several batches gives the outputs of one pass for each."""

import pytest
import torch
from torch import nn

from ganlab.networks import (
    DCGANDiscriminator,
    MLPDiscriminator,
    PatchGAN,
    ProjectionDiscriminator,
    in_one_pass,
)
from ganlab.networks.in_one_pass import is_by_example
from ganlab.regularizers import spectral_normalize

SHAPE = (1, 28, 28)


def dcgan(**options):
    return DCGANDiscriminator(size=28, channels=1, features=4, **options)


def spectral(network):
    spectral_normalize(network)
    return network


class Foreign(nn.Module):
    """A layer that ganlab does not know; it could mix examples."""

    __module__ = "other"

    def forward(self, x):
        return x - x.mean(0)


@pytest.mark.parametrize(
    ("build", "passes"),
    [
        (lambda: dcgan(norm="none", hidden=8), 1),
        (lambda: dcgan(norm="layer"), 1),
        (lambda: dcgan(norm="instance"), 1),
        (lambda: ProjectionDiscriminator(dcgan(norm="none", hidden=8), classes=3), 1),
        (lambda: MLPDiscriminator(SHAPE, [8, 8], "maxout"), 1),
        (lambda: PatchGAN(1, 4, layers=1, norm="instance"), 1),
        (lambda: dcgan(norm="batch"), 2),
        (lambda: MLPDiscriminator(SHAPE, [8], minibatch_std=True), 2),
        (lambda: spectral(dcgan(norm="none")), 2),
        (lambda: nn.Sequential(nn.Flatten(), Foreign(), nn.Linear(784, 1)), 2),
    ],
)
def test_outputs_are_those_of_single_passes(build, passes):
    torch.manual_seed(0)
    network, label = build().double(), torch.tensor([0, 2, 1])
    first, second = torch.randn(2, 3, *SHAPE, dtype=torch.float64)
    calls = []

    def call(x):
        calls.append(len(x))
        labels = [label.repeat(len(x) // 3)] if getattr(network, "classes", None) else []
        return network(x, *labels)

    outputs = in_one_pass(network, first, second, call=call)
    assert len(calls) == passes
    assert is_by_example(network) == (passes == 1)
    if passes == 1:
        torch.testing.assert_close(outputs, [call(first), call(second)], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(
            in_one_pass(network, first.requires_grad_(), second, call=call), outputs
        )
        assert calls[-2:] == [3, 3]
