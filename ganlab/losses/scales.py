"""Scores of discriminators that look at several scales."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Scores = Tensor | list[Tensor]


def over_scales(objective: Callable[..., Tensor], *scores: Scores) -> Tensor:
    """An objective of scores; of several scales the sum (Wang et al. 2018, arXiv:1711.11585).

    Args:
        objective: tensors of scores, of any shape, to a scalar.
        scores: a tensor each, or a list of one for each scale.
    """
    if isinstance(scores[0], Tensor):
        return objective(*scores)
    terms = [objective(*at_one_scale) for at_one_scale in zip(*scores, strict=True)]
    return torch.stack(terms).sum()


def mean_scores(scores: Scores) -> Tensor:
    """One score (N,) for each sample: the mean over its places, added up over scales."""
    parts = [scores] if isinstance(scores, Tensor) else scores
    return torch.stack([part.flatten(1).mean(1) for part in parts]).sum(0)


def flat_scores(scores: Scores) -> Tensor:
    """All scores of each sample: (N, number of places, over all scales)."""
    parts = [scores] if isinstance(scores, Tensor) else scores
    return torch.cat([part.flatten(1) for part in parts], 1)
