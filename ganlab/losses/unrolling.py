"""Unrolling: a generator's loss against the discriminator after some more steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ganlab.errors import ConfigError

Score = Callable[..., Tensor]


class Unrolling:
    """The surrogate objective of Metz et al. 2017 (arXiv:1611.02163), section 2.

    The generator's loss uses a copy of the discriminator after K gradient steps on the generator's
    samples. The generator's gradient flows through these steps too. The discriminator itself does
    not change.

    The steps are plain gradient descent, whatever optimizer the discriminator has. So `lr` is
    not comparable with the learning rate of Adam.

    Args:
        steps: K ≥ 0; 0 is the ordinary game.
        lr: η, the learning rate of these steps, above 0.

    Raises:
        ConfigError: `steps` is below 0, or `lr` is not above 0.
    """

    def __init__(self, steps: int = 5, lr: float = 0.1) -> None:
        if steps < 0:
            raise ConfigError(f"Unrolling.steps: received {steps}; needs 0 or more.")
        if lr <= 0:
            raise ConfigError(f"Unrolling.lr: received {lr}; needs a number above 0.")
        self.steps, self.lr = steps, lr

    def look_ahead(self, discriminator: nn.Module, loss: Callable[[Score], Tensor]) -> Score:
        """Return a function `score(samples, label=None)`: the discriminator after the K steps.

        Args:
            discriminator: the network; its parameters need not require gradients.
            loss: takes a function like the returned `score`, and returns the discriminator's loss,
                a scalar, which must keep the autograd graph of the generator's samples.
        """
        parameters = {k: p.detach().requires_grad_() for k, p in discriminator.named_parameters()}
        buffers = {key: buffer.clone() for key, buffer in discriminator.named_buffers()}

        # each call reads the variable `parameters`, so that it uses the newest parameters
        def score(samples: Tensor, label: Tensor | None = None) -> Tensor:
            inputs = (samples,) if label is None else (samples, label)
            return functional_call(discriminator, (parameters, buffers), inputs)

        for _ in range(self.steps):
            gradients = torch.autograd.grad(
                loss(score), list(parameters.values()), create_graph=True
            )
            parameters = {
                key: p - self.lr * g
                for (key, p), g in zip(parameters.items(), gradients, strict=True)
            }
        return score
