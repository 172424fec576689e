"""Two sets of pictures that nobody has paired: each is to look like the other."""

from __future__ import annotations

from typing import Any

from ganlab.data.readers.decoding import Decoder
from ganlab.data.readers.pairing import match_files
from ganlab.data.translation.files import Sides, TranslationFiles


class UnpairedImages(TranslationFiles):
    """Pictures "a" and "b", uint8 (N, C, size, size), each in its own order, anew each epoch.

    They lie in `trainA/`, `trainB/`, `testA/`, `testB/`, or in `A/` and `B/`, with `A/train` or
    `train/A` where there are splits. An epoch is as long as the larger side.

    Args:
        root, archive, size, load_size, flip, fit, background, max_pixels, test_folder, test_share,
            cache, skip_corrupt: as in `TranslationFiles`.
        direction: "a_to_b", or "b_to_a": "a" is what lies in B.
        channels: of both sides, 1 to 4.
        has_pairs: whether test files of equal names belong together, for scores; checked.
        batch_size, seed: as in `TensorDataModule`; the paper's batches are of one picture each.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    kind = "unpaired"
    keys = ("a", "b")
    provides = keys
    independent = True

    def __init__(
        self, *places: str | None, channels: int = 3, has_pairs: bool = False, **common: Any
    ) -> None:
        super().__init__(*places, **common)
        self.channels, self.has_pairs = channels, has_pairs
        # its checks, before any file is looked for
        Decoder(channels, self.background, self.max_pixels)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """(C, H, W) of either side."""
        return dict.fromkeys(self.keys, (self.channels, self.size, self.size))

    def sides(self, folder: str) -> Sides:
        """The files of a folder by side; row by row where they hide pairs to test with.

        Raises:
            DataError: if there are none, or a file to test with has no partner.
        """
        sides = super().sides(folder)
        alone = {"test", "val"}.isdisjoint(self.layout.folders)  # tests are taken out of it
        if not self.has_pairs or (folder == "train" and not alone):
            return sides
        places = self.layout.folders[folder]
        a, b = match_files(places["a"], sides["a"], places["b"], sides["b"])
        return {"a": a, "b": b}

    def decoder(self, side: str, files: Sides) -> Decoder:
        """The same for both sides."""
        return Decoder(self.channels, self.background, self.max_pixels)
