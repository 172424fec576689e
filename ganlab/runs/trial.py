"""A short, silent training in a temporary folder, for whoever measures one."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch

from ganlab.callbacks import Tracking
from ganlab.record.run import RunRecord
from ganlab.runs.assemble import assemble


def quiet(config: dict[str, Any], *kept: str) -> dict[str, Any]:
    """The configuration without an end, pictures, scores and bar: they have their own cadence.

    Args:
        config: plain and checked; it stays as it is.
        *kept: the names of callbacks that stay.
    """
    budget = {"_target_": "ganlab.callbacks.Budget", "minutes": 60}
    callbacks = config.get("callbacks") or {}
    return config | {"budget": budget, "callbacks": {name: callbacks.get(name) for name in kept}}


def fit(config: dict[str, Any], *callbacks: Any) -> Any:
    """Train silently with further callbacks until they stop the trainer; returns the assembly.

    What is written goes to a new folder in `run_dir`.
    """
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    folder = Path(tempfile.mkdtemp(dir=config["run_dir"]))
    record = RunRecord(folder)
    try:
        record.start(config["name"], config["seed"])
        parts = assemble(config, Tracking(record), *callbacks)
        parts.trainer.fit(parts.module, datamodule=parts.data)
    finally:
        record.close()
    return parts


def synchronize(device: Any) -> None:
    """Wait until an accelerator has done all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def now(device: Any) -> float:
    """Seconds, once the device is done."""
    synchronize(device)
    return time.perf_counter()
