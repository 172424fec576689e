"""All uses of private names of other packages; these names have no public replacement.

A new version of such a package may break these functions. tests/test_private.py then fails.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm  # the base of all batch norms
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.utils._python_dispatch import TorchDispatchMode as TorchDispatchMode
from torch.utils._pytree import tree_iter as tree_iter

if TYPE_CHECKING:
    from lightning.pytorch import Trainer
    from lightning.pytorch.loggers import TensorBoardLogger
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial
    from torchmetrics import Metric

Dropout = _DropoutNd  # the base of all dropouts
TENSORS = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2")  # in a pickle
PARAMETER = "torch._utils._rebuild_parameter"
PythonUnpickler = pickle._Unpickler  # that of C takes memory for the largest index it reads


class BatchNormOfAnyRank(BatchNorm):
    """Batch norm of inputs (N, C, …) with any number of dimensions.

    torch's public classes fix this number, and DDP refuses subclasses of SyncBatchNorm on the CPU.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"input: received {input.dim()} dimensions; needs 2 or more.")


def checkpoint_of(trainer: Trainer) -> dict[str, Any]:
    """Return what Lightning would write to a checkpoint.

    `trainer.save_checkpoint` waits for all ranks, which would hang when a single rank fails.
    """
    return trainer._checkpoint_connector.dump_checkpoint(weights_only=False)


def hide_after(logger: TensorBoardLogger, step: int) -> None:
    """Let TensorBoard hide what was logged after `step`.

    The constructor takes this number too, but it is known only once a checkpoint is loaded.
    """
    logger._kwargs["purge_step"] = step + 1


def is_spectral_norm(parametrization: nn.Module) -> bool:
    """Whether a parametrization is of `torch.nn.utils.parametrizations.spectral_norm`."""
    return isinstance(parametrization, _SpectralNorm)


def is_synced(metric: Metric) -> bool:
    """Whether the states of a torchmetrics metric are those of all processes at the moment."""
    return metric._is_synced


def shrink_default(metric: Metric, state: str) -> None:
    """Let the initial value of a metric's state, a tensor of zeros, take no memory.

    Copies of the metric copy it too. `reset` makes it a complete tensor.
    """
    zeros = metric._defaults[state]
    metric._defaults[state] = zeros.new_zeros(()).expand(zeros.shape)


def continue_trial(study: Study, trial: FrozenTrial) -> Trial:
    """Return an object with which this process continues a trial of another process."""
    from optuna import Trial

    return Trial(study, trial._trial_id)


def run_hydra(main: Callable[[], object], arguments: list[str]) -> None:
    """Call a function decorated with `hydra.main`, which takes its arguments only from sys.argv.

    Args:
        main: the decorated function.
        arguments: the value of sys.argv during the call, the program's name first.
    """
    before, sys.argv = sys.argv, arguments
    try:
        main()
    finally:
        sys.argv = before
