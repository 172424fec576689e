"""What regularizers know of a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from ganlab.augment import Inputs

Score = Callable[[Inputs], Tensor]


@dataclass
class Step:
    """What is known of one step of a network.

    Inputs are samples (N, …), or a tuple of parts of the samples, e.g. pictures and latents.

    Args:
        network: the network that is trained, for penalties on its weights.
        score: maps inputs to scores (N,), through all augmentations; penalties call it in full
            precision.
        real: real inputs.
        fake: generated inputs.
        real_scores, fake_scores: the scores (N,) of the real and of the generated inputs.
        number: how many steps the phase has made before.
        labels: classes (N,) of the real examples, if the game has classes.
        latents: the latents (N, …) of the generated inputs, if it has latents.
        generate: maps latents to generated inputs.
    """

    network: nn.Module
    score: Score
    real: Inputs
    fake: Inputs
    real_scores: Tensor
    fake_scores: Tensor
    number: int
    labels: Tensor | None = None
    latents: Tensor | None = None
    generate: Callable[[Tensor], Inputs] | None = None


def parts_of(inputs: Inputs) -> tuple[Tensor, ...]:
    """Return the parts of inputs; samples that are one tensor have one part."""
    return (inputs,) if isinstance(inputs, Tensor) else inputs
