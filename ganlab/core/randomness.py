"""Seeds from several integers: the order of an epoch, the latents of a rank, a set's test split.

Nearby seeds of `torch.Generator` must not be made by addition (seed 1 in epoch 2 would equal seed 2
in epoch 1), and Python's `hash` differs between versions. `mix` does neither.
"""

from __future__ import annotations

from operator import index

import torch

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15


def mix(*integers: int) -> int:
    """A seed in [0, 2**63) that depends on every integer, their order and their number.

    Args:
        *integers: any whole numbers, negative ones included; each counts modulo 2**64.

    Returns:
        The same number on every machine and in every version, so that runs stay repeatable. For
        one more integer of a fixed prefix the 64-bit state is one-to-one, so different values
        collide only in the dropped bit; any changed bit changes about half the bits of the result.

    Raises:
        TypeError: if an argument is not a whole number.

    Source: the finaliser of SplitMix64, Steele, Lea and Flood 2014, "Fast splittable pseudorandom
    number generators", figure 17 (with the constants of Stafford's variant 13), chained.
    """
    state = len(integers)
    for integer in integers:
        state = _finalise(((state ^ (index(integer) & _MASK)) + _GAMMA) & _MASK)
    return state >> 1


def _finalise(z: int) -> int:
    """SplitMix64's bijection of the 64-bit integers."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def seed_device(device: torch.device, seed: int) -> None:
    """Seed the default generators of the CPU and of `device`.

    Unlike torch.manual_seed it touches no other device, which makes it cheap enough (2 µs) to call
    in every training step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        index = device.index if device.index is not None else torch.cuda.current_device()
        torch.cuda.default_generators[index].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
