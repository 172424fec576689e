"""Flipped labels, an old trick against an overconfident discriminator."""

from __future__ import annotations

import torch
from torch import Tensor

from ganlab.errors import ConfigError


def check_probability(name: str, value: float, below: float = 1.0) -> None:
    """Raise a ConfigError unless 0 <= value < below; a `Schedule` is not checked."""
    is_schedule = callable(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_schedule and not (is_number and 0 <= value < below):
        raise ConfigError(f"{name}: received {value!r}; allowed numbers 0 <= {name} < {below}.")


def flip_labels(real: Tensor, fake: Tensor, probability: float) -> tuple[Tensor, Tensor]:
    """Return real and generated scores, swapped at random positions.

    Swapping the scores has the effect of swapping the labels, and needs no change of a loss's
    formula (Chintala et al. 2016, "How to train a GAN", item 6).

    Args:
        real: scores of real examples (N, …).
        fake: scores of samples, of the shape of `real`.
        probability: the probability of a swap at each position, in [0, 0.5).
    """
    if not probability:
        return real, fake
    swap = torch.rand_like(real) < probability
    return torch.where(swap, fake, real), torch.where(swap, real, fake)
