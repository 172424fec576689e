"""The pool of generated pictures for CycleGAN's discriminators."""

import pytest
import torch

from ganlab.core.pool import ImagePool
from ganlab.errors import ConfigError


def numbered(start, n):
    return torch.arange(start, start + n, dtype=torch.float32).view(-1, 1, 1, 1)


def test_new_pictures_are_shown_while_the_pool_is_filled():
    pool, rng = ImagePool(5), torch.Generator().manual_seed(0)
    for start in range(5):
        assert torch.equal(pool.exchange(numbered(start, 1), rng), numbered(start, 1))
    assert torch.cat(pool.pictures).flatten().tolist() == [0, 1, 2, 3, 4]


def test_half_of_the_new_pictures_are_swapped():
    pool, rng = ImagePool(50), torch.Generator().manual_seed(0)
    new = numbered(0, 4050)
    shown = torch.cat([pool.exchange(part, rng) for part in new.split(3)])
    fresh = (shown == new)[50:].float().mean()
    # tolerance: 5 standard deviations of 4,000 random choices
    assert float(fresh) == pytest.approx(0.5, abs=0.04)
    everything = torch.cat([shown.flatten(), torch.cat(pool.pictures).flatten()]).tolist()
    counts = {number: everything.count(number) for number in set(everything)}
    # no picture is lost: it has been shown or is still in the pool (the first 50 may be both)
    assert all(counts[n] == 1 for n in range(50, 4050))
    # on average a picture stays for 50 swaps, which is 100 pictures
    waited = [float(n - s) for n, s in zip(new.flatten(), shown.flatten(), strict=True) if n != s]
    assert sum(waited) / len(waited) == pytest.approx(100, rel=0.15)


def test_no_pool_and_no_gradient():
    pictures = numbered(0, 4).requires_grad_()
    shown = ImagePool(0).exchange(pictures, torch.Generator())
    assert torch.equal(shown, pictures)
    assert not shown.requires_grad
    with pytest.raises(ConfigError, match="pool_size: received -1"):
        ImagePool(-1)


def test_pictures_of_a_checkpoint_may_be_on_another_device():
    """Pictures are loaded on the CPU. Here the meta device stands for an accelerator."""
    pool = ImagePool(3)
    pool.load_state_dict({"pictures": numbered(0, 2)})
    pool.exchange(numbered(5, 1).to("meta"), torch.Generator())
    assert {picture.device.type for picture in pool.pictures} == {"meta"}


def test_a_pooled_picture_does_not_keep_its_batch_in_memory():
    pool = ImagePool(3)
    pool.exchange(torch.zeros(16, 3, 8, 8), torch.Generator().manual_seed(0))
    assert [p.untyped_storage().nbytes() for p in pool.pictures] == 3 * [4 * 3 * 8 * 8]


def test_a_restored_pool_continues_identically():
    one, other = ImagePool(3), ImagePool(3)
    one.exchange(numbered(0, 5), torch.Generator().manual_seed(0))
    other.load_state_dict(one.state_dict())
    draws = [p.exchange(numbered(9, 4), torch.Generator().manual_seed(1)) for p in (one, other)]
    assert torch.equal(*draws)
    empty = ImagePool(3)
    empty.load_state_dict(ImagePool(3).state_dict())
    assert empty.pictures == []
