"""Rows that metrics keep: in memory, in a file, and of several processes."""

import gc
import io
import os
import tempfile
import weakref
from copy import deepcopy

import pytest
import torch

from ganlab.errors import DataError
from ganlab.metrics.rows import Rows, Store, gathered, joined

ON_DISK = pytest.mark.parametrize("memory", [0, 1000, 2**20])


def kept(values, memory, size=7):
    """Return values as rows that were added in parts; 1,000 bytes hold only the first parts."""
    store, rows = Store(memory), Rows()
    for part in values.split(size):
        rows.append(store.put(part))
    return rows


def numbers(n=100, dtype=torch.float32):
    return torch.arange(n * 6).view(n, 2, 3).to(dtype)


@ON_DISK
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_rows_read_like_the_tensor(memory, dtype):
    values = numbers(dtype=dtype)
    rows = kept(values, memory)
    assert (len(rows), rows.shape, rows.dtype) == (100, values.shape, dtype)
    index = torch.tensor([99, 3, 3, 50, 0])
    for part in (slice(None), slice(5, 40), slice(13, 14), slice(90, 300), slice(7, 7), index):
        assert torch.equal(rows[part], values[part])
    assert torch.equal(torch.cat(list(rows.split(33))), values)
    chosen = rows.select(index)
    assert torch.equal(chosen[:], values[index])
    assert torch.equal(chosen.select(torch.tensor([4, 1]))[:], values[[0, 3]])
    assert torch.equal(rows.columns(1, 4), values.flatten(1)[:, 1:4])
    assert torch.equal(chosen.columns(1, 4), values[index].flatten(1)[:, 1:4])
    assert torch.equal(rows.loaded(10**6)[:], values)
    assert rows.loaded(10) is rows


def test_what_no_longer_fits_lies_in_a_file_without_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gc.collect()  # closes files of earlier tests
    before = len(os.listdir("/proc/self/fd"))
    rows = kept(numbers(), 1000)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    assert list(tmp_path.iterdir()) == []
    assert torch.equal(rows[:], numbers())
    del rows
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_tensor_of_several_metrics_is_stored_once():
    store, values = Store(0), numbers()
    assert store.put(values) is store.put(values)
    assert store.put(values.clone()) is not store.put(values)


@pytest.mark.parametrize("memory", [0, 2**20])
def test_a_buffer_that_is_used_again_is_stored_again(memory):
    store, buffer = Store(memory), numbers()
    rows = Rows([store.put(buffer)])
    buffer.numpy()[:] += 1  # torch does not notice this change
    rows.append(store.put(buffer))
    assert torch.equal(rows[:], torch.cat([numbers(), numbers() + 1]))


@pytest.mark.parametrize("memory", [0, 2**20])
def test_what_was_stored_is_not_kept_alive(memory):
    store, values = Store(memory), numbers()
    store.put(values)
    alive = weakref.ref(values)
    del values
    assert alive() is None


def test_later_changes_of_a_tensor_do_not_matter():
    for memory in (0, 2**20):
        values, store = numbers(), Store(memory)
        rows = Rows([store.put(values)])
        values.zero_()
        assert torch.equal(rows[:], numbers())


def test_copies_share_the_rows_and_grow_apart():
    rows, store = kept(numbers(), 0), Store()
    copied = deepcopy(rows)
    copied.append(store.put(numbers(2)))
    assert (len(rows), len(copied)) == (100, 102)


def test_ranks_are_joined_in_order():
    own = [kept(numbers(5), 0), kept(numbers(9) + 100, 0)]

    def gather(part):
        """Return the parts of both ranks; rank 0 asks, and rank 1 is at the same place."""
        if part.dim() == 0:
            return [torch.tensor(len(rows)) for rows in own]
        first = next(calls)
        return [rows[first : first + 2] for rows in own]

    calls = iter(range(0, 100, 2))
    expected = torch.cat([numbers(5), numbers(9) + 100])
    assert torch.equal(gathered(own[0], gather, Store(), 2)[:], expected)
    assert torch.equal(joined(own)[:], expected)


def test_selected_rows_are_neither_extended_nor_joined():
    rows, store = kept(numbers(5), 0), Store()
    selected = rows.select(torch.tensor([1, 3]))
    with pytest.raises(ValueError, match="cannot be extended or joined"):
        joined([rows, selected])
    with pytest.raises(ValueError, match="cannot be extended or joined"):
        selected.append(store.put(numbers(1)))


def test_a_full_disk_is_explained(monkeypatch):
    class Full(io.BytesIO):
        def write(self, content):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(DataError, match=r"No space left on device.*TMPDIR.*raise metrics_memory"):
        Store(0).put(numbers())


def test_a_file_that_cannot_be_read_is_explained(monkeypatch):
    class Broken(io.BytesIO):
        def readinto(self, content):
            raise OSError(5, "Input/output error")

    cut = kept(numbers(), 0)
    cut.parts[0].file.truncate(100)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Broken())
    for rows, why in ((cut, "shorter"), (kept(numbers(), 0), "Input/output error")):
        with pytest.raises(DataError, match=f"{why}.*TMPDIR.*raise metrics_memory"):
            rows[:]
        with pytest.raises(DataError, match="cannot be read"):
            rows.columns(0, 1)
