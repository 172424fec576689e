"""Values of arguments: sizes of memory."""

import pytest

from ganlab.config.compose import compose
from ganlab.config.values import METRICS_MEMORY, memory
from ganlab.metrics import Work


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512MiB", 2**29),
        ("4 GiB", 2**32),
        ("16384KiB", 2**24),
        ("536870912", 2**29),
        (2**29, 2**29),
        ("0.5GiB", 2**29),
        ("1e9", 10**9),
        (1e9, 10**9),
    ],
)
def test_sizes_of_memory(text, size):
    assert memory(text) == size


@pytest.mark.parametrize("text", ["", "lots", "512MB", "-1GiB", "1,5GiB", "15MiB", "0", None, True])
def test_other_sizes_are_refused(text):
    with pytest.raises(ValueError, match=r"of 16MiB or more, such as 512MiB"):
        memory(text)


def test_the_default_is_the_same_everywhere():
    assert memory(compose([]).metrics_memory) == METRICS_MEMORY == Work().memory
