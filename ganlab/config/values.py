"""Values of arguments: from texts to numbers, devices and folders."""

from __future__ import annotations

from pathlib import Path

from ganlab.errors import ConfigError, one_of

DEVICES = ("cpu", "cuda", "mps", "xpu")


def boolean(text: str) -> bool:
    """True or false."""
    values = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in values:
        raise ValueError(f"received {text!r}; needs true or false")
    return values[text.lower()]


def whole(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"received {text!r}; needs a whole number") from None


def number(text: str) -> float:
    """A number."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"received {text!r}; needs a number") from None


def count(text: str) -> int:
    """A whole number from 1 on."""
    if (n := whole(text)) < 1:
        raise ValueError(f"received {n}; needs 1 or more")
    return n


def natural(text: str) -> int:
    """A whole number from 0 on."""
    if (n := whole(text)) < 0:
        raise ValueError(f"received {n}; needs 0 or more")
    return n


def seed(text: str) -> int:
    """A whole number that every generator of random numbers takes."""
    if not 0 <= (n := whole(text)) < 2**32:
        raise ValueError(f"received {n}; needs 0 … {2**32 - 1}")
    return n


def seeds(text: str) -> list[int]:
    """Different whole numbers from 0 on, with commas."""
    parts = [part.strip() for part in text.strip("[]").split(",")]
    if not all(part.isdigit() for part in parts) or len(set(parts)) < len(parts):
        raise ValueError(f"received {text!r}; needs different whole numbers, with commas")
    return [int(part) for part in parts]


def check_folder(key: str, folder: Path) -> None:
    """Refuse a folder that cannot be made, since it or one above it is a file.

    Raises:
        ConfigError: the file, by name.
    """
    for place in (folder, *folder.parents):
        if place.is_file():
            raise ConfigError(f"{key}: {place} is a file; name a folder.")


def device_named(name: str | None) -> str:
    """A torch device by its name; the fastest there is for None.

    Raises:
        ConfigError: none that results can be computed on, or it is not there.
    """
    import torch

    if name is None:
        there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        return next((device for device, is_there in there.items() if is_there), "cpu")
    one_of("device", name.partition(":")[0], DEVICES)
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device: received {name!r}: {reason} Use device=cpu.") from None
    return name
