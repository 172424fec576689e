"""Densities on the line, and what divides them, by quadrature in double precision."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus


def line(first: float, last: float, points: int = 20_001) -> Tensor:
    """Evenly spaced places (points,), float64."""
    return torch.linspace(first, last, points, dtype=torch.float64)


def log_normal(x: Tensor, mean: float | Tensor, std: float | Tensor) -> Tensor:
    """Log N(x; mean, std²) at places of any shape."""
    std = torch.as_tensor(std, dtype=x.dtype)
    return -0.5 * ((x - mean) / std).square() - std.log() - 0.5 * math.log(2 * math.pi)


def log_mixture(x: Tensor, weights: Tensor, means: Tensor, stds: Tensor) -> Tensor:
    """Log-density (N,) at places (N,) of a mixture of Gaussians, parameters (K,)."""
    return torch.logsumexp(log_normal(x[:, None], means, stds) + weights.log(), dim=1)


def kl(x: Tensor, log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p‖q) = ∫ p log(p/q), from log-densities (N,) at places (N,) that hold p's mass."""
    return torch.trapezoid(log_p.exp() * (log_p - log_q), x)


def jsd(x: Tensor, log_p: Tensor, log_q: Tensor) -> Tensor:
    """JSD(p, q) = ½ KL(p‖m) + ½ KL(q‖m), m = (p + q)/2: in [0, log 2], in nats.

    With the log-ratio s = log p − log q, log p/m = log 2 − softplus(−s): nothing underflows.
    """
    s = log_p - log_q
    p_over_m, q_over_m = math.log(2) - softplus(-s), math.log(2) - softplus(s)
    return 0.5 * torch.trapezoid(log_p.exp() * p_over_m + log_q.exp() * q_over_m, x)


def normal_quantiles(points: int) -> Tensor:
    """Equally likely values (points,) of N(0, 1), float64: a mean over them is an expectation."""
    return torch.special.ndtri((torch.arange(points, dtype=torch.float64) + 0.5) / points)


def wasserstein_of_samples(a: Tensor, b: Tensor) -> Tensor:
    """W1 of two samples (N,) each: the mean distance of sorted pairs, the optimal plan in 1-D."""
    return (a.sort().values - b.sort().values).abs().mean()
