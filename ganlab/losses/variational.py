"""The KL term of variational encoders."""

from __future__ import annotations

from torch import Tensor


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) ‖ N(0, 1)) for tensors (N, D), summed over D, averaged over N.

    Kingma and Welling 2014 (arXiv:1312.6114), appendix B. It is computed in float32, as the terms
    of the sum almost cancel near N(0, 1).
    """
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
