"""Data sets of two sides that lie in files, in any layout that people have."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ganlab.data.base import SPLITS
from ganlab.data.batches import Crops
from ganlab.data.checks import check_test_split, whole
from ganlab.data.images.base import MAX_SIZE
from ganlab.data.readers.decoding import MAX_PIXELS, Decoder
from ganlab.data.readers.folder_splits import by_rule
from ganlab.data.readers.layouts import Kind, Layout, find_layout, unknown_layout
from ganlab.data.readers.pictures import FITS, load_pictures
from ganlab.data.translation.base import TranslationData
from ganlab.data.translation.public_sets import fetch_archive, unpacked_archive
from ganlab.errors import ConfigError, DataError, one_of

Sides = dict[str, list[Path]]
_LOG = logging.getLogger(__name__)


class TranslationFiles(TranslationData):
    """Pictures of two sides in files, decoded and resized once; cropped and mirrored in batches.

    Scores are measured on whole pictures of `size`; batches are cut out of pictures of `load_size`.
    The split "test" is the folder that is called so, or `val` where there is none; where there is
    neither, `test_share` of the files are taken out of the training set by a fixed rule.

    Args:
        root: the folder of the set; of a public one the folder that it is kept in.
        archive: a public set by name, such as "pix2pix/facades", see
            `ganlab.data.translation.public_sets`.
        direction: "a_to_b", or "b_to_a", which exchanges the sides.
        size: pixels along a side of what networks see.
        load_size: pixels along a side before a random crop; None for 286/256 of `size`, as in the
            papers; the same as `size` for no crop.
        flip: mirror half of the training samples.
        fit: "stretch" gives up the aspect, as the papers do; "crop" keeps it and the middle; "none"
            asks for files of `size` already.
        background: that transparent pixels are composed onto.
        max_pixels: files that state more are refused.
        test_folder: "test" or "val", where there are both; None for "test".
        test_share: of the files, where no folder is for tests; 0 for no tests.
        cache: of decoded pictures, on "disk" or in "memory".
        skip_corrupt: leave out what cannot be decoded, with a warning.
        batch_size, seed: as in `TensorDataModule`.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    kind: Kind

    def __init__(
        self,
        root: str | None = None,
        archive: str | None = None,
        *,
        direction: Literal["a_to_b", "b_to_a"] = "a_to_b",
        size: int = 256,
        load_size: int | None = None,
        flip: bool = True,
        fit: Literal["stretch", "crop", "none"] = "stretch",
        background: str = "white",
        max_pixels: int = MAX_PIXELS,
        test_folder: Literal["test", "val"] | None = None,
        test_share: float = 0.1,
        cache: Literal["disk", "memory"] = "disk",
        skip_corrupt: bool = False,
        batch_size: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size=batch_size, seed=seed)
        if not root:
            raise ConfigError(
                f"data.root: missing. Give the folder of your {self.kind} pictures: data.root=DIR. "
                "`ganlab data check DIR` says whether it can be used."
            )
        self.root = Path(root).expanduser().absolute()
        self.archive = archive
        one_of("data.direction", direction, ("a_to_b", "b_to_a"))
        self.direction = direction
        self.size = whole("size", size, 4, MAX_SIZE)
        load_size = round(size * 286 / 256) if load_size is None and fit != "none" else load_size
        self.load_size = whole("load_size", load_size or size, size, 2 * MAX_SIZE)
        one_of("data.fit", fit, FITS)
        if fit == "none" and self.load_size != size:
            raise ConfigError(
                f"data.load_size: received {load_size}, but data.fit=none changes no size, so that "
                f"nothing can be cropped to {size}. Set data.load_size={size}, or another data.fit."
            )
        one_of("data.cache", cache, ("disk", "memory"))
        check_test_split(test_folder, test_share)
        self.fit, self.background, self.max_pixels = fit, background, max_pixels
        self.test_folder, self.test_share = test_folder, test_share
        self.cache, self.skip_corrupt = cache, skip_corrupt
        if flip or self.load_size != size:
            self.crops = Crops(size, flip, together=not self.independent)
        self._layout: Layout | None = None
        self._training: dict[str, Tensor] | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        """Both, unless no folder is for tests and `test_share` is 0; nothing is downloaded."""
        layout = self._layout
        if self.test_share or (self.archive is not None and layout is None):
            return SPLITS  # every public set has tests
        try:
            layout = layout or find_layout(self.root, self.kind)
        except (DataError, OSError):  # which is raised again where the files are asked for
            return SPLITS[:1]
        has_tests = layout is not None and not {"test", "val"}.isdisjoint(layout.folders)
        return SPLITS if has_tests else SPLITS[:1]

    @property
    def title(self) -> str:
        """The set's folder or name."""
        return f"{type(self).__name__} {self.archive or self.root}"

    def fetch(self, split: str) -> None:
        """Find the layout; a public set is downloaded first if it is not there.

        Raises:
            DataError: if the folder has no layout that is known, or a set cannot be downloaded.
        """
        if self._layout is not None:
            return
        root = self.root
        try:
            if self.archive is not None:
                root = unpacked_archive(self.archive, root) or fetch_archive(self.archive, root)
            self._layout = find_layout(root, self.kind)
        except OSError as error:
            raise DataError(f"data.root: {root} cannot be read: {error}.") from error
        if self._layout is None:
            raise unknown_layout(root, self.kind)
        unused = ", ".join(self._layout.unused)
        _LOG.info("%s: %s%s.", root, self._layout.form, f"; {unused} not used" if unused else "")

    @property
    def layout(self) -> Layout:
        """What was recognised in the folder, at the first use.

        Raises:
            DataError: as `fetch`.
        """
        if self._layout is None:
            self.fetch("train")
        return self._layout

    def load(self, split: str) -> dict[str, Tensor]:
        """Both sides of a split at `size`."""
        return self.load_at(split, self.size)

    @property
    def training_rows(self) -> dict[str, Tensor]:
        """Both sides of the training split at `load_size`, to crop."""
        if self.load_size == self.size:
            return self.train
        if self._training is None:
            self._training = self.load_at("train", self.load_size)
        return self._training

    def load_at(self, split: str, size: int) -> dict[str, Tensor]:
        """Both sides of a split by their keys, uint8 (N, C, size, size).

        Where rows belong together, both sides are left out if one may be skipped.

        Raises:
            DataError: if files are missing, do not belong together, or cannot be decoded.
        """
        files = self.files(split)
        paths = {side: files.get(side, files.get("ab")) for side in self.order}
        images, rows = {}, {}
        for side in self.order:
            pictures = load_pictures(
                paths[side],
                root=self.layout.root,
                size=(size, size),
                fit=self.fit,
                decoder=self.decoder(side, files),
                cache=self.cache,
                skip_corrupt=self.skip_corrupt,
                title=f"{self.layout.root.name}, {split}, {side.upper()}",
            )
            images[side] = pictures.images
            rows[side] = {path: row for row, path in enumerate(pictures.paths)}
        is_whole = all(len(rows[side]) == len(paths[side]) for side in rows)
        if not is_whole and self.has_pairs and (split == "test" or not self.independent):
            pairs = [
                (rows["a"][a], rows["b"][b])
                for a, b in zip(paths["a"], paths["b"], strict=True)
                if a in rows["a"] and b in rows["b"]
            ]
            if not pairs:
                raise DataError(f"{self.layout.root}: no pair of {split} can be decoded.")
            for side, chosen in zip("ab", zip(*pairs, strict=True), strict=True):
                images[side] = images[side].index_select(0, torch.tensor(chosen))
        return {key: images[side] for key, side in zip(self.keys, self.order, strict=True)}

    @property
    def order(self) -> tuple[str, str]:
        """The sides in the order of the keys."""
        return ("a", "b") if self.direction == "a_to_b" else ("b", "a")

    def decoder(self, side: str, files: Sides) -> Decoder:
        """What reads the files of a side."""
        raise NotImplementedError

    def sides(self, folder: str) -> Sides:
        """The files of a folder of the layout by side, checked.

        Raises:
            DataError: if there are none, or they do not belong together.
        """
        return {side: self.layout.files(folder, side) for side in self.layout.folders[folder]}

    def files(self, split: str) -> Sides:
        """The files of "train" or "test" by side.

        Raises:
            DataError: as `sides`; if the set has no such split.
        """
        tests = self._test_folder()
        if split == "test" and tests:
            return self.sides(tests)
        training = next((name for name in ("train", "all") if name in self.layout.folders), None)
        if training is None:
            raise DataError(
                f"{self.layout.root} has no training pictures: found {self.layout.form}. Call the "
                "folder to train on train/ (or trainA/ and trainB/)."
            )
        sides = self.sides(training)
        return sides if tests else self._by_rule(split, training, sides)

    def _test_folder(self) -> str | None:
        folders = self.layout.folders
        there = [name for name in ("test", "val") if name in folders]
        if self.test_folder is None or not there:
            return there[0] if there else None
        if self.test_folder not in there:
            raise DataError(
                f"data.test_folder: received {self.test_folder}, but {self.layout.root} has only "
                f"{there[0]}. Set data.test_folder={there[0]}, or null."
            )
        return self.test_folder

    def _by_rule(self, split: str, folder: str, sides: Sides) -> Sides:
        """The part of a folder's files that a split gets where no folder is for tests."""
        places = self.layout.folders[folder]
        parts = {
            side: by_rule(places[side], paths, self.test_share, split)
            for side, paths in sides.items()
        }
        if not self.has_pairs:
            return parts
        leader = next(iter(sides))  # whose names decide for both
        chosen = set(parts[leader])
        rows = [row for row, path in enumerate(sides[leader]) if path in chosen]
        return {side: [paths[row] for row in rows] for side, paths in sides.items()}
