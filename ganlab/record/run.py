"""Reads and writes a run's `run.json` (its record) and `config.yaml`."""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

from ganlab.errors import RunError, one_of
from ganlab.files import write_json, write_text
from ganlab.reading import read_json, read_text, reading
from ganlab.record import machine
from ganlab.record.lock import hold
from ganlab.record.old_names import current
from ganlab.record.sections import wrong_section

Status = Literal["planned", "running", "finished", "interrupted", "failed", "pruned"]
_Number, _None = (int, float), type(None)
# types of the entries of a record whose values are used when it is read again
TYPES: dict[str, tuple[type, ...]] = {
    "status": (str,),
    "error": (str, _None),
    "name": (str,),
    "seed": (int, _None),
    "started": (str, _None),
    "ended": (str, _None),
    "pid": (int,),
    "process": (dict, _None),
    "data_hash": (str, _None),
    "has_checkpoint": (bool,),
    "seconds": _Number,
    "evaluation_seconds": _Number,
    "peak_memory_mib": _Number,
    "peak_gpu_memory_mib": _Number,
    "counters": (dict,),
    "scores": (dict,),
    "best": (dict, _None),
    "choices": (dict, _None),
    "sweep": (dict, _None),
    "baseline": (dict, _None),
    "command": (list,),
    "hardware": (dict,),
    "versions": (dict,),
}


