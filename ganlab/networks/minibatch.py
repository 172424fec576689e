"""Statistics of a whole batch as a feature, so that a discriminator sees a lack of variety."""

import math

import torch
from torch import Tensor, nn

from ganlab.networks.checks import check_count

EPSILON = 1e-8  # of the authors' code


class MinibatchStd(nn.Module):
    """Appends the deviation over the batch: Karras et al. 2018 (arXiv:1710.10196), section 3.

    The (biased) standard deviation of each feature at each place over a group of samples, averaged
    over features and places to one number for each group, is one more feature of all its samples.

    Args:
        group: samples that are compared, 4 in the authors' code; None for the whole batch. Of a
            batch that it does not divide, groups of their greatest common divisor are compared.

    Raises:
        ConfigError: a group below 2.
    """

    def __init__(self, group: int | None = None) -> None:
        super().__init__()
        self.group = None if group is None else check_count("group", group, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, F) to (N, F + 1), or (N, C, H, W) to (N, C + 1, H, W)."""
        size = math.gcd(len(x), self.group) if self.group else len(x)
        groups = x.unflatten(0, (size, -1))  # samples n, n + N/size, … are together
        # without ε a root has no gradient where all samples are alike
        deviation = (groups.var(0, correction=0) + EPSILON).sqrt()
        number = deviation.flatten(1).mean(1).repeat(size)
        return torch.cat([x, number.view(-1, *[1] * (x.dim() - 1)).expand_as(x[:, :1])], dim=1)
