"""LeCam regularization: Tseng et al. 2021, arXiv:2104.03310."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import relu

from ganlab.errors import ConfigError
from ganlab.ranks import mean_over_ranks
from ganlab.regularizers.base import Penalty
from ganlab.regularizers.step import Step


class LeCam(Penalty):
    """E[(D(x) − α_F)²] + E[(D(G(z)) − α_R)²], with running means α of the discriminator's scores.

    R_LC of Tseng et al. 2021 (arXiv:2104.03310), section 3. α_R is the running mean of the scores
    of real examples, and α_F that of samples. Both are averaged over ranks and include the present
    step. They have no bias towards the initial 0 (Kingma and Ba 2015, arXiv:1412.6980, section 3).

    Args:
        weight: λ.
        decay: what remains of the running means each time the term is computed, in [0, 1).
        one_sided: whether scores of real examples below α_F, and scores of samples above α_R, are
            not penalised, as in the authors' code.
        every: see `Penalty`.

    Raises:
        ConfigError: `decay` is outside [0, 1), `weight` below 0, or `every` below 1.
    """

    logged = ("real_mean", "fake_mean")
    real_mean: Tensor
    fake_mean: Tensor
    seen: Tensor

    def __init__(
        self, weight: float = 0.3, decay: float = 0.99, one_sided: bool = False, every: int = 1
    ) -> None:
        super().__init__(weight, every)
        if isinstance(decay, (int, float)) and not 0 <= decay < 1:
            raise ConfigError(f"LeCam.decay: received {decay}; needs a number in [0, 1).")
        self.decay, self.one_sided = decay, one_sided
        for name in ("real_mean", "fake_mean", "seen"):  # seen: 1 − decayᵗ after t steps
            self.register_buffer(name, torch.zeros(()))

    def term(self, step: Step) -> Tensor:
        self.seen.lerp_(torch.ones_like(self.seen), 1 - self.decay)
        scores = torch.stack([step.real_scores.mean(), step.fake_scores.mean()])
        real, fake = mean_over_ranks(scores.float())
        self.real_mean += (real - self.real_mean) * (1 - self.decay) / self.seen
        self.fake_mean += (fake - self.fake_mean) * (1 - self.decay) / self.seen
        above, below = step.real_scores - self.fake_mean, self.real_mean - step.fake_scores
        if self.one_sided:
            above, below = relu(above), relu(below)
        return above.square().mean() + below.square().mean()
