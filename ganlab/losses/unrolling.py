"""A generator that looks ahead: it plays against the discriminator of some steps later."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ganlab.errors import ConfigError

Score = Callable[..., Tensor]


class Unrolling:
    """The surrogate objective of Metz et al. 2017 (arXiv:1611.02163), section 2.

    The generator's loss is taken of the discriminator after K gradient steps, which answer to the
    generator's samples; its gradient flows through these steps too. The discriminator itself is
    left as it was.

    The steps are of plain gradient descent, whatever the discriminator's own optimizer is: where
    that is Adam, `lr` is not comparable with its rate.

    Args:
        steps: K ≥ 0; 0 is the ordinary game.
        lr: η, the rate of the steps, above 0.

    Raises:
        ConfigError: steps below 0, or a rate that is not positive.
    """

    def __init__(self, steps: int = 5, lr: float = 0.1) -> None:
        if steps < 0:
            raise ConfigError(f"Unrolling.steps: received {steps}; needs 0 or more.")
        if lr <= 0:
            raise ConfigError(f"Unrolling.lr: received {lr}; needs a number above 0.")
        self.steps, self.lr = steps, lr

    def look_ahead(self, discriminator: nn.Module, loss: Callable[[Score], Tensor]) -> Score:
        """The discriminator after its steps, as a function of samples and labels (or None).

        Args:
            discriminator: the network; its parameters need not require gradients.
            loss: maps such a function to the scalar that the discriminator minimises, with the
                graph of the generated samples in it.
        """
        parameters = {k: p.detach().requires_grad_() for k, p in discriminator.named_parameters()}
        buffers = {key: buffer.clone() for key, buffer in discriminator.named_buffers()}

        # at the newest of these parameters, whenever it is called
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
