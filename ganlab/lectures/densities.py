"""One-dimensional densities and divergences between them, by quadrature in double precision."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus


def line(first: float, last: float, points: int = 20_001) -> Tensor:
    """Return evenly spaced points (points,) from `first` to `last`, float64."""
    return torch.linspace(first, last, points, dtype=torch.float64)


def log_normal(x: Tensor, mean: float | Tensor, std: float | Tensor) -> Tensor:
    """Return log N(x; mean, std²) at points x of any shape."""
    std = torch.as_tensor(std, dtype=x.dtype)
    return -0.5 * ((x - mean) / std).square() - std.log() - 0.5 * math.log(2 * math.pi)


def log_mixture(x: Tensor, weights: Tensor, means: Tensor, stds: Tensor) -> Tensor:
    """Return the log-density (N,) of a mixture of K Gaussians, parameters (K,), at points (N,)."""
    return torch.logsumexp(log_normal(x[:, None], means, stds) + weights.log(), dim=1)


def kl(x: Tensor, log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return KL(p‖q) = ∫ p log(p/q) in nats.

    Args:
        x: increasing points (N,) that cover nearly all mass of p.
        log_p: log-density (N,) of p at x.
        log_q: log-density (N,) of q at x.
    """
    return torch.trapezoid(log_p.exp() * (log_p - log_q), x)


def jsd(x: Tensor, log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return JSD(p, q) = ½ KL(p‖m) + ½ KL(q‖m) with m = (p + q)/2, in nats, in [0, log 2].

    With s = log p − log q, log p/m = log 2 − softplus(−s). This form does not underflow. Arguments
    are as in `kl`; x must cover the mass of q too.
    """
    s = log_p - log_q
    p_over_m, q_over_m = math.log(2) - softplus(-s), math.log(2) - softplus(s)
    return 0.5 * torch.trapezoid(log_p.exp() * p_over_m + log_q.exp() * q_over_m, x)


def normal_quantiles(points: int) -> Tensor:
    """Return quantiles (points,) of N(0, 1), float64, whose mean approximates an expectation."""
    return torch.special.ndtri((torch.arange(points, dtype=torch.float64) + 0.5) / points)


def wasserstein_of_samples(a: Tensor, b: Tensor) -> Tensor:
    """Return W1 of two sets of N numbers: in 1-D the optimal plan pairs the sorted numbers."""
    return (a.sort().values - b.sort().values).abs().mean()
