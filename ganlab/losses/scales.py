"""Reductions of the scores of patch discriminators and of discriminators with several scales."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Scores = Tensor | list[Tensor]  # of any shape (N, …); a list has a tensor per scale


def over_scales(objective: Callable[..., Tensor], *scores: Scores) -> Tensor:
    """Return an objective of scores, summed over scales (Wang et al. 2018, arXiv:1711.11585).

    Args:
        objective: maps tensors of scores, of any shape, to a scalar.
        scores: the objective's arguments: all tensors, or all lists with a tensor per scale.
    """
    if isinstance(scores[0], Tensor):
        return objective(*scores)
    terms = [objective(*of_scale) for of_scale in zip(*scores, strict=True)]
    return torch.stack(terms).sum()


def mean_scores(scores: Scores) -> Tensor:
    """Return one score per sample, (N,): the mean over positions, summed over scales."""
    parts = [scores] if isinstance(scores, Tensor) else scores
    return torch.stack([part.flatten(1).mean(1) for part in parts]).sum(0)


def flat_scores(scores: Scores) -> Tensor:
    """Return all scores of each sample as (N, S); S counts the positions of all scales."""
    parts = [scores] if isinstance(scores, Tensor) else scores
    return torch.cat([part.flatten(1) for part in parts], 1)
