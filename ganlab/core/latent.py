"""The base class of all families that generate samples from latents."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Literal

import torch
from torch import Tensor, nn

from ganlab.core.module import AdversarialModule
from ganlab.errors import ConfigError
from ganlab.modalities import Modality, of_shape


class LatentModel(AdversarialModule):
    """A game in which a network maps latents to samples.

    The network maps z (N, latent) [, label (N,)] to samples (N, *shape). It has the attributes
    `latent`, `shape` and, if it takes labels, `classes`. By default, latents are truncated by
    rejection. A network that truncates in another way, e.g. towards a mean as in StyleGAN, has a
    method `truncated(z[, label], psi=…)`, which returns truncated samples.

    Attributes:
        samples_from: the name of the network; its EMA weights are used by default.
        latents: distribution of z: "normal" for N(0, 1), or "uniform" in [−1, 1].
    """

    samples_from = "generator"
    latents: Literal["normal", "uniform"] = "normal"

    @property
    def classes(self) -> int | None:
        """Number of classes of a conditional model, else None."""
        return getattr(self._network, "classes", None)

    @property
    def modality(self) -> Modality:
        """The modality of the samples, which the network's output shape determines."""
        return of_shape(self._network.shape)

    def draw_latents(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Return sampled latents (n, latent); `generator` defaults to torch's random generator."""
        shape = (n, self._network.latent)
        device = self.device if generator is None else generator.device
        if self.latents == "uniform":
            return torch.rand(shape, generator=generator, device=device) * 2 - 1
        return torch.randn(shape, generator=generator, device=device)

    def draw_inputs(
        self,
        n: int,
        labels: Tensor | None = None,
        seed: int | None = None,
        truncation: float | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Return latents (n, latent) and, if conditional, labels (n,), on the CPU; see `sample`."""
        if seed is None:  # from torch's default generator, so that torch.manual_seed determines it
            seed = int(torch.randint(2**62, ()))
        rng = torch.Generator().manual_seed(seed)
        latents = self.draw_latents(n, rng)
        if truncation is not None and not self._truncates_itself:
            if not truncation >= 0.05:
                raise ConfigError(
                    f"truncation: received {truncation}; needs at least 0.05 (with less, hardly "
                    "any latent is left), or null for no truncation."
                )
            while (outside := latents.abs() > truncation).any():
                latents[outside] = self.draw_latents(n, rng)[outside]
        if self.classes and labels is None:
            labels = torch.randint(self.classes, (n,), generator=rng)
        return latents, labels

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
        """Return samples (n, *shape) on the module's device, images in [−1, 1].

        Args:
            n: number of samples (default: the length of `labels`); ignored if `latents` are given.
            labels: classes (n,) for a conditional model. By default they are sampled uniformly, or
                are 0, 1, 2, … in turn if `latents` are given.
            latents: latents (n, latent) to use instead of sampled ones.
            seed: seed of the latents and labels, which are the same on every device.
            ema: whether to use the network's EMA weights if it has them.
            truncation: entries of sampled latents outside [−truncation, truncation] are sampled
                again until all are inside (Brock et al. 2019, arXiv:1809.11096, section 3.1). For a
                network with its own truncation, the network's ψ; else ignored for given latents.
            gradients: whether gradients flow to `latents`, and to weights that require gradients.
            batch_size: samples generated per forward pass.

        Raises:
            ConfigError: neither `n` nor labels nor latents, labels for an unconditional model,
                labels outside 0 … classes − 1, `n` below 0, latents or labels of another shape, or
                `truncation` below 0.05.
        """
        if latents is None:
            if n is None and labels is None:
                raise ConfigError("n: missing; give n, labels or latents.")
            n = len(labels) if n is None else n
            if isinstance(n, bool) or not isinstance(n, Integral) or n < 0:
                raise ConfigError(f"n: received {n!r}; needs a whole number of 0 or more.")
            latents, labels = self.draw_inputs(n, labels, seed, truncation)
        else:
            needed = self.draw_latents(1, torch.Generator()).shape[1:]
            if latents.ndim < 1 or latents.shape[1:] != needed:
                raise ConfigError(
                    f"latents: received shape {tuple(latents.shape)}; needs (n, "
                    f"{', '.join(map(str, needed))})."
                )
            if self.classes and labels is None:
                labels = torch.arange(len(latents)) % self.classes
        if labels is not None and len(labels) != len(latents):
            raise ConfigError(f"labels: received {len(labels)} for {len(latents)} latents.")
        self.check_labels(labels)
        inputs = [latents] if labels is None else [latents, labels]
        with self.evaluating(self.samples_from, ema) as network, torch.set_grad_enabled(gradients):
            if truncation is not None and self._truncates_itself:
                generate = lambda *inputs: network.truncated(*inputs, psi=truncation)  # noqa: E731
            else:
                generate = network
            batches = zip(*(part.split(batch_size) for part in inputs), strict=True)
            return torch.cat([generate(*(x.to(self.device) for x in batch)) for batch in batches])

    def check_data(self, shapes: Mapping[str, tuple[int, ...]], provides: tuple[str, ...]) -> None:
        """Check the batch keys, and that the network makes samples of the data's shape."""
        super().check_data(shapes, provides)
        network, shape = self._network, tuple(shapes["example"])
        if missing := [name for name in ("latent", "shape") if not hasattr(network, name)]:
            raise ConfigError(
                f"model.{self.samples_from}: a {type(network).__name__} has no attribute "
                f"{missing[0]}. Set latent and shape (and classes, if it takes labels) in its "
                "constructor."
            )
        inputs = [torch.zeros(2, network.latent), torch.zeros(2, dtype=torch.long)]
        inputs = inputs if self.classes else inputs[:1]
        made = self.check_takes(self.samples_from, network, *inputs)
        if made[1:] != shape:
            raise ConfigError(
                f"model.{self.samples_from}: makes samples of shape {made[1:]}, but the data has "
                f"{shape}. Let the model's size and channels follow the data's "
                "(size: ${data.size}, channels: ${data.channels}, shape: [${data.dimensions}])."
            )

    def check_labels(self, labels: Tensor | None) -> None:
        """Raise a ConfigError unless the model has these classes; None is always allowed."""
        if labels is None:
            return
        if not self.classes:
            raise ConfigError("labels: this model is unconditional; leave labels out.")
        if len(unknown := labels[(labels < 0) | (labels >= self.classes)]):
            raise ConfigError(
                f"labels: received {int(unknown[0])}; choose labels from 0 to {self.classes - 1}."
            )

    @property
    def _network(self) -> nn.Module:
        return getattr(self, self.samples_from)

    @property
    def _truncates_itself(self) -> bool:
        return hasattr(self._network, "truncated")
