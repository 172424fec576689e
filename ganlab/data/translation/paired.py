"""Pairs of pictures: the source is to be translated into the target."""

from __future__ import annotations

from typing import Any

from ganlab.data.readers.decoding import Decoder
from ganlab.data.readers.pairing import HalfDecoder, PartnerDecoder, match_files
from ganlab.data.translation.files import Sides, TranslationFiles
from ganlab.errors import one_of


class PairedImages(TranslationFiles):
    """Pairs "source" and "target", uint8 (N, C, size, size), in one of two layouts.

    In the first layout each file holds both pictures of a pair, A left of B. The files lie in
    `train/`, `val/` and `test/`, or all in one folder. In the second layout folders for A and B
    hold files of equal names: `A/` and `B/`, with splits as `A/train`, `train/A` or `trainA`. The
    two pictures of a pair are cropped and mirrored alike.

    Args:
        root, archive, size, load_size, flip, fit: as in `TranslationFiles`.
        background, max_pixels, test_folder, test_share, cache, skip_corrupt: as in `PictureFiles`.
        direction: "a_to_b" if the source is A, "b_to_a" if the source is B.
        channels: channels of the target, 1 to 4.
        source_channels: channels of the source, 1 to 4.
        batch_size, seed: as in `TensorDataModule`; the papers use batches of one pair.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    kind = "paired"
    keys = ("source", "target")
    provides = keys
    has_pairs = True

    def __init__(
        self, *location: str | None, channels: int = 3, source_channels: int = 3, **common: Any
    ) -> None:
        super().__init__(*location, **common)
        one_of("data.channels", channels, (1, 2, 3, 4))
        one_of("data.source_channels", source_channels, (1, 2, 3, 4))
        self.channels, self.source_channels = channels, source_channels

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """(C, H, W) of each side."""
        return {
            "source": (self.source_channels, self.size, self.size),
            "target": (self.channels, self.size, self.size),
        }

    def sides(self, folder: str) -> Sides:
        """Return the files of a folder under "ab", or under "a" and "b" in the order of pairs.

        Raises:
            DataError: if a side has no files, or a file has no partner.
        """
        sides = super().sides(folder)
        if "ab" in sides:
            return sides
        roots = self.layout.folders[folder]
        a, b = match_files(roots["a"], sides["a"], roots["b"], sides["b"])
        return {"a": a, "b": b}

    def decoder(self, side: str, files: Sides) -> Decoder:
        """Return a decoder of one half of each file, or of files that must match their partners."""
        channels = self.shapes[self.keys[self.order.index(side)]][0]
        settings = (channels, self.background, self.max_pixels)
        if "ab" in files:
            return HalfDecoder(side, *settings)
        pairs = list(zip(files["a"], files["b"], strict=True))
        return PartnerDecoder(dict(pairs) if side == "a" else {b: a for a, b in pairs}, *settings)
