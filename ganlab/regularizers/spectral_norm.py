"""Spectral norm of a whole network: Miyato et al. 2018, arXiv:1802.05957, algorithm 1."""

from typing import TypeVar

from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from ganlab.errors import ConfigError
from ganlab.private import is_spectral_norm

Module = TypeVar("Module", bound=nn.Module)

LAYERS = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.Linear,
    nn.Embedding,
)


def _is_normalized(layer: nn.Module) -> bool:
    """Whether the weight of `layer` already goes through a spectral norm."""
    return parametrize.is_parametrized(layer, "weight") and any(
        is_spectral_norm(step) for step in layer.parametrizations["weight"]
    )


def spectral_normalize(module: Module, iterations: int = 1, eps: float = 1e-12) -> Module:
    """Divide each layer's weight by its largest singular value σ, in place, and return `module`.

    The weight is reshaped to a matrix W, one row per output. Power iteration estimates σ = uᵀ W v:
    W ← W / σ, equations 8 to 11. Each forward pass in training mode improves the estimate by
    `iterations` steps; in evaluation mode the estimate does not change. Biases, and scales and
    offsets of norms are not normalised, so a Lipschitz bound needs a network without batch norm.
    Layers that are already normalised are skipped, so a second call changes nothing.

    Args:
        module: a network with at least one convolution, linear layer or embedding.
        iterations: power iterations per forward pass, at least 1.
        eps: a small number above 0 that avoids division by 0 when u and v are normalised.

    Raises ConfigError for arguments out of range, and for a module with nothing to normalise.
    """
    if not isinstance(iterations, int) or iterations < 1:
        raise ConfigError(
            f"iterations: received {iterations!r}; allowed whole numbers from 1; nearest 1. Set "
            "iterations to 1, as in the paper."
        )
    if not eps > 0:
        raise ConfigError(
            f"eps: received {eps!r}; allowed numbers above 0; nearest 1e-12. Set eps to 1e-12."
        )
    layers = [layer for layer in module.modules() if isinstance(layer, LAYERS)]
    if not layers:
        raise ConfigError(
            f"module: received {type(module).__name__} without a layer to normalise; allowed are "
            "networks with a convolution, linear layer or embedding. Normalise the discriminator."
        )
    for layer in layers:
        if not _is_normalized(layer):
            spectral_norm(layer, n_power_iterations=iterations, eps=eps)
    return module
