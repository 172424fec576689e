"""Latents and labels of the samples that a person asks for."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import torch
from torch import Tensor

from ganlab.core import LatentModel
from ganlab.errors import ConfigError

MOST_COLUMNS = 40  # of a picture with one row per label
MOST_SAMPLES = 1_000_000  # in one call: their latents are held in memory


def sample_inputs(
    module: LatentModel,
    n: int | None = None,
    labels: Sequence[int] | None = None,
    seed: int | None = None,
    seeds: Sequence[int] | None = None,
    truncation: float | None = None,
) -> tuple[Tensor, Tensor | None, int | None]:
    """Return latents (N, latent), labels (N,) or None, and the columns of a picture or None.

    With `labels` the samples are in order of the labels: N is their number times n, or times the
    number of seeds. Each label then gets the same latents if they have seeds, else latents of its
    own.

    Args:
        module: the model.
        n: number of samples, or of samples of each label; None for 64.
        labels: classes; None for random classes of a conditional model.
        seed: seed of all latents; None for a random seed.
        seeds: one seed for each sample, whose latent is the first of that seed; None for `seed`.
        truncation: see `LatentModel.sample`.

    Raises:
        ConfigError: both `seeds` and `n` or `seed` are given, the model has no such labels, or the
            samples are more than `MOST_SAMPLES`.
    """
    for name, value in (("n", n), ("seed", seed)):
        if seeds is not None and value is not None:
            raise ConfigError(f"{name}: seeds= gives one sample for each seed; leave {name} out.")
    count = len(seeds) if seeds is not None else 64 if n is None else n
    if count * len(labels or [0]) > MOST_SAMPLES:
        of_labels = f" of each of {len(labels)} labels" if labels else ""
        raise ConfigError(
            f"{'n' if seeds is None else 'seeds'}: received {count:,} samples{of_labels}; at most "
            f"{MOST_SAMPLES:,} in all are made by one call. Call it several times with other seeds."
        )
    if labels is not None:
        module.check_labels(torch.tensor(labels))
    if seeds is not None:
        drawn = [module.draw_inputs(1, None, one, truncation) for one in seeds]
        latents = torch.cat([latent for latent, _ in drawn])
        if labels is None:
            random = [label for _, label in drawn if label is not None]
            return latents, torch.cat(random) if random else None, None
        latents = latents.repeat(len(labels), *[1] * (latents.dim() - 1))
        repeated = torch.tensor(labels).repeat_interleave(count)
    else:
        seed = secrets.randbits(62) if seed is None else seed
        if labels is None:
            return *module.draw_inputs(count, None, seed, truncation), None
        repeated = torch.tensor(labels).repeat_interleave(count)
        latents, _ = module.draw_inputs(len(repeated), repeated, seed, truncation)
    columns = count if len(labels) > 1 and count <= MOST_COLUMNS else None
    return latents, repeated, columns
