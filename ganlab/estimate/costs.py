"""Measure what a configuration costs: time of a batch, time of callbacks, and memory."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import torch
import torch.hub
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from ganlab.config.values import METRICS_MEMORY, memory
from ganlab.core import AdversarialModule, Phase
from ganlab.core.build import make
from ganlab.data.batches import rows
from ganlab.errors import DataError
from ganlab.metrics import Work
from ganlab.record.machine import forget_peak_memory, peak_memory_mib
from ganlab.record.stored import relocated
from ganlab.runs.trial import fit, now, without_callbacks

WARM_UP = 3  # minimum number of batches before the measurement
BATCHES = 10  # minimum number of measured batches
SECONDS = 2.0  # minimum of measured seconds: 10 batches of a small network take only 20 ms
LONGEST = 120.0  # seconds after which the measurement ends even with fewer batches
CALLS_WITHIN = 30.0  # seconds after which the measurement of a callback stops
MEASURED = {
    "doctor": "the doctor's samples",
    "samples": "sample pictures",
    "checkpoints": "checkpoints",
    "evaluation": "scores",
}
LONGEST_PERIOD = 100  # maximum number of batches in a period, see `period_of`


@dataclass(frozen=True)
class CallbackCost:
    """Seconds that a callback (a picture, scores, …) takes.

    Attributes:
        first: seconds of the first call.
        again: seconds of each later call.
    """

    first: float
    again: float

    def times(self, count: int) -> float:
        """Return the seconds of `count` calls."""
        return self.first + (count - 1) * self.again if count else 0.0


@dataclass
class Costs:
    """The costs that were measured, in one process.

    The fields in MiB count the device's memory on CUDA, else the whole process's memory.

    Attributes:
        device: the model's device.
        warm_up: batches before the measurement.
        batches: measured batches.
        seconds: seconds per batch.
        examples: examples in a batch.
        samples: examples in the training split.
        memory: maps a purpose to bytes, see `memory_of`.
        loading: peak MiB until the first batch.
        before: MiB held when the first batch starts.
        peak: peak MiB in the measured batches.
        callbacks: maps the name of a measured callback to its cost.
        reasons: maps the name of another callback to why it was not measured.
        bytes: size of a picture file ("samples") and of a checkpoint ("checkpoints").
    """

    device: str = ""
    warm_up: int = 0
    batches: int = 0
    seconds: float = 0.0
    examples: int = 0
    samples: int = 0
    memory: dict[str, int] = field(default_factory=dict)
    loading: float = 0.0
    before: float = 0.0
    peak: float = 0.0
    callbacks: dict[str, CallbackCost] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)


def measure(
    config: dict[str, Any], folder: str, refused: dict[Path, str]
) -> tuple[Costs, AdversarialModule]:
    """Return the costs that were measured in one process, and the module.

    Some batches are trained, and each callback is called up to twice. The caller must have entered
    `without_downloads`.

    Args:
        config: the configuration, plain and checked.
        folder: the folder that files are written to, in place of `run_dir`.
        refused: the files that were not downloaded, as yielded by `without_downloads`.

    Raises:
        GanlabError: the same errors as in training, e.g. missing data or a loss that is not finite.
    """
    moved = relocated(config, str(config["run_dir"]), folder) | {"logger": {}}
    moved["trainer"] = moved["trainer"] | {"devices": 1, "num_nodes": 1, "strategy": "auto"}
    measurement = Measurement(moved, refused)
    silent = without_callbacks(moved, kept=("ema", "doctor"))
    # the doctor's log rows count as batch time; its generated samples are timed separately
    if "every_examples" in (silent["callbacks"]["doctor"] or {}):
        doctor = silent["callbacks"]["doctor"] | {"every_examples": None}
        silent["callbacks"] = silent["callbacks"] | {"doctor": doctor}
    parts = fit(silent, measurement)
    return measurement.costs, parts.module


def period_of(module: AdversarialModule, loss: dict[str, Any] | None) -> int:
    """Return the number of batches after which the schedule of steps repeats, limited to 100.

    It is the period of the steps of all phases and of all lazy regularizers together. A
    regularizer's `every` counts steps of the discriminator.

    Args:
        module: the game.
        loss: the configuration's section `loss`.
    """
    players = module.players
    counts = {p.name: p.every * players[p.players[0]].accumulate for p in module.phases}
    per_step = counts.get("discriminator", 1)
    regularizers = ((loss or {}).get("regularizers") or {}).values()
    lazy = [per_step * r.get("every", 1) for r in regularizers if r]
    return min(math.lcm(*counts.values(), *lazy), LONGEST_PERIOD)


class Measurement(Callback):
    """Measures batches after a warm-up, then times calls of the run's callbacks.

    Args:
        config: the configuration, plain, with a temporary `run_dir`.
        refused: the files that were not downloaded, see `without_downloads`.
    """

    def __init__(self, config: dict[str, Any], refused: dict[Path, str]) -> None:
        self.config, self.refused = config, refused
        self.costs = Costs()

    def on_train_start(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Record the memory that loading took, and choose how many batches are measured.

        The measured batches have all phases, whenever these begin and end in the run.
        """
        self._phases = pl_module.phases
        pl_module.phases = tuple(Phase(p.name, p.players, p.every) for p in self._phases)
        self.period = period_of(pl_module, self.config.get("loss"))
        self.warm_up = self.costs.warm_up = -(-WARM_UP // self.period) * self.period
        self.batches = -(-BATCHES // self.period) * self.period
        device = pl_module.device
        self._begun = now(device)
        self.costs.loading = self._peak(device)
        forget_peak_memory()
        self.costs.before = self._peak(device)

    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Start the measurement after the warm-up, and end it after enough batches.

        If the warm-up alone takes `LONGEST`, its batches are what is measured.
        """
        done = pl_module.batches_seen - self.warm_up
        if done == 0:
            self._started = now(pl_module.device)
        is_late = time.perf_counter() - self._begun >= LONGEST
        if done <= 0 and is_late:
            done, self.costs.warm_up, self._started = pl_module.batches_seen, 0, self._begun
        if done <= 0 or (done % self.period and not is_late):
            return
        elapsed = time.perf_counter() - self._started
        if (done >= self.batches and elapsed >= SECONDS) or is_late:
            device = pl_module.device
            costs = self.costs
            costs.batches, costs.seconds = done, (now(device) - self._started) / done
            costs.device, costs.peak = str(device), self._peak(device)
            costs.examples = pl_module.examples_in_batch
            costs.samples = rows(trainer.datamodule.training_rows)
            costs.memory = memory_of(pl_module, trainer.optimizers)
            # at the end of a run all callbacks act, whatever their cadence
            trainer.should_stop = True
            self._call_callbacks(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Give the game its phases back."""
        pl_module.phases = self._phases

    def _peak(self, device: torch.device) -> float:
        if device.type == "cuda":
            return torch.cuda.max_memory_allocated(device) / 2**20
        return peak_memory_mib()

    def _call_callbacks(self, trainer: Trainer, module: AdversarialModule) -> None:
        callbacks = self.config.get("callbacks") or {}
        chosen = {name: c for name, c in callbacks.items() if c and "_target_" in c}
        bound = memory(self.config.get("metrics_memory", METRICS_MEMORY))
        for name in ("doctor", "samples", "checkpoints"):
            if name in chosen:
                callback = make(chosen[name])
                callback.memory = bound
                self._time(name, module, lambda c=callback: c.on_train_batch_end(trainer, module))
        if "evaluation" in chosen:
            protocol, work = make(chosen["evaluation"]).protocol, Work(memory=bound)
            self._time(
                "evaluation", module, lambda: protocol.evaluate(module, trainer.datamodule, work)
            )
        folder = Path(self.config["run_dir"])
        files = {
            "samples": next(folder.glob("samples/*.png"), None),
            "checkpoints": next(folder.glob("checkpoints/last.ckpt"), None),
        }
        self.costs.bytes = {name: p.stat().st_size for name, p in files.items() if p}
        if files["samples"] is None:  # the model draws no pictures
            self.costs.callbacks.pop("samples", None)

    def _time(self, name: str, module: AdversarialModule, act: Callable[[], Any]) -> None:
        seconds, before = [], len(self.refused)
        limit = f"for {CALLS_WITHIN:g} s at most"
        print(f"{self.config['name']}: measuring {MEASURED[name]}, {limit} …", file=sys.stderr)
        try:
            with _limited(CALLS_WITHIN):
                for _ in range(2):
                    started = now(module.device)
                    act()
                    seconds.append(now(module.device) - started)
        except _TooLong:
            self.costs.reasons[name] = f"it takes longer than {CALLS_WITHIN:g} s"
        except DataError:
            if len(self.refused) == before:
                raise
            self.costs.reasons[name] = "a file that it needs is not downloaded yet"
        if seconds:
            self.costs.callbacks[name] = CallbackCost(seconds[0], seconds[-1])
            self.costs.reasons.pop(name, None)


class _TooLong(BaseException):
    """Raised when a callback takes longer than `CALLS_WITHIN`; nothing else may handle it."""


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise `_TooLong` within the block after some seconds.

    The block runs to its end where there is no such timer: on Windows, and outside of the main
    thread.
    """
    if not hasattr(signal, "setitimer") or current_thread() is not main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise _TooLong

    handler, started = signal.signal(signal.SIGALRM, stop), time.monotonic()
    # again every second, in case that the exception is lost, as in a destructor
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:  # another timer was running
            left = max(left - (time.monotonic() - started), 1e-3)
            signal.setitimer(signal.ITIMER_REAL, left, interval)


def memory_of(
    module: AdversarialModule, optimizers: Iterable[torch.optim.Optimizer] = ()
) -> dict[str, int]:
    """Return a dict from purposes to bytes, counted exactly.

    Returns:
        "parameters"; "buffers"; "gradients", of all players at once, although they are freed after
        each player's step; "optimizers", their states without scalars such as step counters;
        "ema", the averaged copies.
    """
    averaged = set(module.averaged.parameters()) | set(module.averaged.buffers())
    trained = {p for parameters in module.parameters_of.values() for p in parameters}
    state = [s for optimizer in optimizers for s in optimizer.state.values()]
    return {
        "parameters": _bytes(p for p in module.parameters() if p not in averaged),
        "buffers": _bytes(b for b in module.buffers() if b not in averaged),
        "gradients": _bytes(trained),
        "optimizers": _bytes(
            t for values in state for t in values.values() if isinstance(t, Tensor) and t.dim()
        ),
        "ema": _bytes(averaged),
    }


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
