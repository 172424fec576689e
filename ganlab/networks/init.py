"""Published initialisations of weights.

A network calls `initialise(self, init)` at the end of its constructor.
"""

import math
from collections.abc import Callable
from typing import Literal, TypeVar

from torch import Tensor, nn
from torch.nn.utils import parametrize

from ganlab.errors import ConfigError, one_of

Init = Literal["default", "dcgan", "xavier", "he", "uniform", "uniform_small", "orthogonal"]
Module = TypeVar("Module", bound=nn.Module)

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
WEIGHTED = (*CONVOLUTIONS, *TRANSPOSED, nn.Linear, nn.Embedding)
NORMS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
)


def _he(layer: nn.Module) -> Tensor:
    """Sample normal numbers of variance 2 / fan_in in place; an output sums over fan_in inputs."""
    weight = layer.weight
    if isinstance(layer, nn.Embedding):
        fan_in = weight.shape[1]
    elif isinstance(layer, TRANSPOSED):  # (in, out / groups, *kernel)
        # with a stride, an output uses only a part of the kernel
        fan_in = weight.numel() / weight.shape[1] / layer.groups / math.prod(layer.stride)
    else:
        fan_in = weight.numel() / weight.shape[0]
    return nn.init.normal_(weight, 0.0, math.sqrt(2.0 / fan_in))


# Functions that initialise the weights of a convolution, linear layer or embedding in place.
INITS: dict[str, Callable[[nn.Module], Tensor] | None] = {
    # PyTorch's initialisation.
    "default": None,
    # N(0, 0.02), scales of norms N(1, 0.02): Radford et al. 2015 (arXiv:1511.06434), section 4,
    # and code.
    "dcgan": lambda layer: nn.init.normal_(layer.weight, 0.0, 0.02),
    # Glorot and Bengio 2010, uniform; the gain is set by `with_gain` (default: 1).
    "xavier": lambda layer: nn.init.xavier_uniform_(layer.weight, gain_of(layer)),
    # He et al. 2015 (arXiv:1502.01852), equation 10.
    "he": _he,
    # In the code of Goodfellow et al. 2014 (arXiv:1406.2661), the generator has "uniform", and the
    # discriminator has "uniform_small".
    "uniform": lambda layer: nn.init.uniform_(layer.weight, -0.05, 0.05),
    "uniform_small": lambda layer: nn.init.uniform_(layer.weight, -0.005, 0.005),
    # Saxe et al. 2013 (arXiv:1312.6120), as in BigGAN (arXiv:1809.11096).
    "orthogonal": lambda layer: nn.init.orthogonal_(layer.weight, gain_of(layer)),
}


def with_gain(layer: Module, gain: float) -> Module:
    """Return `layer`, marked so that "xavier" and "orthogonal" scale its weights by `gain`."""
    layer.init_gain = gain
    return layer


def gain_of(layer: nn.Module) -> float:
    """Return the factor set by `with_gain`, else 1."""
    return getattr(layer, "init_gain", 1.0)


def initialise(module: Module, init: Init) -> Module:
    """Initialise the weights of all layers of `module` in place, and return `module`.

    Biases become 0. Norms' scales become 1, or N(1, 0.02) for "dcgan". "default" changes nothing.
    Weights on the meta device are skipped.

    Raises ConfigError for an unknown name, and for a module with spectral norm: its weights are
    computed, so that initialising them would have no effect.
    """
    init_weight = INITS[one_of("init", init, INITS)]
    if init_weight is None:
        return module
    for name, layer in module.named_modules():
        if parametrize.is_parametrized(layer, "weight"):
            raise ConfigError(
                f"init: received {init!r} for a module whose layer {name or 'itself'!r} computes "
                "its weight (spectral norm); allowed are layers with plain weights. Call "
                "initialise before spectral_normalize."
            )
        weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
        if weight is None or weight.is_meta or not isinstance(layer, (*WEIGHTED, *NORMS)):
            continue
        if isinstance(layer, WEIGHTED):
            init_weight(layer)
        elif init == "dcgan":
            nn.init.normal_(weight, 1.0, 0.02)
        else:
            nn.init.ones_(weight)
        if bias is not None:
            nn.init.zeros_(bias)
    return module
