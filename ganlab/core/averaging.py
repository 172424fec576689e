"""A module that carries averaged copies of some of its submodules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from lightning.pytorch import LightningModule
from torch import nn


class AveragedModule(LightningModule):
    """Holds the averaged weights; the callback `EMA` moves them.

    Attributes:
        averaged_modules: submodules that an exponential moving average follows.
        calls_whole: whether training calls these modules as wholes, which is what can be compiled.
        averaged: their copies by name, once averaging has started; always in evaluation mode.
    """

    averaged_modules: tuple[str, ...] = ("generator",)
    calls_whole: bool = True

    def __init__(self) -> None:
        super().__init__()
        self.averaged = nn.ModuleDict()

    def start_averaging(self) -> None:
        """Keep a copy of the averaged modules, in evaluation mode; `EMA` moves it."""
        for name in self.averaged_modules:
            if name not in self.averaged:
                copy = deepcopy(self.get_submodule(name)).eval().requires_grad_(False)
                self.averaged[name] = copy

    def train(self, mode: bool = True) -> AveragedModule:
        """Set the training mode of all but the averaged copies."""
        super().train(mode)
        self.averaged.eval()
        return self

    @contextmanager
    def evaluating(self, name: str, ema: bool = True) -> Iterator[nn.Module]:
        """The submodule `name`, averaged where it can be, in evaluation mode, without gradients."""
        module = self.averaged[name] if ema and name in self.averaged else self.get_submodule(name)
        was_training = module.training
        module.eval()
        try:
            with torch.no_grad():
                yield module
        finally:
            module.train(was_training)
