"""Generated samples depend on their index, not on the part that is requested."""

import pytest
import torch
from helpers.tiny import Given, tiny_labelled

from ganlab.metrics import FolderSamples, ModelSamples, Work


@pytest.fixture
def module():
    return tiny_labelled().eval()


@pytest.mark.parametrize("n", [257, 300])
def test_with_batch_statistics_a_sample_always_has_the_same_batch(n, module):
    """The batch does not depend on the rank's part, even if the last batch has one sample."""
    source = ModelSamples(module, batch_norm="batch")
    with source.open(n):
        together = source.part(0, n)
        parts = [source.part(*Work(rank, 2).share(n)) for rank in range(2)]
    for key in ("samples", "labels"):
        assert torch.equal(together[key], torch.cat([part[key] for part in parts]))
    assert source.protocol_entries()["batch_norm"] == "statistics of batches of 256"


def test_a_part_of_a_folder_is_a_random_subset():
    """Files are sorted by name, so the first files may all belong to one class."""
    images = torch.arange(200, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)
    source = FolderSamples(Given(images))
    with source.open(100):
        pixels = source.part(0, 100)["samples"][:, 0, 0, 0]
    assert len(pixels.unique()) == 100
    assert 50 < (pixels < 100).sum() + 25 < 100
    with source.open(200):
        assert torch.equal(source.part(0, 200)["samples"], images)


@pytest.mark.parametrize("ranks", [2, 3])
def test_parts_of_ranks_are_contiguous_and_complete(ranks, module):
    parts = [Work(rank, ranks).share(10) for rank in range(ranks)]
    assert [i for start, stop in parts for i in range(start, stop)] == list(range(10))
    source = ModelSamples(module, seed=1)
    with source.open(10):
        together = source.part(0, 10)["samples"]
        pieces = torch.cat([source.part(*part)["samples"] for part in parts])
    assert torch.equal(together, pieces)
