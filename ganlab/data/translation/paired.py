"""Pairs of pictures: one is to be translated into the other."""

from __future__ import annotations

from typing import Literal

from ganlab.data.checks import one_of
from ganlab.data.readers.decoding import MAX_PIXELS, Decoder
from ganlab.data.readers.pairing import HalfDecoder, PartnerDecoder, match_files
from ganlab.data.translation.files import Sides, TranslationFiles


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
        self,
        root: str | None = None,
        archive: str | None = None,
        direction: Literal["a_to_b", "b_to_a"] = "a_to_b",
        size: int = 256,
        load_size: int | None = None,
        flip: bool = True,
        fit: Literal["stretch", "crop", "none"] = "stretch",
        channels: int = 3,
        source_channels: int = 3,
        background: str = "white",
        max_pixels: int = MAX_PIXELS,
        test_folder: Literal["test", "val"] | None = None,
        test_share: float = 0.1,
        cache: Literal["disk", "memory"] = "disk",
        skip_corrupt: bool = False,
        batch_size: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(
            root=root,
            archive=archive,
            direction=direction,
            size=size,
            load_size=load_size,
            flip=flip,
            fit=fit,
            background=background,
            max_pixels=max_pixels,
            test_folder=test_folder,
            test_share=test_share,
            cache=cache,
            skip_corrupt=skip_corrupt,
            batch_size=batch_size,
            seed=seed,
        )
        one_of("channels", channels, (1, 2, 3, 4))
        one_of("source_channels", source_channels, (1, 2, 3, 4))
        self.channels, self.source_channels = channels, source_channels
        Decoder(channels, background, max_pixels)  # its checks, before any file is looked for

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
