"""Two unpaired sets of pictures; translations of one set are to look like the other set."""

from __future__ import annotations

from typing import Any

from ganlab.data.readers.decoding import Decoder
from ganlab.data.readers.pairing import match_files
from ganlab.data.translation.files import Sides, TranslationFiles
from ganlab.errors import one_of


class UnpairedImages(TranslationFiles):
    """Unpaired pictures "a" and "b", uint8 (N, C, size, size), each side shuffled on its own.

    The files lie in `trainA/`, `trainB/`, `testA/`, `testB/`, or in `A/` and `B/`, with splits as
    `A/train` or `train/A`. An epoch shows the larger side once; the smaller side is repeated.

    Args:
        root, archive, size, load_size, flip, fit: as in `TranslationFiles`.
        background, max_pixels, test_folder, test_share, cache, skip_corrupt: as in `PictureFiles`.
        direction: "a_to_b", or "b_to_a" to have the files of B under "a" and the files of A under
            "b".
        channels: channels of both sides, 1 to 4.
        has_pairs: whether test files of equal names are pairs, so that scores can compare them; if
            true, every test file needs a partner.
        batch_size, seed: as in `TensorDataModule`; the paper uses batches of one picture per side.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    kind = "unpaired"
    keys = ("a", "b")
    provides = keys
    independent = True

    def __init__(
        self, *location: str | None, channels: int = 3, has_pairs: bool = False, **common: Any
    ) -> None:
        super().__init__(*location, **common)
        one_of("data.channels", channels, (1, 2, 3, 4))
        self.channels, self.has_pairs = channels, has_pairs

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """(C, H, W) of each side."""
        return dict.fromkeys(self.keys, (self.channels, self.size, self.size))

    def sides(self, folder: str) -> Sides:
        """Return the files under "a" and "b"; with `has_pairs`, test files in the order of pairs.

        Raises:
            DataError: if a side has no files, or, with `has_pairs`, a test file has no partner.
        """
        sides = super().sides(folder)
        # without a folder for tests, the test files are taken out of the training folder
        train_has_tests = {"test", "val"}.isdisjoint(self.layout.folders)
        if not self.has_pairs or (folder == "train" and not train_has_tests):
            return sides
        roots = self.layout.folders[folder]
        a, b = match_files(roots["a"], sides["a"], roots["b"], sides["b"])
        return {"a": a, "b": b}

    def decoder(self, side: str, files: Sides) -> Decoder:
        """Return the decoder of a side, with equal settings for both sides."""
        return Decoder(self.channels, self.background, self.max_pixels)
