"""Translation data sets that are read from picture files, in any supported layout."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ganlab.data.base import SPLITS
from ganlab.data.batches import Crops
from ganlab.data.checks import check_integer
from ganlab.data.images.base import MAX_SIZE
from ganlab.data.readers.decoding import Decoder
from ganlab.data.readers.folder_splits import split_by_hash
from ganlab.data.readers.layouts import Kind, Layout, find_layout, unknown_layout
from ganlab.data.readers.picture_files import PictureFiles
from ganlab.data.readers.pictures import FITS, load_pictures
from ganlab.data.translation.base import TranslationData
from ganlab.data.translation.public_sets import fetch_archive, unpacked_archive
from ganlab.errors import ConfigError, DataError, one_of

Sides = dict[str, list[Path]]  # files under "a" and "b", or under "ab" if a file holds both sides
_LOG = logging.getLogger(__name__)


class TranslationFiles(PictureFiles, TranslationData):
    """Pictures of two sides in files, decoded and resized once, then cropped and mirrored.

    Scores are measured on whole pictures of `size`; batches are cropped from pictures of
    `load_size`. The split "test" is the folder `test_folder`; by default `test` if it exists, else
    `val`. If both are missing, a hash of the file names selects `test_share` of the training files.

    Args:
        root: the set's folder; for a public set, the folder that public sets are kept in.
        archive: name of a public set, such as "pix2pix/facades", see
            `ganlab.data.translation.public_sets`; None for your own files.
        direction: "a_to_b", or "b_to_a", which exchanges the sides.
        size: pixels along a side of the pictures that networks see.
        load_size: pixels along a side before the random crop; None for 286/256 of `size`, as in
            the papers (with fit="none": `size`); `size` for no crop.
        flip: whether half of the training examples are mirrored.
        fit: "stretch" changes the aspect ratio, as the papers do; "crop" keeps the aspect ratio and
            cuts off the margins; "none" requires files of `size`.
        background, max_pixels, test_folder, test_share, cache, skip_corrupt: as in `PictureFiles`.
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
        batch_size: int = 1,
        **common: Any,
    ) -> None:
        super().__init__(batch_size=batch_size, **common)
        if not root:
            raise ConfigError(
                f"data.root: missing. Give the folder of your {self.kind} pictures: data.root=DIR. "
                "`ganlab data check DIR` says whether it can be used."
            )
        self.root = Path(os.path.expanduser(root)).absolute()
        self.archive = archive
        one_of("data.direction", direction, ("a_to_b", "b_to_a"))
        self.direction = direction
        self.size = check_integer("size", size, 4, MAX_SIZE)
        load_size = round(size * 286 / 256) if load_size is None and fit != "none" else load_size
        self.load_size = check_integer("load_size", load_size or size, size, 2 * MAX_SIZE)
        one_of("data.fit", fit, FITS)
        if fit == "none" and self.load_size != size:
            raise ConfigError(
                f"data.load_size: received {load_size}, but data.fit=none does not resize pictures "
                f"of {size} pixels. Set data.load_size={size}, or another data.fit."
            )
        self.fit = fit
        if flip or self.load_size != size:
            self.crops = Crops(size, flip, together=not self.independent)
        self._layout: Layout | None = None
        self._training: dict[str, Tensor] | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        """Both splits; only "train" if there is no folder for tests and `test_share` is 0.

        Nothing is downloaded.
        """
        layout = self._layout
        if self.test_share or (self.archive is not None and layout is None):
            return SPLITS  # every public set has a test split
        try:
            layout = layout or find_layout(self.root, self.kind)
        except (DataError, OSError):  # loading the files raises the error again
            return SPLITS[:1]
        has_tests = layout is not None and not {"test", "val"}.isdisjoint(layout.folders)
        return SPLITS if has_tests else SPLITS[:1]

    @property
    def title(self) -> str:
        """The set's folder or name."""
        return f"{type(self).__name__} {self.archive or self.root}"

    def fetch(self, split: str) -> None:
        """Find the layout; download a public set first if it is missing.

        Raises:
            DataError: if the folder cannot be read or has no known layout, or a public set cannot
                be downloaded.
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
        """The layout of the folder, found at the first use.

        Raises:
            DataError: as `fetch`.
        """
        if self._layout is None:
            self.fetch("train")
        return self._layout

    def load(self, split: str) -> dict[str, Tensor]:
        """Return both sides of a split at `size`."""
        return self.load_at(split, self.size)

    @property
    def training_rows(self) -> dict[str, Tensor]:
        """Both sides of the training split at `load_size`, from which batches are cropped."""
        if self.load_size == self.size:
            return self.train
        if self._training is None:
            self._training = self.load_at("train", self.load_size)
        return self._training

    def load_at(self, split: str, size: int) -> dict[str, Tensor]:
        """Return both sides of a split under their keys, uint8 (N, C, size, size).

        If the split holds pairs, a pair is skipped if one of its files is skipped.

        Raises:
            DataError: if files are missing, do not belong together, or cannot be decoded.
        """
        files = self.files(split)
        paths = {side: files.get(side, files.get("ab")) for side in self.order}
        images, row_of = {}, {}
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
            row_of[side] = {path: row for row, path in enumerate(pictures.paths)}
        is_complete = all(len(row_of[side]) == len(paths[side]) for side in row_of)
        if not is_complete and self.has_pairs and (split == "test" or not self.independent):
            pairs = [
                (row_of["a"][a], row_of["b"][b])
                for a, b in zip(paths["a"], paths["b"], strict=True)
                if a in row_of["a"] and b in row_of["b"]
            ]
            if not pairs:
                raise DataError(
                    f"{self.layout.root}: no pair of the {split} split can be decoded. Mend or "
                    "replace the files that the warnings above name."
                )
            for side, chosen in zip("ab", zip(*pairs, strict=True), strict=True):
                images[side] = images[side].index_select(0, torch.tensor(chosen))
        return {key: images[side] for key, side in zip(self.keys, self.order, strict=True)}

    @property
    def order(self) -> tuple[str, str]:
        """The sides "a" and "b" in the order of `keys`."""
        return ("a", "b") if self.direction == "a_to_b" else ("b", "a")

    def decoder(self, side: str, files: Sides) -> Decoder:
        """Return the decoder for the files of a side."""
        raise NotImplementedError

    def sides(self, folder: str) -> Sides:
        """Return the files of a folder of the layout ("train", "val", "test" or "all") by side.

        Raises:
            DataError: if a side has no files, or the files do not belong together.
        """
        return {side: self.layout.files(folder, side) for side in self.layout.folders[folder]}

    def files(self, split: str) -> Sides:
        """Return the files of the split "train" or "test" by side.

        Raises:
            DataError: as `sides`, or if the set has no such split or lacks `test_folder`.
        """
        test_folder = self._test_folder()
        if split == "test" and test_folder:
            return self.sides(test_folder)
        training = next((name for name in ("train", "all") if name in self.layout.folders), None)
        if training is None:
            raise DataError(
                f"{self.layout.root} has no training pictures: found {self.layout.form}. Name the "
                "folder of training pictures train/ (or trainA/ and trainB/)."
            )
        sides = self.sides(training)
        return sides if test_folder else self._by_rule(split, training, sides)

    def _test_folder(self) -> str | None:
        """Return the layout's folder for tests, "test" or "val"; None if it has neither."""
        names = [name for name in ("test", "val") if name in self.layout.folders]
        if self.test_folder is None or not names:
            return names[0] if names else None
        if self.test_folder not in names:
            raise DataError(
                f"data.test_folder: received {self.test_folder}, but {self.layout.root} has only "
                f"{names[0]}. Set data.test_folder={names[0]}, or null."
            )
        return self.test_folder

    def _by_rule(self, split: str, folder: str, sides: Sides) -> Sides:
        """Return the files of `folder` that a hash of their names assigns to a split."""
        roots = self.layout.folders[folder]
        parts = {
            side: split_by_hash(roots[side], paths, self.test_share, split)
            for side, paths in sides.items()
        }
        if not self.has_pairs:
            return parts
        leader = next(iter(sides))  # the names of this side's files decide for both sides
        chosen = set(parts[leader])
        rows = [row for row, path in enumerate(sides[leader]) if path in chosen]
        return {side: [paths[row] for row in rows] for side, paths in sides.items()}
