"""Planned runs: folders that say what to train, and are trained later, here or elsewhere."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganlab.config.compose import compose, to_plain
from ganlab.errors import ConfigError, GanlabError, HeldError, RunError
from ganlab.files import write_json
from ganlab.record.run import RunRecord, read_record, write_config
from ganlab.runs.resume import continued
from ganlab.runs.train import train


@dataclass(frozen=True)
class Outcome:
    """How a planned run ended.

    Attributes:
        folder: of the run.
        status: finished, failed, or pruned by a search; running where another process is at it.
        error: what went wrong, if something did.
    """

    folder: Path
    status: str
    error: str | None = None


def plan(folder: Path, overrides: list[str], *, of: dict[str, Any] | None = None) -> dict[str, Any]:
    """Write the configuration of a run into its folder; nothing is trained.

    Args:
        folder: of the run; made if it is not there.
        overrides: as for `ganlab train`.
        of: what the run is part of, for its run.json: name, kind (sweep, tune, reproduce),
            group (of Weights & Biases, else the name), ….

    Returns:
        The plain configuration.

    Raises:
        ConfigError: an override that is mistyped, or values that do not fit.
        RunError: the folder cannot be written.
    """
    composed = compose(overrides)
    composed.run_dir = str(folder)
    config = to_plain(composed)
    wandb = (config.get("logger") or {}).get("wandb")
    if wandb and of:
        wandb["group"] = wandb.get("group") or of.get("group", of["name"])
        wandb["job_type"] = wandb.get("job_type") or of["kind"]
    write_plan(folder, config, of)
    return config


def write_plan(folder: Path, config: dict[str, Any], of: dict[str, Any] | None = None) -> None:
    """Write config.yaml and the record of a planned run; see `plan`.

    Raises:
        RunError: the folder holds a run that is more than planned, or cannot be written.
    """
    if (folder / "run.json").exists() and read_record(folder).get("status") != "planned":
        raise RunError(f"run_dir: {folder} holds a run already; choose another folder.")
    write_config(folder, config)
    record = {
        "status": "planned",
        "name": config["name"],
        "seed": config["seed"],
        "choices": config.get("choices"),
        "baseline": config.get("baseline"),
        "sweep": of,
    }
    write_json(folder / "run.json", record)


def run_planned(folder: Path, *callbacks: Any, devices: list[int] | None = None) -> Outcome:
    """Train a planned run, or continue one that was stopped, in this process.

    A run over several processes gets a process of its own that starts them. A finished run, and one
    that another process is at, are left alone.

    Args:
        folder: of the run.
        *callbacks: of Lightning, beside the configuration's; not for runs over several processes.
        devices: the accelerators by number, in place of the configuration's.

    Returns:
        How it ended. What goes wrong is printed, written to run.json, and not raised.

    Raises:
        KeyboardInterrupt: Ctrl-C; the run can be continued.
    """
    try:
        if (status := read_record(folder).get("status")) in ("finished", "pruned"):
            return Outcome(folder, status)
        config = continued(folder, [])
        if devices is not None:
            config["trainer"]["devices"] = devices
        if str((config.get("trainer") or {}).get("strategy")).startswith("ddp"):
            if callbacks:
                raise ConfigError(
                    "trainer.strategy: a search that prunes runs each in one process; choose "
                    "trainer=auto, or prune=false."
                )
            code = _train_apart(folder)
        else:
            with _own_threads():
                code = train(config, True, *callbacks)
    except HeldError as error:
        return Outcome(folder, "running", _say(folder, error))
    except GanlabError as error:
        return _failed(folder, _say(folder, error))
    except Exception as error:
        traceback.print_exc()
        return _failed(folder, f"{type(error).__name__}: {error}")
    if code == 130:
        raise KeyboardInterrupt
    record = read_record(folder)
    if code == 0:
        return Outcome(folder, record["status"])
    return _failed(folder, record.get("error") or f"exit code {code}")


def _train_apart(folder: Path) -> int:
    """Train in a process of its own; Ctrl-C reaches that too, so it is waited for.

    A second Ctrl-C ends it.
    """
    command = [sys.executable, "-m", "ganlab", "train", f"run={folder}", "resume=true"]
    process = subprocess.Popen(command, stdout=_file(sys.stdout), stderr=_file(sys.stderr))
    asked = False
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            if asked:
                process.terminate()
            asked = True


def _file(stream: Any) -> Any:
    """A stream that a further process can write to; None, its own, where it is not a file."""
    try:
        stream.flush()
        stream.fileno()
    except (OSError, AttributeError, ValueError):
        return None
    return stream


def _failed(folder: Path, error: str) -> Outcome:
    """The outcome of a failed run, whose record says so too, if it can be written."""
    try:
        record = read_record(folder)
        if record.get("status") != "failed" or error not in str(record.get("error")):
            RunRecord(folder).end("failed", error)
    except GanlabError as worse:
        _say(folder, worse)
    return Outcome(folder, "failed", error)


def _say(folder: Path, error: Exception) -> str:
    print(f"{folder}: {error}", file=sys.stderr, flush=True)
    return str(error)


@contextmanager
def _own_threads() -> Iterator[None]:
    """Within it, torch's number of threads may be changed; it is as before afterwards."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
