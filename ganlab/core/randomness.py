"""Seeds made from several integers, e.g. for the order of an epoch or the latents of a rank.

Adding the integers would give equal seeds: seed 1 in epoch 2 would equal seed 2 in epoch 1.
Python's `hash` differs between versions. `mix` has neither problem.
"""

from __future__ import annotations

from operator import index

import torch

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15


def mix(*integers: int) -> int:
    """Return a seed in [0, 2**63) that depends on every integer, their order and their number.

    The seed is the same on every machine and in every version, so that runs stay repeatable.
    If two calls differ in the last integer alone, their 64-bit states differ. The seed drops the
    last bit of the state, so the two seeds are equal only if the states differ in that bit alone. A
    changed bit of an integer changes about half of the seed's bits.

    Args:
        *integers: any integers, which may be negative; each is taken modulo 2**64.

    Raises:
        TypeError: an argument is not an integer.

    Source: the finaliser of SplitMix64, applied once per integer (Steele, Lea and Flood 2014,
    "Fast splittable pseudorandom number generators", figure 17), with the constants of Stafford's
    variant 13.
    """
    state = len(integers)
    for integer in integers:
        state = _finalise(((state ^ (index(integer) & _MASK)) + _GAMMA) & _MASK)
    return state >> 1


def _finalise(z: int) -> int:
    """Apply SplitMix64's finaliser, a bijection of the 64-bit integers."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def seed_device(device: torch.device, seed: int) -> None:
    """Seed the default generators of the CPU and of `device`.

    Unlike torch.manual_seed this touches no other device, so that it is cheap enough (2 µs) to be
    called in every training step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        index = device.index if device.index is not None else torch.cuda.current_device()
        torch.cuda.default_generators[index].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
