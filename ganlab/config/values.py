"""Parses and checks values of arguments: numbers, lists of seeds, folders and devices.

The parsers raise a ValueError that says what was received and what is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ganlab.errors import ConfigError, first_few, one_of

LEAST_MEMORY = 2**24  # bytes, the least of `metrics_memory`
METRICS_MEMORY = 2**29  # its default, 512 MiB
DEVICES = ("cpu", "cuda", "mps", "xpu")


def boolean(text: str) -> bool:
    """Return the bool that a text stands for."""
    values = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in values:
        raise ValueError(f"received {text!r}; needs true or false")
    return values[text.lower()]


def split_trust(texts: list[str]) -> tuple[bool | None, list[str]]:
    """Return the value of the argument `trust=`, None if it is not given, and the other arguments.

    Raises:
        ConfigError: the value is not true or false.
    """
    others = [text for text in texts if not text.startswith("trust=")]
    given = [text.partition("=")[2] for text in texts if text.startswith("trust=")]
    try:
        return (boolean(given[-1]) if given else None), others
    except ValueError as error:
        raise ConfigError(f"trust: {error}.") from None


def integer(text: str) -> int:
    """Return the whole number that a text stands for."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"received {text!r}; needs a whole number") from None


def number(text: str) -> float:
    """Return the number that a text stands for."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"received {text!r}; needs a number") from None


def count(text: str) -> int:
    """Return the whole number ≥ 1 that a text stands for."""
    if (n := integer(text)) < 1:
        raise ValueError(f"received {n}; needs 1 or more")
    return n


def natural(text: str) -> int:
    """Return the whole number ≥ 0 that a text stands for."""
    if (n := integer(text)) < 0:
        raise ValueError(f"received {n}; needs 0 or more")
    return n


def memory(text: str) -> int:
    """Return the bytes that a text stands for: a number, perhaps with KiB, MiB or GiB."""
    units = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
    match = re.fullmatch(r"(\d+(?:\.\d*)?(?:e\d{1,2})?)\s*([KMG]iB|)", str(text).strip())
    if match is None or (size := int(float(match[1]) * units[match[2]])) < LEAST_MEMORY:
        raise ValueError(
            f"received {text!r}; needs a number of bytes, or a number with KiB, MiB or GiB, of "
            f"{LEAST_MEMORY // 2**20}MiB or more, such as 512MiB"
        )
    return size


def seed(text: str) -> int:
    """Return the seed that a text stands for: a whole number from 0 to 2³² − 1."""
    if not 0 <= (n := integer(text)) < 2**32:
        raise ValueError(f"received {n}; needs 0 … {2**32 - 1}")
    return n


def seeds(text: str) -> list[int]:
    """Return different whole numbers ≥ 0 from a list separated by commas."""
    parts = [part.strip() for part in text.strip("[]").split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise ValueError(
            f"received {text!r}; needs different whole numbers separated by commas, e.g. 0,1,2"
        )
    return [int(part) for part in parts]


def numbers(text: str, most: int = 2**63 - 1) -> list[int]:
    """Return up to 100,000 whole numbers, at most `most`, from a list or ranges: 0-3,7 or [1,2]."""
    found: list[int] = []
    for part in text.strip("[]").split(","):
        if not (match := re.fullmatch(r"\s*(\d{1,40})(?:\s*-\s*(\d{1,40}))?\s*", part)):
            raise ValueError(f"received {text!r}; needs whole numbers and ranges, e.g. 3,5 or 0-35")
        first, last = int(match[1]), int(match[2] or match[1])
        if max(first, last) > most:
            raise ValueError(f"received {max(first, last)}; needs numbers from 0 to {most}")
        if last < first or len(found) + last - first >= 100_000:
            raise ValueError(
                f"received {text!r}; needs ranges from a smaller to a larger number, and at most "
                "100,000 numbers"
            )
        found += range(first, last + 1)
    return found


def seed_numbers(text: str) -> list[int]:
    """Return up to 100,000 seeds from 0 to 2³² − 1 from a list as for `numbers`."""
    return numbers(text, most=2**32 - 1)


def check_folder(key: str, folder: Path) -> None:
    """Raise for a folder that cannot be made.

    Args:
        key: the argument's name, for the message.
        folder: the folder, which may exist.

    Raises:
        ConfigError: the path or a parent of it is a file; the message names that file.
    """
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise ConfigError(f"{key}: {path} is a file; name a folder.")


def check_unmixed(key: str, folder: Path, results: Iterable[Path] = ()) -> None:
    """Raise if results in a folder would be mixed with older files.

    Args:
        key: the argument's name, for the message.
        folder: the folder, which may exist.
        results: files that may be replaced; hidden files do not count.

    Raises:
        ConfigError: the folder holds other files, or cannot be made.
    """
    check_folder(key, folder)
    found = {path for path in folder.rglob("*") if not path.is_dir()} - {*results}
    names = [path.relative_to(folder) for path in found]
    if others := sorted(str(n) for n in names if not any(part[0] == "." for part in n.parts)):
        raise ConfigError(
            f"{key}: {folder} holds other files ({first_few(others, 3)}), and a later score would "
            "be of old and new files. Name another folder, or empty this one."
        )


def device_named(name: str | None) -> str:
    """Return the name of a torch device that is available.

    Args:
        name: the device, e.g. "cuda:1"; None for the fastest available one: cuda, mps or cpu.

    Raises:
        ConfigError: the device is unknown, cannot compute, or is not available.
    """
    import torch

    if name is None:
        available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        return next((device for device, is_available in available.items() if is_available), "cpu")
    one_of("device", name.partition(":")[0], DEVICES)
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device: received {name!r}: {reason} Use device=cpu.") from None
    return name
