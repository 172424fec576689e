"""CelebA's layout, written by the tests: complete, zipped, incomplete and damaged."""

import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, PILToTensor, Resize

from ganlab.core.randomness import mix
from ganlab.data import CelebA
from ganlab.errors import ConfigError, DataError

NAMES = [f"{number:06}.jpg" for number in range(1, 8)]
PARTS = [0, 0, 0, 0, 1, 2, 2]
TRAITS = [f"a{k}" for k in range(39)] + ["Smiling"]


def colour(number):
    return (30 * number, 100, 20)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Set the cache folder to a temporary one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def celeba(tmp_path):
    """7 faces of 178×218: the middle 160×160 one colour, the rim white; parts as in PARTS."""
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    attributes, identities = [str(len(NAMES)), " ".join(TRAITS)], []
    for number, name in enumerate(NAMES):
        face = Image.new("RGB", (178, 218), (255, 255, 255))
        face.paste(colour(number), (9, 29, 169, 189))
        face.save(folder / "img_align_celeba" / name, quality=95)
        signs = " ".join("1" if (number + k) % 2 else "-1" for k in range(40))
        attributes.append(f"{name}  {signs}")
        identities.append(f"{name} {1000 + number % 3}")
    lists = {
        "list_eval_partition.txt": [
            f"{name} {part}" for name, part in zip(NAMES, PARTS, strict=True)
        ],
        "list_attr_celeba.txt": attributes,
        "identity_CelebA.txt": identities,
    }
    for name, lines in lists.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def make(celeba, **settings):
    return CelebA(root=str(celeba.parent), **{"size": 8, "batch_size": 2, **settings})


def cut(path, lines):
    """Keep only the first `lines` lines of a list."""
    path.write_text("\n".join(path.read_text().splitlines()[:lines]) + "\n")


def test_pictures_are_cropped_and_split(celeba):
    train = make(celeba, size=32).train
    assert train["example"].shape == (4, 3, 32, 32)
    want = torch.tensor([colour(number) for number in range(4)]).float()
    inner = train["example"][:, :, 2:-2, 2:-2].float()
    assert (inner - want[:, :, None, None]).abs().max() < 4, "the white rim is cropped away"
    for split, numbers in (("test", [5, 6]), ("val", [4])):
        inner = make(celeba, size=32, test_split=split).test["example"][:, 0, 2:-2, 2:-2].float()
        want = torch.tensor([30.0 * number for number in numbers])
        assert (inner - want[:, None, None]).abs().max() < 4
    assert make(celeba, size=16, channels=1).train["example"].shape == (4, 1, 16, 16)


