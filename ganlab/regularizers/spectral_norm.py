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
    """Divide every weight of `module` by its largest singular value σ, in place; returns it.

    σ is that of the weight as a matrix (out, everything else), and it is estimated by power
    iteration: W ← W / (uᵀ W v), equations 8 to 11. Each forward in training mode moves the estimate
    by `iterations` steps; evaluation mode leaves it alone. Biases, and scales and offsets of norms
    stay as they are: a Lipschitz bound needs a network without batch norm. A layer that is already
    normalised is left alone, so that a second call changes nothing.

    Args:
        module: a network with at least one convolution, linear layer or embedding.
        iterations: power iterations per forward, at least 1.
        eps: added where u and v are normalised, above 0.

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
