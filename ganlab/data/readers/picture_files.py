"""What data sets of picture files share: how files are decoded, split and cached."""

from __future__ import annotations

from typing import Any, Literal

from ganlab.data.checks import check_test_split
from ganlab.data.readers.decoding import MAX_PIXELS, Decoder
from ganlab.errors import one_of


class PictureFiles:
    """Mixin for data sets that are read from picture files; it goes before the data set's base.

    Args:
        background: the colour that transparent pixels are composed onto, a name or "#rrggbb".
        max_pixels: files whose header states more pixels are refused.
        test_folder: "test" or "val", the folder of the test split if both exist; None for "test".
        test_share: the share of files for tests if there is no test folder; 0 for no tests.
        cache: where decoded pictures are cached, on "disk" or in "memory".
        skip_corrupt: whether pictures that cannot be decoded are skipped with a warning.
        common: the arguments of the data set's base.

    Raises:
        ConfigError: for a value that is not allowed.
    """

    def __init__(
        self,
        *,
        background: str = "white",
        max_pixels: int = MAX_PIXELS,
        test_folder: Literal["test", "val"] | None = None,
        test_share: float = 0.1,
        cache: Literal["disk", "memory"] = "disk",
        skip_corrupt: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        check_test_split(test_folder, test_share)
        one_of("data.cache", cache, ("disk", "memory"))
        Decoder(3, background, max_pixels)  # only for its checks, before any file is searched
        self.background, self.max_pixels = background, max_pixels
        self.test_folder, self.test_share = test_folder, test_share
        self.cache, self.skip_corrupt = cache, skip_corrupt