def test_pictures_are_those_of_torchvisions_transforms(celeba):
    """The pixels equal those of CenterCrop(160) and Resize(64) exactly."""
    path = celeba / "img_align_celeba" / NAMES[0]
    noise = np.random.default_rng(0).integers(0, 256, (218, 178, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    want = Compose([CenterCrop(160), Resize(64), PILToTensor()])(Image.open(path))
    assert torch.equal(make(celeba, size=64).train["example"][0], want)


def test_attributes_and_identities_come_with_the_pictures(celeba):
    data = make(celeba)
    assert data.train["attributes"].dtype == torch.uint8
    for number in range(4):
        assert data.train["attributes"][number].tolist() == [(number + k) % 2 for k in range(40)]
    assert data.train["identity"].tolist() == [1000, 1001, 1002, 1000]
    assert data.attribute_names == tuple(TRAITS)
    assert (data.provides, data.classes) == (("example",), None)
    data.setup("fit")
    assert set(next(iter(data.train_dataloader()))) == {"example", "attributes", "identity"}


def test_an_attribute_is_a_label(celeba):
    """Keys and classes are known before files are read, as validation needs."""
    data = make(celeba, attribute="Smiling", classes=2)
    assert (data.provides, data.classes) == (("example", "label"), 2)
    assert data.train["label"].tolist() == [(number + 39) % 2 for number in range(4)]
    assert data.train["label"].dtype == torch.int64
    with pytest.raises(DataError, match=r"data\.attribute: received 'Smilling'.*mean 'Smiling'"):
        make(celeba, attribute="Smilling", classes=2).prepare_data()
    (celeba / "list_attr_celeba.txt").write_text("")
    with pytest.raises(DataError, match=r"none, as line 2 of .*list_attr_celeba\.txt is empty"):
        make(celeba, attribute="Smiling", classes=2).prepare_data()
    (celeba / "list_attr_celeba.txt").unlink()
    with pytest.raises(DataError, match=r"none, as there is no .*list_attr_celeba\.txt"):
        make(celeba, attribute="Smiling", classes=2).prepare_data()


def test_without_lists_and_with_a_limit(celeba):
    whole = make(celeba).train["example"]
    (celeba / "list_attr_celeba.txt").unlink()
    (celeba / "identity_CelebA.txt").unlink()
    data = make(celeba, limit=2, seed=3)
    generator = torch.Generator().manual_seed(mix(3, 0x6C696D6974))
    chosen = torch.randperm(4, generator=generator)[:2]
    (celeba / "img_align_celeba" / NAMES[5]).write_bytes(b"")  # of the test split
    for row in set(range(4)) - set(chosen.tolist()):
        (celeba / "img_align_celeba" / NAMES[row]).write_bytes(b"never decoded")
    assert set(data.train) == {"example"}
    assert torch.equal(data.train["example"], whole[chosen])
    assert data.attribute_names == ()


def test_without_a_crop_pictures_of_any_size_are_accepted(celeba):
    """A square picture is kept whole."""
    for number, name in enumerate(NAMES):
        face = Image.new("RGB", (24, 24), colour(number))
        face.paste((255, 255, 255), (0, 0, 12, 24))
        face.save(celeba / "img_align_celeba" / name, quality=100, subsampling=0)
    images = make(celeba, crop=None).train["example"].float()
    assert (images[..., :3] - 255).abs().max() < 4, "the left half"
    want = torch.tensor([colour(number) for number in range(4)]).float()
    assert (images[..., 5:] - want[:, :, None, None]).abs().max() < 4
    with pytest.raises(
        DataError, match=r"(?s)4 of 4 images.*24×24 pixels, less than data\.crop=160"
    ):
        make(celeba).setup("fit")


def pack(celeba, names=None):
    """Move the pictures into a zip, under `names` (default: CelebA's)."""
    pictures = sorted((celeba / "img_align_celeba").iterdir())
    with zipfile.ZipFile(celeba / "img_align_celeba.zip", "w") as file:
        for name, path in zip(
            names or [f"img_align_celeba/{n}" for n in NAMES], pictures, strict=True
        ):
            file.writestr(name, path.read_bytes())
    for path in pictures:
        path.unlink()
    (celeba / "img_align_celeba").rmdir()


def test_the_zip_replaces_the_folder_of_pictures(celeba):
    want = make(celeba).train["example"]
    pack(celeba)
    assert torch.equal(make(celeba).train["example"], want)
    (celeba / "img_align_celeba.zip").unlink()
    assert torch.equal(make(celeba).train["example"], want), "unpacked once"
    assert sorted(path.name for path in celeba.iterdir() if path.is_dir()) == ["img_align_celeba"]


def test_a_zip_with_other_names(celeba):
    pack(celeba, [f"faces/{name}" for name in NAMES])
    with pytest.raises(DataError) as caught:
        make(celeba).prepare_data()
    message = str(caught.value)
    assert "Expected\n  img_align_celeba/000001.jpg" in message
    assert "Found\n  faces/000001.jpg" in message
    assert "and 2 more" in message


@pytest.mark.parametrize("name", ["../../000001.jpg", "/000001.jpg", "a\\..\\..\\000001.jpg"])
def test_a_zip_whose_paths_leave_the_folder(celeba, name):
    pack(celeba, [f"img_align_celeba/{n}" for n in NAMES[:-1]] + [name])
    with pytest.raises(DataError, match="outside the folder"):
        make(celeba).prepare_data()
    assert not (celeba / "img_align_celeba").exists()
    assert not (celeba.parent / "000001.jpg").exists()


def test_a_damaged_zip(celeba):
    pack(celeba)
    archive = celeba / "img_align_celeba.zip"
    data = bytearray(archive.read_bytes())
    archive.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"img_align_celeba\.zip is damaged"):
        make(celeba).prepare_data()
    data[200] ^= 255
    archive.write_bytes(data)
    with pytest.raises(DataError, match=r"img_align_celeba\.zip is damaged"):
        make(celeba).prepare_data()
    assert not (celeba / "img_align_celeba").exists(), "nothing is left half unpacked"


def test_the_error_lists_missing_files(celeba):
    (celeba / "list_eval_partition.txt").unlink()
    with pytest.raises(DataError) as caught:
        make(celeba).prepare_data()
    message = str(caught.value)
    assert f"data.root: no CelebA under {celeba.parent}" in message
    states = {
        line.split()[0].split("/")[-1]: line.split("(")[1]
        for line in message.split("\n")
        if "   (" in line
    }
    assert states == {
        "*.jpg": "found)",
        "img_align_celeba.zip": "missing, may replace the .jpg files)",
        "list_eval_partition.txt": "missing)",
        "list_attr_celeba.txt": "found, optional)",
        "identity_CelebA.txt": "found, optional)",
    }


@pytest.mark.parametrize("damage", ["cut", "small"])
def test_a_damaged_face_is_named(celeba, damage):
    path = celeba / "img_align_celeba" / "000002.jpg"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:300])
    else:
        Image.new("RGB", (100, 100)).save(path)
    with pytest.raises(DataError, match=r"(?s)1 of 4 images.*000002\.jpg"):
        make(celeba).setup("fit")
    data = make(celeba, skip_corrupt=True)
    assert data.train["identity"].tolist() == [1000, 1002, 1000], "lists stay with their pictures"


