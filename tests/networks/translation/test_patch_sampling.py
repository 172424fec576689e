"""Sampled positions of patches, and the heads that map patches to vectors."""

import pytest
import torch

from ganlab.errors import ConfigError
from ganlab.networks import PatchHeads, sample_positions


def _maps(n=2):
    rng = torch.Generator().manual_seed(0)
    return [torch.randn(n, c, h, h, generator=rng) for c, h in ((3, 16), (5, 4))]


def test_parameters_for_the_papers_layers():
    """For a layer with c channels (RGB, 2 halvings, 2 blocks): c·256 + 256 + 256·256 + 256."""
    heads = PatchHeads([3, 128, 256, 256, 256])
    assert sum(p.numel() for p in heads.parameters()) == 560_384


def test_vectors_have_length_one_and_belong_to_their_positions():
    torch.manual_seed(0)
    maps, heads = _maps(), PatchHeads([3, 5], features=32)
    positions = sample_positions(maps, 10)
    for index, (vectors, head) in enumerate(zip(heads(maps, positions), heads.heads, strict=True)):
        count = len(positions[index])
        assert vectors.shape == (2, count, 32)
        torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(2, count))
        for s, position in enumerate(positions[index].tolist()):
            row, column = divmod(position, maps[index].shape[3])
            vector = head(maps[index][1, :, row, column])
            torch.testing.assert_close(vectors[1, s], vector / vector.norm())


def test_positions_are_sampled_without_replacement_and_at_most_all_of_them():
    torch.manual_seed(0)
    wide, narrow = sample_positions(_maps(), 100)
    assert len(set(wide.tolist())) == 100
    assert sorted(narrow.tolist()) == list(range(16))  # all of 4×4
    assert 0 <= int(wide.min()) <= int(wide.max()) < 256
    torch.manual_seed(0)
    assert torch.equal(sample_positions(_maps(), 100)[0], wide)


def test_wrong_numbers_of_maps_and_positions_are_refused():
    with pytest.raises(ConfigError, match=r"received 2 maps and 1 sets of positions; needs 3"):
        PatchHeads([3, 5, 5], 8)(_maps(), sample_positions(_maps(), 2)[:1])
    with pytest.raises(ConfigError, match="channels"):
        PatchHeads([])
