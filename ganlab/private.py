"""Private names of other packages: all that ganlab uses, where there is no public way.

A new version of such a package may break what is here; tests/test_private.py says then what it was.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning.pytorch import Trainer
    from lightning.pytorch.loggers import TensorBoardLogger
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial
    from torch import nn


def checkpoint_of(trainer: Trainer) -> dict[str, Any]:
    """What Lightning would write to a checkpoint.

    `trainer.save_checkpoint` waits for all ranks, and a rank that fails alone must not wait.
    """
    return trainer._checkpoint_connector.dump_checkpoint(weights_only=False)


def hide_after(logger: TensorBoardLogger, step: int) -> None:
    """Let TensorBoard hide what was logged after a step; known once a checkpoint is loaded only."""
    logger._kwargs["purge_step"] = step + 1


def is_spectral_norm(parametrization: nn.Module) -> bool:
    """Whether it was made by `torch.nn.utils.parametrizations.spectral_norm`."""
    from torch.nn.utils.parametrizations import _SpectralNorm

    return isinstance(parametrization, _SpectralNorm)


def goes_on(study: Study, trial: FrozenTrial) -> Trial:
    """A trial that runs, to be continued by another process."""
    from optuna import Trial

    return Trial(study, trial._trial_id)


def run_hydra(main: Callable[[], object], arguments: list[str]) -> None:
    """Call a function that `hydra.main` has made, which reads `sys.argv` and nothing else."""
    before, sys.argv = sys.argv, arguments
    try:
        main()
    finally:
        sys.argv = before
