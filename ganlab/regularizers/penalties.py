"""Penalties on the discriminator's gradient with respect to its input."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import relu

from ganlab.errors import ConfigError
from ganlab.regularizers.base import GradientPenaltyBase


class GradientPenalty(GradientPenaltyBase):
    """(‖∇D(x̂)‖₂ − center)², x̂ uniform on the line between a real example and a sample.

    WGAN-GP: Gulrajani et al. 2017 (arXiv:1704.00028), equation 3. With `one_sided`, norms below the
    center are not penalised (WGAN-LP: Petzka et al. 2018, arXiv:1709.08894, equation 8). With
    center 0 it is the zero-centred penalty of Thanh-Tung et al. 2019 (arXiv:1902.03984),
    equation 8.

    Args:
        weight: λ.
        center: the gradient norm at which the penalty is 0; at least 0.
        one_sided: whether only norms above `center` are penalised.
        every: see `Penalty`.

    Raises:
        ConfigError: `center` is negative, or `every` below 1.
    """

    def __init__(
        self, weight: float = 10.0, center: float = 1.0, one_sided: bool = False, every: int = 1
    ) -> None:
        super().__init__(weight, every)
        if isinstance(center, (int, float)) and center < 0:
            raise ConfigError(f"{type(self).__name__}.center: received {center}; needs 0 or more.")
        self.center, self.one_sided = center, one_sided

    def points(self, real: tuple[Tensor, ...], fake: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        n = len(real[0])
        epsilon = torch.rand(n, device=real[0].device, dtype=real[0].dtype)  # for all parts alike
        return tuple(
            torch.lerp(f, r, epsilon.to(r.dtype).view(n, *[1] * (r.dim() - 1)))
            for f, r in zip(fake, real, strict=True)
        )

    def of_gradients(self, gradients: Tensor) -> Tensor:
        if self.center == 0:  # squares, as the norm has no derivative at 0
            return gradients.square().sum(1).mean()
        excess = torch.linalg.vector_norm(gradients, dim=1) - self.center
        return (relu(excess) if self.one_sided else excess).square().mean()


class LocalPenalty(GradientPenalty):
    """DRAGAN: (‖∇D(x + δ)‖₂ − center)² near the real examples x.

    Kodali et al. 2017 (arXiv:1705.07215), section 2.3, with the perturbation of the authors' code:
    δ = spread · std(x) · u, with u uniform in [0, 1) for each value and std over the whole batch.
    Their code then samples a point between x and x + δ. Here the point is x + δ, as in the paper.

    Args:
        weight: λ.
        center: the gradient norm at which the penalty is 0; at least 0.
        spread: the size of the perturbation in standard deviations of the batch.
        one_sided: whether only norms above `center` are penalised.
        every: see `Penalty`.

    Raises:
        ConfigError: `center` is negative, or `every` below 1.
    """

    def __init__(
        self,
        weight: float = 10.0,
        center: float = 1.0,
        spread: float = 0.5,
        one_sided: bool = False,
        every: int = 1,
    ) -> None:
        super().__init__(weight, center, one_sided, every)
        self.spread = spread

    def points(self, real: tuple[Tensor, ...], fake: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(part + self.spread * part.std() * torch.rand_like(part) for part in real)


class R1(GradientPenaltyBase):
    """½‖∇D(x)‖² at real examples: Mescheder et al. 2018 (arXiv:1801.04406), equation 9.

    Args:
        weight: γ.
        every: see `Penalty`.
    """

    at = "real"

    def of_gradients(self, gradients: Tensor) -> Tensor:
        return 0.5 * gradients.square().sum(1).mean()


class R2(R1):
    """½‖∇D(G(z))‖² at generated samples: Mescheder et al. 2018, equation 10."""

    at = "fake"
