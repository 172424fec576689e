"""A LightningModule that keeps EMA copies of some of its submodules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

from lightning.pytorch import LightningModule
from torch import nn

from ganlab.errors import ConfigError


class AveragedModule(LightningModule):
    """A LightningModule that holds EMA weights, which the callback `EMA` updates.

    Attributes:
        averaged_modules: names of the submodules that have EMA weights.
        can_compile: whether training calls these submodules only through their `forward`. Only
            then can they be compiled.
        averaged: the EMA copies of these submodules by name, always in evaluation mode; empty
            until averaging has started.
    """

    averaged_modules: tuple[str, ...] = ("generator",)
    can_compile: bool = True

    def __init__(self) -> None:
        super().__init__()
        self.averaged = nn.ModuleDict()

    def start_averaging(self) -> None:
        """Copy the submodules in `averaged_modules` to `averaged`, for `EMA` to update.

        Raises:
            ConfigError: there is no such submodule.
        """
        networks = dict(self.named_children())
        for name in self.averaged_modules:
            if name not in networks:
                raise ConfigError(
                    f"{type(self).__name__}.averaged_modules: received {name!r}, which is no "
                    "network of the model. Give names of networks, or () for no EMA weights."
                )
            if name not in self.averaged:
                copy = deepcopy(self.get_submodule(name)).eval().requires_grad_(False)
                self.averaged[name] = copy

    def train(self, mode: bool = True) -> AveragedModule:
        """Set the training mode of all submodules but the EMA copies."""
        super().train(mode)
        self.averaged.eval()
        return self

    @contextmanager
    def evaluating(self, name: str, ema: bool = True) -> Iterator[nn.Module]:
        """Yield submodule `name` in evaluation mode.

        If `ema` is true and the submodule has an EMA copy, the copy is yielded instead.
        """
        module = self.averaged[name] if ema and name in self.averaged else self.get_submodule(name)
        modes = {part: part.training for part in module.modules()}
        module.eval()
        try:
            yield module
        finally:
            for part, was_training in modes.items():
                part.training = was_training
