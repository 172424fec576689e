"""The cache of features on disk."""

import logging
import os
import subprocess
import sys

import helpers.tiny as tiny
import pytest
import torch

from ganlab.data.archives.files import cache_folder
from ganlab.metrics.features.cache import cache_path, cached_features

KEY = {"data_hash": "abc", "split": "train", "n": None, "extractor": "digits"}


@pytest.fixture(autouse=True)
def _cache_in_tmp_path(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


class _Count:
    """Returns tensors, and counts the calls."""

    def __init__(self):
        self.calls = 0
        generator = torch.Generator().manual_seed(0)
        self.tensors = {
            "features": torch.randn(50, 8, generator=generator),
            "labels": torch.arange(50),
        }

    def __call__(self):
        self.calls += 1
        return self.tensors


def _same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def test_computed_once_for_a_key():
    compute = _Count()
    assert all(_same(cached_features(KEY, compute), compute.tensors) for _ in range(3))
    assert compute.calls == 1
    cached_features(dict(reversed(KEY.items())), compute)
    assert compute.calls == 1, "the order of the parts does not matter"
    for change in ({"split": "test"}, {"n": 10}, {"n": "null"}, {"weights": "ema"}):
        cached_features({**KEY, **change}, compute)
    assert compute.calls == 5, "each changed part changes the key"
    assert len(list((cache_folder() / "features").iterdir())) == 5


def test_views_are_cached():
    """An extractor may return transposed features."""
    features = torch.arange(12.0).view(3, 4).T
    assert torch.equal(cached_features(KEY, lambda: {"x": features})["x"], features)
    assert torch.equal(cached_features(KEY, lambda: {})["x"], features)


def test_a_damaged_file_is_computed_again(caplog):
    compute = _Count()
    cached_features(KEY, compute)
    path = cache_path(KEY)
    intact = path.read_bytes()
    flipped = bytearray(intact)
    flipped[-5] ^= 1
    for damage in (b"", intact[:100], bytes(flipped)):
        path.write_bytes(damage)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert _same(cached_features(KEY, compute), compute.tensors)
        assert "is damaged and is rebuilt" in caplog.text
        assert path.read_bytes() == intact
    assert compute.calls == 4


def test_a_cache_that_cannot_be_written_is_a_warning(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    compute = _Count()
    with caplog.at_level(logging.WARNING):
        assert _same(cached_features(KEY, compute), compute.tensors)
    assert "could not be written" in caplog.text


def test_two_processes_write_one_file():
    """While both processes write all the time, each reads only complete files."""
    code = """
import torch
from ganlab.data.readers.caching import write_cache
from ganlab.metrics.features.cache import cache_path, cached_features

def never():
    raise SystemExit("computed again: a half-written file was read")

def contend():
    tensors = {"features": torch.arange(50_000.0)}
    for _ in range(15):
        write_cache(cache_path({"n": 1}), tensors)
        assert torch.equal(cached_features({"n": 1}, never)["features"], tensors["features"])
"""
    namespace: dict = {}
    exec(code, namespace)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(tiny.REPOSITORY)}
    with subprocess.Popen(
        [sys.executable, "-c", code + "print(flush=True)\ncontend()"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.readline()  # wait until the process has imported everything
        namespace["contend"]()
        _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, b"")
    assert [p.suffix for p in (cache_folder() / "features").iterdir()] == [".safetensors"]
