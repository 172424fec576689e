"""A cache file is used only if this user wrote it, and if it holds what is expected."""

import logging
import os

import pytest
import torch

from ganlab.data import MNIST5k
from ganlab.data.archives.files import cache_folder
from ganlab.data.readers.caching import is_own, kinds_of, read_cache, write_cache
from ganlab.metrics.features.cache import cache_path, cached_features

TENSORS = {"example": torch.arange(6, dtype=torch.uint8).view(2, 3), "label": torch.zeros(2)}


@pytest.fixture(autouse=True)
def _cache_in_tmp_path(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def path(tmp_path):
    write_cache(tmp_path / "x.safetensors", TENSORS)
    return tmp_path / "x.safetensors"


def fits(kinds):
    return kinds == kinds_of(TENSORS)


def test_own_file_is_read(path):
    assert is_own(path, path.parent)
    assert all(torch.equal(read_cache(path, fits)[name], t) for name, t in TENSORS.items())


def test_link_is_rebuilt(path, tmp_path, caplog):
    link = tmp_path / "link"
    link.symlink_to(path)
    with caplog.at_level(logging.WARNING):
        assert read_cache(link, fits) is None
    assert "is a link, or was written by another user; it is rebuilt" in caplog.text
    write_cache(link, TENSORS)
    assert not link.is_symlink()
    assert read_cache(link, fits) is not None


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owner")
def test_file_of_another_user_is_rebuilt(path, monkeypatch):
    owner = os.geteuid()
    if owner == 0:
        os.chown(path, 12345, 12345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert not is_own(path)
    assert read_cache(path, fits) is None


@pytest.mark.parametrize(
    "tensors",
    [
        {**TENSORS, "label": torch.zeros(3)},
        {**TENSORS, "label": torch.zeros(2, dtype=torch.float64)},
        {"example": TENSORS["example"]},
        {**TENSORS, "more": torch.zeros(1)},
    ],
)
def test_other_shapes_dtypes_and_names_are_rebuilt(tensors, path, caplog):
    """The hash in the file is right: whoever writes a file can write its hash too."""
    write_cache(path, tensors)
    with caplog.at_level(logging.WARNING):
        assert read_cache(path, fits) is None
    assert "is damaged and is rebuilt" in caplog.text


def test_a_pickle_is_not_loaded(path, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save(Evil(), path)
    assert read_cache(path, fits) is None
    assert not (tmp_path / "executed").exists()


def test_replaced_digits_are_rebuilt():
    digits = MNIST5k().read("train")
    file = cache_folder() / "mnist_5k.safetensors"
    for wrong in ({"example": torch.zeros(5000, 1, 28, 28), "label": digits["label"].byte()}, {}):
        write_cache(file, wrong)
        assert torch.equal(MNIST5k().read("train")["example"], digits["example"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"features": torch.zeros(3, 2)},
        {"features": torch.zeros(4, 2, dtype=torch.int64)},
        {"features": torch.zeros(4, 2), "logits": torch.zeros(3, 2)},
        {"other": torch.zeros(4, 2)},
    ],
)
def test_features_of_another_number_or_type_are_computed_again(wrong):
    parts = {"part": [6, 10], "split": "train"}
    write_cache(cache_path(parts), wrong)
    right = torch.ones(4, 2)
    assert torch.equal(cached_features(parts, lambda: {"features": right})["features"], right)
    assert torch.equal(cached_features(parts, lambda: {})["features"], right)
