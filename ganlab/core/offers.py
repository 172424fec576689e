"""What a game may offer to those who use it; `isinstance(game, Generates)` asks for it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Generates(Protocol):
    """A game that makes samples from latents; see `LatentModel`, which implements it.

    It also has the attributes `classes`, `latents` and `modality`, which isinstance does not check.
    """

    def draw_inputs(
        self,
        n: int,
        labels: Tensor | None = None,
        seed: int | None = None,
        truncation: float | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Return latents (n, …) and, if conditional, labels (n,), on the CPU."""

    def sample(
        self,
        n: int | None = None,
        *,
        labels: Tensor | None = None,
        latents: Tensor | None = None,
        seed: int | None = None,
        ema: bool = True,
        truncation: float | None = None,
        gradients: bool = False,
        batch_size: int = 256,
    ) -> Tensor:
        """Return samples (n, …), images in [−1, 1]."""


@runtime_checkable
class Scores(Protocol):
    """A game with a discriminator of examples."""

    def score(self, samples: Tensor, label: Tensor | None = None) -> Tensor:
        """Return the discriminator's scores (N,) of samples (N, …), without augmentation."""


@runtime_checkable
class Encodes(Protocol):
    """A game that maps examples to latents."""

    def encode(self, examples: Tensor, *, ema: bool = True) -> Tensor:
        """Return latents (N, …) of examples (N, …), such as `Generates.sample` takes."""


@runtime_checkable
class Translates(Protocol):
    """A game that translates pictures; see `Translator`, which implements it."""

    def translate(
        self,
        x: Tensor,
        direction: str | None = None,
        *,
        ema: bool = True,
        seed: int | None = None,
        batch_size: int = 1,
    ) -> Tensor:
        """Return pictures (N, C, H, W) of one domain, translated into another domain."""

    def pictures(
        self, batch: dict[str, Tensor], *, ema: bool = True, seed: int = 0
    ) -> dict[str, Tensor]:
        """Return a dict that maps titles to rows of pictures (N, C, H, W) in [−1, 1]."""


@runtime_checkable
class Classifies(Protocol):
    """A game that classifies examples."""

    def classify(self, examples: Tensor, *, ema: bool = True) -> Tensor:
        """Return logits (N, classes) of examples (N, …), on the module's device."""
