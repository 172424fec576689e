"""Cartoon faces that ganlab draws itself and stores in CelebA's layout."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ganlab.data.archives.files import cache_folder
from ganlab.data.archives.part_folders import part_folder
from ganlab.data.checks import check_integer
from ganlab.data.images.celeba import CelebA
from ganlab.data.images.face_drawing import ATTRIBUTES as DRAWN
from ganlab.data.images.face_drawing import POSE, draw_faces, imagine_faces
from ganlab.data.readers.celeba_files import ATTRIBUTES, IDENTITIES, PARTITION, PICTURES
from ganlab.errors import DataError
from ganlab.printable import console

EXACT = "attributes.csv"  # all attributes that determine the pictures
OFFICIAL = (  # CelebA's attributes, in its order
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose "
    "Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee "
    "Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard "
    "Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair "
    "Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie "
    "Young"
)
SIZES = (32, 256)  # pixels along a side
_VERSION = 2  # version of the drawing code; files of other versions are not used
_MIN_SAMPLES = 20  # 20 faces show about five people, so no part is empty
_SEED = 0x6661636573  # the seed of `CartoonFaces` in every run
_PIXELS = 1 << 21  # pixels of faces drawn at a time
_QUALITY = 95  # quality of the JPEGs, whose colours are not subsampled


class CartoonFaces(CelebA):
    """Drawn faces with exact attributes, written once in CelebA's layout and read like CelebA.

    All faces of a person are in one part: about 8 of 10 people are for training, 1 for validation
    and 1 for tests, see `write_faces`. The files are in `root/<samples>_<size>_v2/celeba/`. Besides
    CelebA's files there is `attributes.csv` with all attributes of each picture, see
    `ganlab.data.images.face_drawing`. Of CelebA's 40 attributes, those that are drawn are exact;
    the others are always -1 in the list, and 0 in "attributes".

    Args:
        root: the folder to write to; None for a folder in the cache folder.
        size: pixels along a side of the files and of the set, 32 to 256.
        samples: the number of faces in all parts together, at least 20.
        channels, classes, attribute, test_split, cache, limit, batch_size, seed: as in `CelebA`;
            the faces do not depend on `seed`.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    def __init__(
        self,
        root: str | None = None,
        size: int = 64,
        samples: int = 5000,
        channels: int = 3,
        classes: int | None = None,
        attribute: str | None = None,
        test_split: Literal["test", "val"] = "test",
        cache: Literal["disk", "memory"] = "disk",
        limit: int | None = None,
        batch_size: int = 128,
        seed: int = 0,
    ) -> None:
        check_integer("size", size, *SIZES)
        self.samples = check_integer("samples", samples, _MIN_SAMPLES)
        parent = (
            cache_folder() / "cartoon_faces" if root is None else Path(os.path.expanduser(root))
        )
        super().__init__(
            root=str(parent / f"{samples}_{size}_v{_VERSION}"),
            size=size,
            channels=channels,
            classes=classes,
            attribute=attribute,
            crop=None,
            test_split=test_split,
            cache=cache,
            limit=limit,
            batch_size=batch_size,
            seed=seed,
        )

    def fetch(self, split: str) -> None:
        """Draw the faces unless their folder exists.

        Raises:
            DataError: if the files cannot be written, or an existing folder is incomplete.
        """
        if not self.folder.exists():
            write_faces(self.folder, self.samples, self.size)
        super().fetch(split)


