"""`ganlab data check` and `ganlab data pair` on folders that the tests create."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from ganlab.cli import main
from ganlab.config.compose import compose


@pytest.fixture(autouse=True)
def _work_in_tmp_path(tmp_path, monkeypatch):
    """Keep outputs/ and the cache out of the repository and the home directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write(folder, names, *shape, first=0):
    """Write a random picture of `shape` (height, width[, channels]) for each name.

    Args:
        folder: where the pictures are written.
        names: file names.
        shape: the shape of each picture's array.
        first: seed of the first picture; the seed of each further picture is 1 higher.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names, first):
        array = np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(array).save(folder / name)


THREE = ["1.png", "2.png", "3.png"]


def check(folder, capsys, *arguments):
    """Run `data check`; return its exit code, its output, and the command that it suggests."""
    capsys.readouterr()
    code = main(["data", "check", str(folder), *arguments])
    printed = capsys.readouterr().out
    commands = [line.strip() for line in printed.splitlines() if line.startswith("  ganlab train ")]
    return code, printed, commands[-1] if commands else None


def test_check_recognizes_side_by_side_pairs(tmp_path, capsys):
    write(tmp_path / "mine/train", THREE, 16, 32, 3)
    write(tmp_path / "mine/val", ["x.png"], 16, 32)
    code, printed, command = check(tmp_path / "mine", capsys)
    assert code == 0
    assert "4 pictures in 2 folders" in printed
    assert "train        3  32×16; PNG RGB" in printed
    assert "val          1  32×16; PNG L" in printed
    assert "pairs, files that hold A left of B, in train/, val/" in printed
    assert "3 pairs to train on" in printed
    assert "1 pairs to test with" in printed
    assert "pix2pix" in command
    assert command.endswith(f"data.root={tmp_path / 'mine'}")
    with Image.open(tmp_path / "outputs/data_check/mine.png") as sheet:
        assert sheet.size == (3 * 260, 148)


def test_two_folders_with_equal_file_names_are_paired(tmp_path, capsys):
    write(tmp_path / "mine/A", THREE, 16, 16, 3)
    write(tmp_path / "mine/B", THREE, 16, 16, 3)
    code, printed, command = check(tmp_path / "mine", capsys, "out=look.png")
    assert code == 0
    assert "pix2pix" in command
    assert "If they do not belong together: ganlab train" in printed
    assert (tmp_path / "look.png").exists()


def test_two_folders_with_different_file_names_are_unpaired(tmp_path, capsys):
    write(tmp_path / "mine/trainA", THREE, 16, 16, 3)
    write(tmp_path / "mine/trainB", ["7.png", "8.png", "9.png", "10.png"], 20, 16, 3)
    code, printed, command = check(tmp_path / "mine", capsys)
    assert code == 0
    assert "two unpaired sets, folders trainA and trainB" in printed
    assert "cyclegan" in command


def test_check_recognizes_class_folders_and_plain_folders(tmp_path, capsys):
    write(tmp_path / "mine/cats", THREE, 16, 16, 3)
    write(tmp_path / "mine/dogs", THREE, 16, 18, 3)
    code, printed, command = check(tmp_path / "mine", capsys)
    assert code == 0
    assert "2 classes: cats, dogs" in printed
    assert command == (
        f"ganlab train model=dcgan data=folder data.root={tmp_path / 'mine'} data.classes=2 "
        "data.batch_size=4"
    )
    code, printed, command = check(tmp_path / "mine/cats", capsys)
    assert "pictures without classes" in printed
    assert "data=folder" in command
    write(tmp_path / "split/train", THREE, 16, 16, 3)
    code, printed, command = check(tmp_path / "split", capsys)
    assert "not twice as wide as high" in printed
    assert "data=folder" in command


@pytest.mark.parametrize("name", ["a=b", "with space", "ünï", 'quo"te', "it's"])
def test_suggested_command_can_be_pasted_with_unusual_folder_names(tmp_path, capsys, name):
    """The shell's words of the printed line give Hydra the folder's path."""
    import shlex

    write(tmp_path / name / "train", THREE, 16, 32, 3)
    code, _, command = check(tmp_path / name, capsys)
    assert code == 0
    argument = shlex.split(command)[-1]
    assert compose(["data=paired", argument]).data.root == str(tmp_path / name)


def test_damaged_unpaired_and_unequal_pictures_are_named_with_exit_code_1(tmp_path, capsys):
    root = tmp_path / "mine"
    write(root / "A/train", [*THREE, "4.png", "5.png"], 16, 16, 3)
    write(root / "B/train", [*THREE, "4.png"], 16, 16, 3)
    (root / "B/train/2.png").write_bytes(b"no picture")
    code, printed, command = check(root, capsys)
    assert code == 1
    assert "1 of 9 files cannot be decoded" in printed
    assert "B/train/2.png: no format that Pillow knows" in printed
    assert "1 in " in printed
    assert "5.png" in printed
    assert "When the errors are corrected, train with" in printed
    assert "pix2pix" in command
    (root / "A/train/5.png").unlink()
    write(root / "B/train", ["3.png"], 16, 20, 3)
    write(root / "B/train", ["2.png"], 16, 16, 3)
    code, printed, _ = check(root, capsys)
    assert code == 1
    assert "1 pairs whose two pictures differ in size" in printed
    assert "A/train/3.png: 16×16, but B is 20×16" in printed


def test_odd_widths_case_clashes_and_empty_splits(tmp_path, capsys):
    root = tmp_path / "mine"
    write(root / "train", [*THREE, "Z.png"], 16, 32, 3)
    write(root / "train", ["z.png"], 16, 33, 3)
    code, printed, _ = check(root, capsys)
    assert code == 1
    assert "differ only in case" in printed
    assert "Z.png and z.png" in printed
    (root / "train/Z.png").unlink()
    (root / "val").mkdir()
    code, printed, _ = check(root, capsys)
    assert code == 1
    assert "1 files of an odd width" in printed
    assert f"{root / 'val'} holds no pictures: empty" in printed


def test_unusable_folder_gets_exit_code_1_and_hints_at_sub_folders(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    code, printed, command = check(tmp_path / "mine", capsys)
    assert (code, command) == (1, None)
    assert "no picture that can be used" in printed
    assert main(["data", "check", str(tmp_path / "nowhere")]) == 1
    assert "it does not exist" in capsys.readouterr().err
    write(tmp_path / "sets/one/train", THREE, 16, 32, 3)
    write(tmp_path / "sets/deep/er/two/A/train", THREE, 16, 16, 3)
    write(tmp_path / "sets/deep/er/two/B/train", THREE, 16, 16, 3)
    _, printed, _ = check(tmp_path / "sets", capsys)
    hint = printed.index(f"one/ is a set by itself: ganlab data check {tmp_path / 'sets/one'}\n")
    assert (
        f"deep/er/two/ is a set by itself: ganlab data check {tmp_path}/sets/deep/er/two\n"
        in printed
    )
    assert printed.count("is a set by itself") == 2
    assert hint < printed.index("Used as")


def test_check_recognizes_celeba_and_its_missing_files(tmp_path, capsys):
    folder = tmp_path / "faces/celeba"
    write(folder / "img_align_celeba", ["1.jpg", "2.jpg", "3.jpg"], 218, 178, 3)
    code, printed, command = check(tmp_path / "faces", capsys)
    assert code == 1
    assert "Used as: CelebA" in printed
    assert "list_eval_partition.txt   (missing)" in printed
    assert command == f"ganlab train experiment=dcgan_celeba64 data.root={tmp_path / 'faces'}"
    (folder / "list_eval_partition.txt").write_text("1.jpg 0\n2.jpg 0\n3.jpg 2\n")
    code, printed, command = check(folder, capsys)
    assert code == 0
    assert "2 pictures of the train split" in printed
    assert command.endswith(f"data.root={tmp_path / 'faces'}")
    (folder / "list_attr_celeba.txt").write_text("1\nSmiling Young\n1.jpg 1 -1\n")
    code, printed, _ = check(folder, capsys)
    assert code == 1
    assert "list_attr_celeba.txt is damaged" in printed


def test_check_reads_the_celeba_archive_without_unpacking_it(tmp_path, capsys):
    (tmp_path / "celeba").mkdir()
    archive = tmp_path / "celeba/img_align_celeba.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("img_align_celeba/1.jpg", b"")
    (tmp_path / "celeba/list_eval_partition.txt").write_text("1.jpg 0\n")
    code, printed, _ = check(tmp_path, capsys)
    assert code == 0
    assert "The first training unpacks img_align_celeba.zip" in printed
    assert len([*(tmp_path / "celeba").iterdir()]) == 2
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("other/1.jpg", b"")
    code, printed, _ = check(tmp_path, capsys)
    assert code == 1
    assert "is not the zip of the aligned pictures" in printed
    assert "other/1.jpg" in printed
    archive.write_bytes(b"no zip")
    code, printed, _ = check(tmp_path, capsys)
    assert code == 1
    assert "img_align_celeba.zip is damaged" in printed


def test_pair_joins_the_pixels_unchanged_and_overwrites_nothing(tmp_path, capsys):
    a, b, out = tmp_path / "a=1", tmp_path / "b ü", tmp_path / "out"
    for split, names in (("train", THREE), ("val", ["x.png"])):
        write(a / split, names, 16, 12, 3)
        write(b / split, names, 16, 12, 3, first=50)
    write(a / "train/deep", ["1.bmp"], 10, 10, 3)
    write(b / "train/deep", ["1.png"], 10, 10)
    assert main(["data", "pair", str(a), str(b), str(out)]) == 0
    assert "Wrote 5 pairs" in capsys.readouterr().out
    written = sorted(str(path.relative_to(out)) for path in out.rglob("*.png"))
    assert written == ["train/1.png", "train/2.png", "train/3.png", "train/deep_1.png", "val/x.png"]
    for name in ("train/2.png", "val/x.png"):
        with Image.open(out / name) as joint, Image.open(a / name) as left:
            assert (np.asarray(joint)[:, :12] == np.asarray(left)).all()
            with Image.open(b / name) as right:
                assert (np.asarray(joint)[:, 12:] == np.asarray(right)).all()
    assert main(["data", "pair", str(a), str(b), str(out)]) == 1
    assert "is not overwritten" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a=1", "b ü", "out"]


def test_grey_pairs_stay_grey_and_transparency_is_kept(tmp_path):
    for shape, mode in (((8, 8), "L"), ((8, 8, 4), "RGBA")):
        folder = tmp_path / mode
        write(folder / "A", ["1.png"], *shape)
        write(folder / "B", ["1.png"], 8, 8)
        assert main(["data", "pair", *(str(folder / n) for n in ("A", "B", "out"))]) == 0
        with Image.open(folder / "out/1.png") as joint:
            assert joint.mode == mode


def test_pair_names_files_that_would_overwrite_each_other_and_a_folder_that_cannot_be_made(
    tmp_path, capsys
):
    for folder in (tmp_path / "A", tmp_path / "B"):
        write(folder / "a", ["B.png"], 8, 8)
        write(folder, ["a_b.png"], 8, 8)
    (tmp_path / "file").write_bytes(b"")
    pair = ["data", "pair", str(tmp_path / "A"), str(tmp_path / "B")]
    assert main([*pair, str(tmp_path / "out")]) == 1
    assert "lower case: a_B.png, a_b.png. Rename them" in capsys.readouterr().err
    (tmp_path / "A" / "a_b.png").unlink()
    (tmp_path / "B" / "a_b.png").unlink()
    assert main([*pair, str(tmp_path / "file" / "out")]) == 1
    assert f"{tmp_path / 'file' / 'out'} cannot be written" in capsys.readouterr().err


def test_pair_names_all_problems_and_writes_nothing(tmp_path, capsys):
    a, b, out = tmp_path / "A", tmp_path / "B", tmp_path / "out"
    write(a, THREE, 8, 8, 3)
    write(b, [*THREE, "4.png"], 8, 8, 3)

    def refused():
        assert main(["data", "pair", str(a), str(b), str(out)]) == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == ["A", "B"]
        return capsys.readouterr().err

    assert "4.png" in refused()
    (b / "4.png").unlink()
    write(b, ["1.png"], 8, 9, 3)
    (a / "3.png").write_bytes(b"no picture")
    printed = refused()
    assert "2 of 3 pairs" in printed
    assert "1.png: is 8×8, but its partner" in printed
    assert "3.png: no format that Pillow knows" in printed


def test_help_and_messages_for_wrong_arguments(capsys):
    assert main(["data", "--help"]) == 0
    assert main(["data", "check", "--help"]) == 0
    assert main(["data", "pair", "--help"]) == 0
    assert capsys.readouterr().out.count("ganlab data") >= 5
    assert main(["data"]) == 2
    for arguments, words in (
        (["chek", "x"], "Did you mean 'check'?"),
        (["check"], "no folder is given"),
        (["check", ".", "otu=x"], "Did you mean 'out'?"),
        (["pair", "A", "B"], "received 2 paths, needs 3"),
    ):
        capsys.readouterr()
        assert main(["data", *arguments]) == 1
        assert words in capsys.readouterr().err
