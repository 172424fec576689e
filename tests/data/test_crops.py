"""Random crops and flips, and independent tensors."""

import pytest
import torch

from ganlab.data import Crops, TensorBatches


def coordinates(n, side):
    """Return pictures whose channels hold a pixel's row, its column and the picture's number."""
    grid = torch.arange(side, dtype=torch.uint8)
    pictures = torch.empty(n, 3, side, side, dtype=torch.uint8)
    pictures[:, 0], pictures[:, 1] = grid.view(-1, 1), grid
    pictures[:, 2] = torch.arange(n, dtype=torch.uint8).view(-1, 1, 1)
    return pictures


def first(batches, n):
    iterator = iter(batches)
    return [next(iterator) for _ in range(n)]


def corners(batch):
    """Return the row and column where each crop begins, and 1 if the crop is mirrored, else 0."""
    step = batch[:, 1, 0, 1].int() - batch[:, 1, 0, 0].int()
    column = torch.minimum(batch[:, 1, 0, 0], batch[:, 1, 0, -1])
    return torch.stack([batch[:, 0, 0, 0].int(), column.int(), (step < 0).int()], 1)


def test_crops_are_parts_of_their_pictures_at_equally_likely_positions():
    batches = TensorBatches({"example": coordinates(40, 12)}, 40, crops=Crops(10, flip=True))
    crops = torch.cat([corners(batch["example"]) for batch in first(batches, 200)])
    for axis in (0, 1):
        shares = torch.bincount(crops[:, axis], minlength=3) / len(crops)
        torch.testing.assert_close(shares, torch.full((3,), 1 / 3), rtol=0, atol=0.03)
    assert float(crops[:, 2].float().mean()) == pytest.approx(0.5, abs=0.03)
    batch = first(batches, 1)[0]["example"]
    assert batch.shape == (40, 3, 10, 10)
    rows = batch[:, 0, :, 0].int()
    assert torch.equal(rows - rows[:, :1], torch.arange(10, dtype=torch.int32).expand(40, -1))


def test_pairs_are_cropped_alike_only_with_together():
    sides = {"source": coordinates(12, 16), "target": coordinates(12, 16)}
    with_together = TensorBatches(sides, 4, crops=Crops(8, flip=True, together=True))
    for batch in first(with_together, 5):
        assert torch.equal(batch["source"], batch["target"])
    batches = first(TensorBatches(sides, 4, crops=Crops(8, flip=True)), 5)
    assert all(torch.equal(b["source"][:, 2, 0, 0], b["target"][:, 2, 0, 0]) for b in batches)
    assert not any(torch.equal(b["source"], b["target"]) for b in batches)


def test_a_crop_of_full_size_without_flips_changes_nothing():
    pictures = coordinates(6, 8)
    whole, cut = (TensorBatches({"example": pictures}, 3, crops=c) for c in (None, Crops(8)))
    for uncropped, cropped in zip(first(whole, 4), first(cut, 4), strict=True):
        assert torch.equal(uncropped["example"], cropped["example"])


@pytest.mark.parametrize("independent", [False, True])
def test_batches_with_crops_do_not_depend_on_ranks_or_on_resuming(independent):
    tensors = {"a": coordinates(12, 10), "b": coordinates(12, 10)}
    options = {"crops": Crops(8, flip=True), "independent": independent, "seed": 3}
    joint = first(TensorBatches(tensors, 4, **options), 7)
    ranks = [first(TensorBatches(tensors, 2, rank=r, ranks=2, **options), 7) for r in range(2)]
    later = first(TensorBatches(tensors, 4, start=lambda: 4, **options), 3)
    for key in tensors:
        for batch, parts in zip(joint, zip(*ranks, strict=True), strict=True):
            assert torch.equal(batch[key], torch.cat([part[key] for part in parts]))
        for batch, resumed in zip(joint[4:], later, strict=True):
            assert torch.equal(batch[key], resumed[key])


def test_independent_tensors_have_their_own_orders():
    """Each tensor is reshuffled in each epoch; the shorter tensor's rows are repeated."""
    tensors = {"a": coordinates(12, 4), "b": coordinates(5, 4)}
    batches = TensorBatches(tensors, 4, independent=True)
    assert batches.batches_per_epoch == 3
    numbers = {
        key: torch.cat([b[key][:, 2, 0, 0] for b in first(batches, 6)]).tolist() for key in tensors
    }
    assert sorted(numbers["a"][:12]) == sorted(numbers["a"][12:]) == list(range(12))
    assert numbers["a"][:12] != numbers["a"][12:]
    assert sorted(numbers["b"][:5]) == sorted(numbers["b"][5:10]) == list(range(5))
    assert numbers["b"][:5] != numbers["b"][5:10]
    assert numbers["b"][:12] != numbers["b"][12:]
    partners = dict(zip(numbers["a"][:12], numbers["b"][:12], strict=True))
    assert partners != dict(zip(numbers["a"][12:], numbers["b"][12:], strict=True))
