"""Generated samples by their index: the same whoever asks for which part."""

import pytest
import torch
from helpers.tiny import Given, tiny_labelled

from ganlab.metrics import FolderSamples, ModelSamples
from ganlab.metrics.protocols.sources import share


@pytest.fixture
def module():
    return tiny_labelled().eval()


@pytest.mark.parametrize("n", [257, 300])
def test_a_sample_of_batch_statistics_has_one_batch(n, module):
    """Whoever asks for which part, and if the last batch would have been of one sample."""
    source = ModelSamples(module, batch_norm="batch")
    with source.open(n):
        whole = source.part(0, n)
        parts = [source.part(*share(n, rank, 2)) for rank in range(2)]
    for key in ("samples", "labels"):
        assert torch.equal(whole[key], torch.cat([part[key] for part in parts]))
    assert source.described()["batch_norm"] == "statistics of batches of 256"


def test_a_part_of_a_folder_is_a_random_subset():
    """Files are in the order of their names: the first ones may be of one class."""
    images = torch.arange(200, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)
    source = FolderSamples(Given(images))
    with source.open(100):
        found = source.part(0, 100)["samples"][:, 0, 0, 0]
    assert len(found.unique()) == 100
    assert 50 < (found < 100).sum() + 25 < 100
    with source.open(200):
        assert torch.equal(source.part(0, 200)["samples"], images)


@pytest.mark.parametrize("ranks", [2, 3])
def test_parts_are_contiguous_and_whole(ranks, module):
    parts = [share(10, rank, ranks) for rank in range(ranks)]
    assert [i for start, stop in parts for i in range(start, stop)] == list(range(10))
    source = ModelSamples(module, seed=1)
    with source.open(10):
        whole = source.part(0, 10)["samples"]
        pieces = torch.cat([source.part(*part)["samples"] for part in parts])
    assert torch.equal(whole, pieces)
