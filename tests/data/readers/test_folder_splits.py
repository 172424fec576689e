"""Folders of pictures whose splits have wrong names, and wrong roots."""

import pytest
from PIL import Image

from ganlab.data import ImageFolder
from ganlab.data.readers import folder_splits
from ganlab.data.readers.folder_splits import find_splits
from ganlab.errors import DataError


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)


@pytest.mark.parametrize(("train", "test"), [("training", "test"), ("other", "Val"), ("", "test")])
def test_a_folder_for_tests_without_train_is_refused(tmp_path, train, test):
    write(tmp_path, f"{train}/1.png".lstrip("/"), f"{test}/2.png")
    with pytest.raises(DataError) as caught:
        ImageFolder(str(tmp_path), size=8).setup("fit")
    assert f"holds {test}/ without train/" in str(caught.value)
    assert "Rename the folder of training pictures to train/" in str(caught.value)
    assert str(tmp_path / train) in str(caught.value)
    with pytest.raises(DataError, match="without train/"):
        find_splits(tmp_path, "test")


def test_val_and_test_without_train_are_refused(tmp_path):
    write(tmp_path, "val/1.png", "test/2.png")
    with pytest.raises(DataError, match="without train/"):
        find_splits(tmp_path, None)


def test_an_empty_folder_for_tests_next_to_classes_is_ignored(tmp_path):
    write(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "test").mkdir()
    assert find_splits(tmp_path, None)[0] == {"train": tmp_path, "test": tmp_path}


def test_two_train_folders_are_named(tmp_path):
    """No two file names clash, but train/ or Train/ would be left out."""
    write(tmp_path, "train/1.png", "Train/2.png", "test/3.png")
    if len([*tmp_path.iterdir()]) == 2:
        pytest.skip("this file system ignores case")
    with pytest.raises(DataError, match="differ only in case: Train and train"):
        find_splits(tmp_path, None)


def test_the_message_for_a_wrong_root_counts_files_up_to_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_splits, "_COUNTED", 5)
    for number in range(9):
        (tmp_path / f"{number}.txt").write_text("")
    with pytest.raises(DataError, match=r"and at least 5 other files \(5 \.txt\)"):
        find_splits(tmp_path, None)
