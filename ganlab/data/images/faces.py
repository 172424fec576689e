"""Faces that the project draws itself, in files as CelebA has them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ganlab.data.archives.files import cache_folder
from ganlab.data.archives.part_folders import part_folder
from ganlab.data.checks import whole
from ganlab.data.images.celeba import CelebA
from ganlab.data.images.face_drawing import ATTRIBUTES as DRAWN
from ganlab.data.images.face_drawing import POSE, draw_faces, imagine_faces
from ganlab.data.readers.celeba_files import ATTRIBUTES, IDENTITIES, PARTITION, PICTURES
from ganlab.errors import DataError

EXACT = "attributes.csv"
OFFICIAL = (  # CelebA's attributes, in its order
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose "
    "Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee "
    "Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard "
    "Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair "
    "Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie "
    "Young"
)
SIZES = (32, 256)  # pixels along a side
_VERSION = 2  # of the drawing; files of another are not used
SAMPLES = 20  # the fewest: of five people, three are to train on
_SEED = 0x6661636573  # of the set that `CartoonFaces` draws, the same for every run
_AT_ONCE = 500  # faces in memory
_QUALITY = 95  # of the JPEGs, whose colours are not subsampled


class CartoonFaces(CelebA):
    """Drawn faces with exact attributes, written once in CelebA's layout and read as CelebA is.

    Nobody is in two parts: of ten people, the faces of eight are to train on, of one for validation
    and of one to test with, see `write_faces`. The files are in
    `root/<samples>_<size>_v2/celeba/`. Besides CelebA's own there is `attributes.csv`,
    which says all that a picture shows, see `ganlab.data.images.face_drawing`. Of the 40
    attributes, those that are drawn hold exactly and all others never.

    Args:
        root: a folder to write to; None for one in the cache folder.
        size: pixels along a side, 32 to 256, of the files too.
        samples: faces of all parts, 20 or more.
        channels, classes, attribute, test_split, cache, limit, batch_size, seed: as in `CelebA`;
            the faces are the same in every run whatever the seed.

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
        whole("size", size, *SIZES)
        self.samples = whole("samples", samples, SAMPLES)
        parent = cache_folder() / "cartoon_faces" if root is None else Path(root).expanduser()
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
        """Draw the faces where they are not there yet.

        Raises:
            DataError: if they cannot be written, or what is there is not complete.
        """
        if not self.folder.exists():
            write_faces(self.folder, self.samples, self.size)
        super().fetch(split)


def write_faces(folder: str | Path, n: int, size: int = 64, seed: int = _SEED) -> None:
    """Draw faces into a new folder in CelebA's layout, with a progress bar on stderr.

    It gets `img_align_celeba/000001.jpg`, …, `list_eval_partition.txt`, `list_attr_celeba.txt`,
    `identity_CelebA.txt` and `attributes.csv`. The folder appears when it is complete; where
    another process makes it at the same time, that one's stays.

    Args:
        folder: what is made.
        n: faces, 20 or more, of about n / 4 people. Of the people that are drawn, in order, the
            faces of the first of ten are to test with, of the second for validation.
        size: pixels along a side, 32 to 256.
        seed: of the faces.

    Raises:
        ConfigError: for a value that is not allowed.
        DataError: if there is a folder already, or it cannot be written.
    """
    folder = Path(folder).expanduser()
    whole("samples", n, SAMPLES)
    whole("size", size, *SIZES)
    whole("seed", seed, 0)
    if folder.exists():
        raise DataError(f"{folder} is there already; faces are drawn into a new folder. Name one.")
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
                if not folder.exists():  # else another process was first, with the same faces
                    raise
    except OSError as error:
        raise DataError(
            f"The faces could not be written to {folder}: {error}. Make room, or point data.root "
            "at a folder that can be written to."
        ) from error


def official(faces: dict[str, Tensor]) -> dict[str, Tensor]:
    """CelebA's attributes of drawn faces, bool (n,) for each that is drawn, by its name.

    Colours and kinds of hair are of those who have any. `No_Beard` is without mustache and goatee.
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
    parts = (2 - order % 10).clamp(min=0).tolist()  # 2 to test with, 1 for validation, 0 to train
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
    from rich.console import Console
    from rich.progress import Progress

    folder.mkdir()
    count = len(faces["x"])
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("Drawing faces", total=count)
        for first in range(0, count, _AT_ONCE):
            part = {name: values[first : first + _AT_ONCE] for name, values in faces.items()}
            pictures = draw_faces(part, size).permute(0, 2, 3, 1).numpy()
            for number, picture in enumerate(pictures, first + 1):
                path = folder / f"{number:06}.jpg"
                Image.fromarray(picture).save(path, quality=_QUALITY, subsampling=0)
            progress.advance(bar, len(pictures))
