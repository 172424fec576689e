"""The patch-wise contrastive loss of CUT."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ganlab.errors import ConfigError


class PatchNCE:
    """A loss that pairs each patch of a translation with the same patch of its source.

    Park et al. 2020 (arXiv:2007.15651), equations 2 and 3. The query v at position s should
    choose the key at position s among the keys k of all S positions of the same image. The loss is
    the cross-entropy of this choice, with logits v·k / τ. Keys get no gradient. Keys of other
    images are not used.

    Args:
        temperature: τ, above 0.

    Raises:
        ConfigError: `temperature` is not above 0.
    """

    def __init__(self, temperature: float = 0.07) -> None:
        if not temperature > 0:
            raise ConfigError(
                f"PatchNCE.temperature: received {temperature}; needs a number above 0. "
                "The paper uses 0.07."
            )
        self.temperature = temperature

    def __call__(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the mean loss from unit vectors (N, S, F) of translations and of sources.

        The loss is computed in float32, as 1/τ (14 by default) multiplies rounding errors.
        """
        with torch.autocast(queries.device.type, enabled=False):
            logits = queries.float() @ keys.detach().float().transpose(1, 2) / self.temperature
            position = torch.arange(logits.shape[1], device=logits.device)
            return cross_entropy(logits.flatten(0, 1), position.repeat(len(logits)))
