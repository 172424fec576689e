"""The history of generated pictures that CycleGAN's discriminators are shown."""

import pytest
import torch

from ganlab.core.pool import ImagePool
from ganlab.errors import ConfigError


def numbered(start, n):
    return torch.arange(start, start + n, dtype=torch.float32).view(-1, 1, 1, 1)


def test_it_is_filled_first_and_shows_what_is_new():
    pool, rng = ImagePool(5), torch.Generator().manual_seed(0)
    for start in range(5):
        assert torch.equal(pool.exchange(numbered(start, 1), rng), numbered(start, 1))
    assert torch.cat(pool.pictures).flatten().tolist() == [0, 1, 2, 3, 4]


def test_half_of_the_new_pictures_take_the_place_of_what_is_shown():
    pool, rng = ImagePool(50), torch.Generator().manual_seed(0)
    new = numbered(0, 4050)
    shown = torch.cat([pool.exchange(part, rng) for part in new.split(3)])
    fresh = (shown == new)[50:].float().mean()
    assert float(fresh) == pytest.approx(0.5, abs=0.04)  # 5 standard deviations of 4,000 throws
    everything = torch.cat([shown.flatten(), torch.cat(pool.pictures).flatten()]).tolist()
    counts = {number: everything.count(number) for number in set(everything)}
    # nothing is lost: a picture is shown at once, later, or still waits (the first 50 are both)
    assert all(counts[n] == 1 for n in range(50, 4050))
    # pictures wait for 50 exchanges on average, 100 pictures
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
    """They come from the CPU; new ones may not. (The meta device stands for another one.)"""
    pool = ImagePool(3)
    pool.load_state_dict({"pictures": numbered(0, 2)})
    pool.exchange(numbered(5, 1).to("meta"), torch.Generator())
    assert {picture.device.type for picture in pool.pictures} == {"meta"}


def test_a_picture_of_a_batch_does_not_keep_the_batch():
    pool = ImagePool(3)
    pool.exchange(torch.zeros(16, 3, 8, 8), torch.Generator().manual_seed(0))
    assert [p.untyped_storage().nbytes() for p in pool.pictures] == 3 * [4 * 3 * 8 * 8]


def test_state_goes_on_where_it_was():
    one, other = ImagePool(3), ImagePool(3)
    one.exchange(numbered(0, 5), torch.Generator().manual_seed(0))
    other.load_state_dict(one.state_dict())
    draws = [p.exchange(numbered(9, 4), torch.Generator().manual_seed(1)) for p in (one, other)]
    assert torch.equal(*draws)
    empty = ImagePool(3)
    empty.load_state_dict(ImagePool(3).state_dict())
    assert empty.pictures == []
