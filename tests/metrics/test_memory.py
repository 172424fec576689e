"""Work in parts, and the memory that it is measured to take."""

import pytest
import torch

from ganlab.metrics.memory import PeakMemory, in_parts, map_in_parts, rows_within


def test_peak_counts_each_storage_once_and_until_it_is_freed():
    with PeakMemory() as peak:
        a = torch.zeros(1000, dtype=torch.float64)
        b = (a + 1).view(10, 100)[2:]
        a.add_(1)
        del a
        torch.ones(500, dtype=torch.float64)
    assert (peak.peak, peak.now) == (16_000, 8_000)
    assert b.sum() == 800


def test_parts_are_as_large_as_the_memory_allows():
    """A row takes 4,000 bytes, counted 2.5-fold; besides, each call takes 40,000 bytes."""
    fixed = torch.zeros(10_000)
    sizes = []

    def function(rows):
        sizes.append(len(rows))
        kept = fixed + 1
        return (rows[:, None] + torch.zeros(1, 1000)).sum(1) + kept[0]

    rows = torch.arange(100.0)
    result = map_in_parts(function, rows, memory=100_000 + 20 * 10_000, what="work")
    assert torch.equal(result, 1000 * rows + 1)
    assert sizes[:2] == [1, 2]
    assert sizes[2] == pytest.approx(20, abs=1)
    assert sum(sizes) == 100


def test_several_inputs_and_results_keep_the_order():
    first, second = torch.arange(7), torch.arange(7) + 10
    total, pairs = map_in_parts(
        lambda a, b: (a + b, torch.stack([a, b], 1)), first, second, memory=2**20, what="work"
    )
    assert torch.equal(total, first + second)
    assert torch.equal(pairs, torch.stack([first, second], 1))


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4])
def test_few_rows(rows):
    parts = list(in_parts(lambda x: x + 1, torch.zeros(rows), memory=2**20, what="work"))
    assert sum(map(len, parts)) == rows


def test_a_row_that_exceeds_the_memory_is_named():
    def function(rows):
        return (rows[:, None] + torch.zeros(1, 10**6)).sum(1)

    rows = torch.zeros(4)
    with pytest.warns(
        UserWarning, match=r"LPIPS of one pair may take 20 MiB, but 1 MiB.*to 20 times"
    ):
        parts = list(in_parts(function, rows, memory=2**20, what="LPIPS of one pair"))
    assert [len(part) for part in parts] == [1, 2, 1]


def test_at_least_one_row_fits():
    assert [rows_within(100, size) for size in (10, 33, 1000, 0)] == [10, 3, 1, 100]
