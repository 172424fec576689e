"""The base class of augmentations of what a discriminator sees."""

from __future__ import annotations

from torch import Tensor, nn

Inputs = Tensor | tuple[Tensor, ...]


class Augmentation(nn.Module):
    """A random, differentiable change of all inputs of a discriminator, real and generated.

    It is part of the function that scores, so gradients pass through it, also those of gradient
    penalties. Random numbers come from torch's default generator of the inputs' device.

    Attributes:
        logged: names of buffers of one element, whose values are logged.
    """

    logged: tuple[str, ...] = ()

    def forward(self, inputs: Inputs) -> Inputs:
        """Return changed inputs of the same shapes.

        Args:
            inputs: samples (N, …), or several parts of each sample, e.g. pictures and their
                sources. Parts that are pictures (N, C, H, W) are changed alike.
        """
        if isinstance(inputs, Tensor):
            return self.augment((inputs,))[0]
        return self.augment(inputs)

    def augment(self, parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the changed parts of the samples; subclasses override this."""
        raise NotImplementedError

    def update(self, real_scores: Tensor) -> None:
        """Adapt to the scores (N,) of real examples.

        Called once for each batch of the discriminator's phase, on all ranks.
        """
