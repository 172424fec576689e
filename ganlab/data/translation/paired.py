"""Pairs of pictures: one is to be translated into the other."""

from __future__ import annotations

from typing import Any

from ganlab.data.readers.decoding import Decoder
from ganlab.data.readers.pairing import HalfDecoder, PartnerDecoder, match_files
from ganlab.data.translation.files import Sides, TranslationFiles
from ganlab.errors import one_of


class PairedImages(TranslationFiles):
    """Pairs "source" and "target", uint8 (N, C, size, size), in any layout that people have.

    Files hold both sides, A left of B, in `train/`, `val/`, `test/` or all in one folder; or there
    are `A/` and `B/` with equal names (`A/train`, `B/train`, or `train/A`, or `trainA`). Both sides
    of a pair are cropped and mirrored alike.

    Args:
        root, archive, size, load_size, flip, fit, background, max_pixels, test_folder, test_share,
            cache, skip_corrupt: as in `TranslationFiles`.
        direction: "a_to_b": the source is A; "b_to_a": it is B.
        channels: of the target, 1 to 4.
        source_channels: of the source, 1 to 4.
        batch_size, seed: as in `TensorDataModule`; the papers' batches are of one pair.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    kind = "paired"
    keys = ("source", "target")
    provides = keys
    has_pairs = True

    def __init__(
        self, *places: str | None, channels: int = 3, source_channels: int = 3, **common: Any
    ) -> None:
        super().__init__(*places, **common)
        one_of("data.channels", channels, (1, 2, 3, 4))
        one_of("data.source_channels", source_channels, (1, 2, 3, 4))
        self.channels, self.source_channels = channels, source_channels
        # its checks, before any file is looked for
        Decoder(channels, self.background, self.max_pixels)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """(C, H, W) of either side."""
        return {
            "source": (self.source_channels, self.size, self.size),
            "target": (self.channels, self.size, self.size),
        }

    def sides(self, folder: str) -> Sides:
        """The files of a folder by side, "ab" or "a" and "b", row by row.

        Raises:
            DataError: if there are none, or a file has no partner.
        """
        sides = super().sides(folder)
        if "ab" in sides:
            return sides
        places = self.layout.folders[folder]
        a, b = match_files(places["a"], sides["a"], places["b"], sides["b"])
        return {"a": a, "b": b}

    def decoder(self, side: str, files: Sides) -> Decoder:
        """Reads one half of each file, or compares sizes with the other side's file."""
        channels = self.shapes[self.keys[self.order.index(side)]][0]
        settings = (channels, self.background, self.max_pixels)
        if "ab" in files:
            return HalfDecoder(side, *settings)
        pairs = list(zip(files["a"], files["b"], strict=True))
        return PartnerDecoder(dict(pairs) if side == "a" else {b: a for a, b in pairs}, *settings)
