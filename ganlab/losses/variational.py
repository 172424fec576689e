"""What a variational encoder minimises beside the reconstruction."""

from __future__ import annotations

from torch import Tensor


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) ‖ N(0, 1)) of (N, D) each: summed over D, averaged over N.

    Kingma and Welling 2014 (arXiv:1312.6114), appendix B. In float32, as its terms cancel.
    """
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
