"""Contrastive losses: tell the feature that belongs to a query from the others."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ganlab.errors import ConfigError


class PatchNCE:
    """Each patch of a translated image shall be recognised among the patches of its source.

    Park et al. 2020 (arXiv:2007.15651), equations 2 and 3: the cross-entropy of choosing, for the
    query at place s, the key at place s among the keys of all S places of the same image, with
    logits v·k / τ. Keys carry no gradient; other images of the batch give no negatives.

    Args:
        temperature: τ, above 0.

    Raises:
        ConfigError: a temperature that is not positive.
    """

    def __init__(self, temperature: float = 0.07) -> None:
        if not temperature > 0:
            raise ConfigError(
                f"PatchNCE.temperature: received {temperature}; needs a number above 0. "
                "The paper's is 0.07."
            )
        self.temperature = temperature

    def __call__(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Unit vectors (N, S, F) of translations and of sources to a scalar to minimise.

        In full precision: τ multiplies the rounding of a half-precision product by 14.
        """
        with torch.autocast(queries.device.type, enabled=False):
            logits = queries.float() @ keys.detach().float().transpose(1, 2) / self.temperature
            own = torch.arange(logits.shape[1], device=logits.device)
            return cross_entropy(logits.flatten(0, 1), own.repeat(len(logits)))
