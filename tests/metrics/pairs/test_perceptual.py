"""The LPIPS network of ganlab against that of torchmetrics, with equal random weights."""

import pytest
import torch
from torchmetrics.functional.image.lpips import _NoTrainLpips

from ganlab.data.base import hash_tensors
from ganlab.metrics.pairs.perceptual import CUTS, PerceptualNetwork


@pytest.mark.parametrize("network", list(CUTS))
def test_distances_and_hashes_are_those_of_torchmetrics(network):
    ours = PerceptualNetwork(network, pretrained=False)
    theirs = _NoTrainLpips(net=network, pnet_rand=True)
    theirs.load_state_dict(ours.named_tensors())
    rng = torch.Generator().manual_seed(0)
    one, other = (2 * torch.rand(2, 3, 40, 48, generator=rng) - 1 for _ in range(2))
    assert torch.equal(ours(one, other), theirs(one, other).flatten())
    assert torch.equal(ours(one, one), torch.zeros(2))
    assert hash_tensors(ours.named_tensors()) == hash_tensors(theirs.state_dict())