def test_missing_pictures_are_named(celeba):
    for name in NAMES[1:]:
        (celeba / "img_align_celeba" / name).unlink()
    with pytest.raises(DataError, match=r"lacks 6 of the 7 .*: 000002\.jpg, .*and 1 more"):
        make(celeba).setup("fit")


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("list_attr_celeba.txt", 5, r"its first line says '7', but it lists 3 pictures"),
        ("list_attr_celeba.txt", 0, r"its first line says ''"),
        ("identity_CelebA.txt", 2, r"it lacks 2 pictures: 000003\.jpg, 000004\.jpg"),
        ("list_eval_partition.txt", 5, r"lists 5 pictures, and 2 .*: 000006\.jpg, 000007\.jpg"),
    ],
)
def test_partial_lists_are_named(celeba, name, lines, message):
    cut(celeba / name, lines)
    with pytest.raises(DataError, match=rf"{name} is damaged: .*{message}"):
        make(celeba).setup("fit")


def test_a_list_with_the_right_count_that_lacks_a_picture(celeba):
    path = celeba / "list_attr_celeba.txt"
    path.write_text(path.read_text().replace(NAMES[2], "x.jpg"))
    with pytest.raises(DataError, match=r"it lacks 1 pictures: 000003\.jpg"):
        make(celeba).setup("fit")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("list_eval_partition.txt", "000001.jpg 0\nnonsense\n", "line 2 has 1 entries"),
        ("list_eval_partition.txt", "000001.jpg x\n", "line 1 has 'x' where 0, 1 or 2"),
        (
            "list_attr_celeba.txt",
            f"1\n{' '.join(TRAITS)}\n000001.jpg 1 -1\n",
            "line 3 has 3 entries",
        ),
        ("identity_CelebA.txt", "000001.jpg 1\n", "lacks 3 pictures"),
    ],
)
def test_damaged_lists_are_named(celeba, monkeypatch, name, text, message):
    (celeba / name).write_text(text)
    # lists are read before pictures, so that load_pictures is not called
    monkeypatch.setattr("ganlab.data.images.celeba.load_pictures", None)
    with pytest.raises(DataError, match=rf"{name} is damaged: .*{message}"):
        make(celeba).setup("fit")


def test_a_part_without_pictures(celeba):
    path = celeba / "list_eval_partition.txt"
    path.write_text(path.read_text().replace("jpg 1", "jpg 0"))
    with pytest.raises(DataError, match="it lists no picture of the val split"):
        make(celeba, test_split="val").setup("test")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"classes": 40}, "has no labels"),
        ({"attribute": "Smiling"}, "data.classes: received None, but data.attribute=Smiling"),
        ({"attribute": "Smiling", "classes": 3}, "has 2 classes"),
        ({"crop": 0}, "data.crop: received 0"),
        ({"test_split": "dev"}, "data.test_split: received 'dev'"),
        ({"cache": "no"}, "data.cache: received 'no'"),
        ({"channels": 2}, "data.channels: received 2"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ConfigError) as caught:
        CelebA(**settings)
    assert message in str(caught.value)
