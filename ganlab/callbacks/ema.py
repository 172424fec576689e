"""Exponential moving average (EMA) of the weights."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ganlab.core import AdversarialModule
from ganlab.errors import ConfigError


class EMA(Callback):
    """Updates the EMA weights of a network after each step of the player that trains it.

    With half-life h the contribution of an old value halves every h examples (Karras et al. 2020,
    arXiv:2006.06676, appendix; Yazıcı et al. 2019, arXiv:1806.04498). Floating-point buffers such
    as running statistics are averaged as well; integer buffers are copied.

    Args:
        half_life: half-life in examples, above 0; may be a `Schedule`.
        ramp_up: upper bound of the half-life, as a fraction of the examples seen, so that early
            EMA weights do not depend on the initial weights; None for no bound.

    Raises:
        ConfigError: the half-life or the ramp is not positive.
    """

    lengths = ("half_life",)  # attributes that shrink with a shortened run

    def __init__(self, half_life: float = 10_000, ramp_up: float | None = 0.05) -> None:
        for name, value in (("half_life", half_life), ("ramp_up", ramp_up)):
            if isinstance(value, (int, float)) and value <= 0:
                raise ConfigError(f"ema.{name}: received {value}; needs a number above 0.")
        self.half_life, self.ramp_up = half_life, ramp_up
        self.last_examples = 0
        self._steps: dict[str, int] = {}

    def setup(self, trainer: Trainer, pl_module: AdversarialModule, stage: str) -> None:
        """Copy the networks to be averaged, before training changes the weights."""
        pl_module.start_averaging()
        pl_module.scheduled.bind("ema", self)

    def on_train_start(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Pair each tensor of the EMA networks with the corresponding raw tensor."""
        self._steps = dict(pl_module.steps)
        self._averaged: list[torch.Tensor] = []
        self._raw: list[torch.Tensor] = []
        self._copied: list[tuple[torch.Tensor, torch.Tensor]] = []
        for name, copy in pl_module.averaged.items():
            raw = pl_module.get_submodule(name).state_dict(keep_vars=True)
            for key, tensor in copy.state_dict(keep_vars=True).items():
                if tensor.is_floating_point():
                    self._averaged.append(tensor.detach())
                    self._raw.append(raw[key].detach())
                else:
                    self._copied.append((tensor, raw[key]))

    def decay(self, examples: int, since: int) -> float:
        """Return the factor of the old average in an update.

        Args:
            examples: examples seen.
            since: examples since the previous update.
        """
        half_life = self.half_life
        if self.ramp_up is not None:
            half_life = min(half_life, self.ramp_up * examples)
        return 0.5 ** (since / half_life)

    @torch.no_grad()
    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Update the average if a player that trains an averaged network has taken a step."""
        if pl_module.steps == self._steps or not self._has_stepped(pl_module):
            return
        self._steps = dict(pl_module.steps)
        examples = pl_module.examples_seen
        decay = self.decay(examples, examples - self.last_examples)
        get_ema_multi_avg_fn(decay)(self._averaged, self._raw, None)
        for copy, raw in self._copied:
            copy.copy_(raw)
        self.last_examples = examples

    def _has_stepped(self, module: AdversarialModule) -> bool:
        stepped = [role for role, n in module.steps.items() if n != self._steps.get(role)]
        return any(module.trains(role, name) for role in stepped for name in module.averaged)

    def state_dict(self) -> dict[str, Any]:
        """Return the examples seen at the last update."""
        return {"last_examples": self.last_examples}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the value of `state_dict`."""
        self.last_examples = state_dict["last_examples"]
