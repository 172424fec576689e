"""Builds the objects of a training (model, data, trainer, …) from a checked configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer

from ganlab.callbacks import Evaluation
from ganlab.callbacks.wandb_media import WandBMedia
from ganlab.config.checks import CALLBACKS
from ganlab.config.values import METRICS_MEMORY, memory
from ganlab.core import AdversarialModule
from ganlab.core.build import build_module, make
from ganlab.core.load import CHANGED, cannot_be_restored
from ganlab.errors import GanlabError
from ganlab.ranks import devices_of, is_main
from ganlab.record.wandb_logger import WandB
from ganlab.runs.allocator import keep_freed_memory


@dataclass
class Assembly:
    """The objects of a training session.

    Attributes:
        module: the game.
        data: its data module, with loaded data.
        trainer: Lightning's trainer.
        callbacks: all callbacks.
        loggers: what values are logged to.
    """

    module: AdversarialModule
    data: Any
    trainer: Trainer
    callbacks: list[Callback]
    loggers: list[Any]

    def fit(self, checkpoint: Path | None) -> None:
        """Train, from a checkpoint of this model if one is given.

        Raises:
            CheckpointError: other contents of the checkpoint than its weights do not fit.
        """
        try:
            self.trainer.fit(
                self.module, datamodule=self.data, ckpt_path=checkpoint, weights_only=True
            )
        except CHANGED as error:
            # Lightning restores the training's state before it loads the training data
            is_training = self.trainer.train_dataloader is not None
            if checkpoint is None or is_training or isinstance(error, GanlabError):
                raise
            raise cannot_be_restored(checkpoint, error) from error


def load(config: dict[str, Any]) -> tuple[AdversarialModule, Any, list[Callback]]:
    """Return the game, the data module with its data loaded, and the configuration's callbacks.

    Nothing is written to the run's folder. The main process also prepares the evaluation, so that
    weights and data that it lacks are known before the run's record begins.

    Args:
        config: the configuration, plain, resolved and checked.

    Raises:
        GanlabError: the data are missing or do not fit.
    """
    keep_freed_memory()
    torch.manual_seed(config["seed"])
    if config.get("threads"):
        torch.set_num_threads(config["threads"])
    module = build_module(config)
    if config.get("compile"):
        for name in module.averaged_modules:
            module.get_submodule(name).compile()
    data = make(config["data"])
    data.prepare_data()
    data.setup("fit")
    module.scheduled.set_epoch_length(data.batches_per_epoch * data.batch_size)
    if hasattr(data, "count_batches"):  # raises if the processes to come have too few examples
        nodes = config["trainer"].get("num_nodes") or 1
        data.count_batches(devices_of(config["trainer"]) * nodes)
    callbacks = _callbacks(config)
    for callback in callbacks:
        if isinstance(callback, Evaluation) and is_main():
            callback.protocol.prepare(data)
    return module, data, callbacks


def assemble(
    config: dict[str, Any],
    module: AdversarialModule,
    data: Any,
    callbacks: list[Callback],
    *further: Callback,
) -> Assembly:
    """Build loggers and trainer.

    Args:
        config: the configuration, plain, resolved and checked.
        module: the game.
        data: the data module.
        callbacks: the configuration's callbacks. `load` returned this list, module and data.
        further: additional callbacks, which run after those of the configuration.
    """
    loggers = [make(logger) for logger in (config.get("logger") or {}).values()]
    media = [WandBMedia(log, config["run_dir"]) for log in loggers if isinstance(log, WandB)]
    callbacks = [*callbacks, *media, *further]
    trainer: Trainer = make(
        config["trainer"],
        callbacks=callbacks,
        logger=loggers,
        default_root_dir=str(Path(config["run_dir"])),
    )
    return Assembly(module, data, trainer, callbacks, loggers)


def _callbacks(config: dict[str, Any]) -> list[Callback]:
    callbacks = [make(config["budget"], "budget")]
    for name in CALLBACKS:
        if (callback := (config["callbacks"] or {}).get(name)) and "_target_" in callback:
            callbacks.append(make(callback))
            if name in ("evaluation", "doctor", "samples"):
                callbacks[-1].memory = memory(config.get("metrics_memory", METRICS_MEMORY))
    return callbacks