class RunRecord:
    """The record of one run, `run.json`, rewritten atomically during the run.

    An open record holds a lock on the folder. If the process dies, the operating system releases
    the lock.

    Args:
        folder: the run's folder; created if it does not exist.

    Raises:
        HeldError: another process has opened this run's record.
        RunError: the folder cannot be written, is that of a sweep, or lies inside another run; or
            its run.json is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "run.json"
        if not os.path.lexists(self.path):
            _check_place(folder)
        self._lock = hold(folder).lock
        try:
            for part in (*folder.glob(".*.part"), *folder.glob("*/.*.part")):
                part.unlink(missing_ok=True)  # left by a process that was killed while writing
            self.data: dict[str, Any] = read_record(folder) if self.path.exists() else {}
            self._seconds_before = float(self.data.get("seconds", 0.0))
        except BaseException:
            self.close()
            raise
        machine.forget_peak_memory()  # the peak of an earlier run in this process
        self._started = time.monotonic()

    def restart(self) -> None:
        """Forget an earlier run in this folder, which ended before it had logged anything."""
        self.data, self._seconds_before = {}, 0.0
        for name in ("metrics.csv", "timing.csv"):
            (self.folder / name).unlink(missing_ok=True)

    def start(self, name: str, seed: int, **more: Any) -> None:
        """Write the record of a run that begins or is resumed; `more` are additional entries."""
        self.data |= {
            "status": "running",
            "error": None,
            "name": name,
            "seed": seed,
            "started": self.data.get("started", timestamp()),
            "ended": None,
            "versions": machine.versions(),
            "git_commit": machine.git_commit(),
            "hardware": {
                "host": socket.gethostname(),
                "system": platform.platform(),
                "cpu_cores": os.cpu_count(),
                "accelerator": machine.accelerator(),
            },
            "pid": os.getpid(),
            "process": machine.process(os.getpid()),
            "command": machine.command_line(),
            **more,
        }
        self.data.setdefault("counters", {"examples_seen": 0, "batches_seen": 0, "steps": {}})
        self.data.setdefault("scores", {})
        self.write()

    def write(self, **changes: Any) -> None:
        """Change some entries and rewrite the file."""
        self.data |= changes
        self.data["seconds"] = round(self._seconds_before + time.monotonic() - self._started, 3)
        self.data["peak_memory_mib"] = machine.peak_memory_mib()
        if (gpu := machine.peak_gpu_memory_mib()) is not None:
            self.data["peak_gpu_memory_mib"] = gpu
        write_json(self.path, self.data)

    def end(self, status: Status, error: str | None = None) -> None:
        """Write how the run ended and release the folder."""
        try:
            self.write(status=status, error=error, ended=timestamp())
        finally:
            self.close()

    def close(self) -> None:
        """Release the folder without writing."""
        self._lock.release()


def _check_place(folder: Path) -> None:
    """Raise for a new run whose folder is that of a sweep or a study, or lies in another run.

    `ganlab compare` would not find the sweep's runs, or the new run.
    """
    absolute = Path(os.path.abspath(folder))
    inside = next((path for path in absolute.parents if (path / "run.json").exists()), None)
    if inside or any((folder / name).exists() for name in ("sweep.json", ".study")):
        what = f"is inside the run {inside}" if inside else "holds a sweep or a study"
        raise RunError(f"run_dir: {folder} {what}. Choose another folder for the run.")


def read_record(folder: Path) -> dict[str, Any]:
    """Return the contents of a run's `run.json`.

    Raises:
        RunError: the file does not exist, cannot be read, or is damaged: it is not JSON, or has
            entries of the wrong type.
    """
    path = folder / "run.json"
    with reading("run", path):
        record = current(read_json(path))
        _check_types(record)
        return record


def _check_types(record: Any) -> None:
    """Raise a ValueError for a record whose entries have types that ganlab does not write."""
    if not isinstance(record, dict):
        raise ValueError("it holds no record")
    for key, types in TYPES.items():
        value = record.get(key)
        is_wrong = not isinstance(value, types) or (isinstance(value, bool) and bool not in types)
        if key in record and is_wrong:
            raise ValueError(f"{key} is {repr(value)[:80]}")
    one_of("status", record.get("status", "finished"), get_args(Status))
    counters, scores = record.get("counters") or {}, record.get("scores") or {}
    for key in ("examples_seen", "batches_seen"):
        if counters and not (isinstance(counters.get(key), int) and counters[key] >= 0):
            raise ValueError(f"counters.{key} is {repr(counters.get(key))[:80]}")
    for name, score in scores.items():
        if not isinstance(score, dict):
            raise ValueError(f"the score {name} is {repr(score)[:80]}")


def read_config(folder: Path, parse: Callable[[str], Any] | None = None) -> dict[str, Any]:
    """Return the resolved configuration of a run.

    Args:
        folder: the run's folder.
        parse: what returns the content of YAML under current names; None for `plain_yaml.parse`.

    Raises:
        RunError: the folder's `config.yaml` does not exist, is damaged or cannot be read.
    """
    import yaml

    from ganlab.record import plain_yaml

    path = folder / "config.yaml"
    with reading("run", path, damage=(yaml.YAMLError, ValueError)):
        text = read_text(path, most=2**20)
        config = parse(text) if parse else current(plain_yaml.parse(text))
        if not isinstance(config, dict) or not config:
            raise ValueError("it holds no settings")
        if wrong := wrong_section(config):
            raise ValueError(f"{wrong[0]} is {repr(wrong[1])[:80]}")
        return config


def refuse_lesson(folder: Path, config: dict[str, Any]) -> None:
    """Raise if a run is a lesson, which trains no model.

    Raises:
        RunError: the message names the lesson's figure, or says how to make it.
    """
    if not config.get("lesson"):
        return
    figure = folder / "figure.png"
    name = (config.get("choices") or {}).get("experiment") or config.get("name")
    instead = f"Look at {figure}" if figure.exists() else f"Make it: ganlab train experiment={name}"
    raise RunError(f"run: {folder} holds a lesson, which trains no model. {instead}.")


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write a resolved configuration to a run's `config.yaml`, for `read_config`.

    Raises:
        RunError: the folder cannot be written.
    """
    from omegaconf import OmegaConf

    write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(config)))


def timestamp() -> str:
    """Return the current time in ISO 8601 format with the time zone's offset."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
