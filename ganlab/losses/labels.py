"""Flipped labels: an old trick against a discriminator that is too sure of itself."""

from __future__ import annotations

import torch
from torch import Tensor

from ganlab.errors import ConfigError


def check_probability(name: str, value: float, below: float = 1.0) -> None:
    """Raise a ConfigError unless 0 <= value < below; a `Schedule` is checked by what it drives."""
    if isinstance(value, (int, float)) and not 0 <= value < below:
        raise ConfigError(f"{name}: received {value}; allowed 0 <= {name} < {below}.")


def flip_labels(real: Tensor, fake: Tensor, probability: float) -> tuple[Tensor, Tensor]:
    """Swap real and generated scores, each position with `probability`.

    A label flipped at a position is the same as the two scores exchanged there, which keeps every
    loss's formula as it is (Chintala et al. 2016, "How to train a GAN", item 6).

    Args:
        real: scores of real samples (N, …).
        fake: scores of generated samples, of the same shape.
        probability: in [0, 0.5).
    """
    if not probability:
        return real, fake
    swap = torch.rand_like(real) < probability
    return torch.where(swap, fake, real), torch.where(swap, real, fake)