def write_faces(folder: str | Path, n: int, size: int = 64, seed: int = _SEED) -> None:
    """Draw faces into a new folder in CelebA's layout, with a progress bar on stderr.

    The folder gets `img_align_celeba/000001.jpg`, …, `list_eval_partition.txt`,
    `list_attr_celeba.txt`, `identity_CelebA.txt` and `attributes.csv`. The folder appears only when
    it is complete. If another process writes the same folder at the same time, the folder that is
    complete first stays.

    Args:
        folder: the new folder.
        n: the number of faces, at least 20, of at most n / 4 people. Of each ten people, in the
            order of their numbers, the first is for tests, the second for validation.
        size: pixels along a side, 32 to 256.
        seed: decides the faces.

    Raises:
        ConfigError: for a value that is not allowed.
        DataError: if the folder exists, or cannot be written.
    """
    folder = Path(os.path.expanduser(folder))
    check_integer("samples", n, _MIN_SAMPLES)
    check_integer("size", size, *SIZES)
    check_integer("seed", seed, 0)
    if folder.exists():
        raise DataError(f"{folder} exists already; faces need a new folder. Give another path.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with part_folder(folder.parent, f".{folder.name}.") as part:
            part.chmod(0o755)
            faces = imagine_faces(n, torch.Generator().manual_seed(seed))
            _write_lists(part, faces)
            _write_pictures(part / PICTURES, faces, size)
            try:
                part.rename(folder)
            except OSError:
                if not folder.exists():  # if it exists, another process wrote the same faces
                    raise
    except OSError as error:
        raise DataError(
            f"The faces could not be written to {folder}: {error}. Free disk space, or set "
            "data.root to a folder that can be written to."
        ) from error


def official(faces: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the drawn attributes under CelebA's names, bool (n,) each.

    Bald faces have no colour or kind of hair. `No_Beard` means neither mustache nor goatee.
    """

    def is_(name: str, value: str) -> Tensor:
        return faces[name] == DRAWN[name].index(value)

    bald = is_("hair", "bald")
    both = is_("beard", "both")
    colours = {f"{value.title()}_Hair": value for value in ("black", "blond", "brown", "gray")}
    return {
        "Bald": bald,
        "Bangs": is_("bangs", "yes"),
        **{name: is_("hair_colour", value) & ~bald for name, value in colours.items()},
        "Bushy_Eyebrows": is_("brows", "bushy"),
        "Eyeglasses": is_("glasses", "yes"),
        "Goatee": is_("beard", "goatee") | both,
        "Mouth_Slightly_Open": is_("mouth_open", "yes"),
        "Mustache": is_("beard", "mustache") | both,
        "Narrow_Eyes": is_("narrow_eyes", "yes"),
        "No_Beard": is_("beard", "none"),
        "Pale_Skin": is_("skin", "pale"),
        "Rosy_Cheeks": is_("rosy_cheeks", "yes"),
        "Smiling": is_("smiling", "yes"),
        "Straight_Hair": is_("hair", "straight"),
        "Wavy_Hair": is_("hair", "wavy"),
        "Wearing_Earrings": is_("earrings", "yes"),
        "Wearing_Lipstick": is_("lipstick", "yes"),
    }


def _write_lists(folder: Path, faces: dict[str, Tensor]) -> None:
    names = [f"{number:06}.jpg" for number in range(1, len(faces["x"]) + 1)]
    drawn = official(faces)
    never = torch.zeros_like(drawn["Bald"])
    table = torch.stack([drawn.get(name, never) for name in OFFICIAL.split()], 1).int() * 2 - 1
    rows = [
        f"{name} {' '.join(f'{value:2}' for value in row)}"
        for name, row in zip(names, table.tolist(), strict=True)
    ]
    head = [str(len(names)), OFFICIAL]
    order = faces["person"].unique(return_inverse=True)[1]
    parts = (2 - order % 10).clamp(min=0).tolist()  # 2 for test, 1 validation, 0 training
    people = faces["person"].tolist()
    (folder / ATTRIBUTES).write_text("\n".join([*head, *rows, ""]))
    for list_name, values in ((PARTITION, parts), (IDENTITIES, people)):
        lines = [f"{name} {value}\n" for name, value in zip(names, values, strict=True)]
        (folder / list_name).write_text("".join(lines))
    with (folder / EXACT).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", *DRAWN, *POSE])
        columns = [[DRAWN[name][value] for value in faces[name].tolist()] for name in DRAWN]
        pose = [[f"{value:.6f}" for value in faces[name].tolist()] for name in POSE]
        writer.writerows(zip(names, *columns, *pose, strict=True))


def _write_pictures(folder: Path, faces: dict[str, Tensor], size: int) -> None:
    from PIL import Image
    from rich.progress import Progress

    folder.mkdir()
    count = len(faces["x"])
    with Progress(console=console(), transient=True) as progress:
        bar = progress.add_task("Drawing faces", total=count)
        step = max(1, _PIXELS // size**2)
        for first in range(0, count, step):
            part = {name: values[first : first + step] for name, values in faces.items()}
            pictures = draw_faces(part, size).permute(0, 2, 3, 1).numpy()
            for number, picture in enumerate(pictures, first + 1):
                path = folder / f"{number:06}.jpg"
                Image.fromarray(picture).save(path, quality=_QUALITY, subsampling=0)
            progress.advance(bar, len(pictures))
