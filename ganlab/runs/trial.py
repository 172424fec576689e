"""A short, silent training in a temporary folder, for measurements."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ganlab.callbacks import Tracking
from ganlab.record.run import RunRecord
from ganlab.runs.assemble import assemble, load


def without_callbacks(config: dict[str, Any], *, kept: Sequence[str]) -> dict[str, Any]:
    """Return the configuration with a budget of 60 minutes and without most callbacks.

    Callbacks for pictures, scores and the progress bar run at their own cadence, which would
    disturb a short measurement.

    Args:
        config: the configuration, plain and checked; it is not changed.
        kept: names of callbacks to keep.
    """
    budget = {"_target_": "ganlab.callbacks.Budget", "minutes": 60}
    callbacks = config.get("callbacks") or {}
    return config | {"budget": budget, "callbacks": {name: callbacks.get(name) for name in kept}}


def fit(config: dict[str, Any], *callbacks: Any) -> Any:
    """Train silently until one of the callbacks stops the trainer; return the assembly.

    The run's files are written to a new folder inside `run_dir`.

    Args:
        config: the configuration, plain and checked.
        *callbacks: callbacks in addition to the configuration's callbacks.
    """
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    folder = Path(tempfile.mkdtemp(dir=config["run_dir"]))
    record = RunRecord(folder)
    try:
        record.start(config["name"], config["seed"])
        parts = assemble(config, *load(config), Tracking(record), *callbacks)
        parts.trainer.fit(parts.module, datamodule=parts.data)
    finally:
        record.close()
    return parts


def synchronize(device: Any) -> None:
    """Wait until an accelerator has finished all queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def now(device: Any) -> float:
    """Return the time in seconds, after the device has finished all queued work."""
    synchronize(device)
    return time.perf_counter()
