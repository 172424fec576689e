"""A statistic of the batch as a feature, so that a discriminator can detect a lack of variety."""

import math

import torch
from torch import Tensor, nn

from ganlab.networks.checks import check_count

EPSILON = 1e-8  # as in the authors' code


class MinibatchStd(nn.Module):
    """A layer that appends the deviation over the batch: Karras et al. 2018, section 3.

    arXiv:1710.10196. For a group of samples, the (biased) standard deviation of each feature at
    each position is averaged over features and positions. This number becomes one more feature of
    all samples of the group.

    Args:
        group: samples per group, 4 in the authors' code; None for the whole batch. If `group` does
            not divide the batch size, the greatest common divisor of both is used.

    Raises:
        ConfigError: `group` is below 2.
    """

    def __init__(self, group: int | None = None) -> None:
        super().__init__()
        self.group = None if group is None else check_count("group", group, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, F) to (N, F + 1), or (N, C, H, W) to (N, C + 1, H, W)."""
        size = math.gcd(len(x), self.group) if self.group else len(x)
        groups = x.unflatten(0, (size, -1))  # samples n, n + N/size, … form a group
        # without ε the square root has no finite gradient if all samples are equal
        deviation = (groups.var(0, correction=0) + EPSILON).sqrt()
        number = deviation.flatten(1).mean(1).repeat(size)
        return torch.cat([x, number.view(-1, *[1] * (x.dim() - 1)).expand_as(x[:, :1])], dim=1)
