"""Planned runs: folders with a configuration that is trained later, perhaps on another machine."""

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
from ganlab.screen import descriptor_of
from ganlab.signals import handled_by


@dataclass(frozen=True)
class Outcome:
    """How a planned run ended.

    Attributes:
        folder: the run's folder.
        status: "finished", "failed", "pruned" (by a search), or "running" if another process
            trains the run.
        error: the error's message; None if no error occurred.
    """

    folder: Path
    status: str
    error: str | None = None


def plan(
    folder: Path,
    overrides: list[str],
    *,
    of: dict[str, Any] | None = None,
    base: Path | None = None,
) -> dict[str, Any]:
    """Write the configuration of a run into its folder; nothing is trained.

    Args:
        folder: the run's folder; created if it does not exist.
        overrides: as for `ganlab train`.
        of: the sweep, search or reproduction that the run is part of, for run.json, with the keys
            `name`, `kind` ("sweep", "tune" or "reproduce"), `group` (at Weights & Biases; default:
            the name) and more.
        base: the folder that relative paths begin in; None for the working directory.

    Returns:
        The plain configuration.

    Raises:
        ConfigError: an override is mistyped, or values do not fit.
        RunError: the folder holds a run that has begun, or cannot be written.
    """
    config = composed(folder, overrides, of, base)
    write_plan(folder, config, of)
    return config


def composed(
    folder: Path,
    overrides: list[str],
    of: dict[str, Any] | None = None,
    base: Path | None = None,
) -> dict[str, Any]:
    """Return the plain configuration of a run in a folder; the arguments are those of `plan`.

    Raises:
        ConfigError: an override is mistyped, or values do not fit.
    """
    tree = compose(overrides)
    tree.run_dir = str(folder)
    config = to_plain(tree, base)
    wandb = (config.get("logger") or {}).get("wandb")
    if wandb and of:
        wandb["group"] = wandb.get("group") or of.get("group", of["name"])
        wandb["job_type"] = wandb.get("job_type") or of["kind"]
    return config


def write_plan(folder: Path, config: dict[str, Any], of: dict[str, Any] | None = None) -> None:
    """Write config.yaml and the record of a planned run; see `plan`.

    Raises:
        RunError: the folder holds a run that has begun, or cannot be written.
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


def run_planned(
    folder: Path, *callbacks: Any, devices: list[int] | None = None, trust: bool = False
) -> Outcome:
    """Train a planned run, or resume a run that was stopped, in this process.

    A run over several processes is trained in a separate process, which starts its ranks. Nothing
    is done for a run that is finished or that another process trains.

    Args:
        folder: the run's folder.
        *callbacks: additional Lightning callbacks; not supported by runs over several processes.
        devices: indices of the accelerators to use; if None, trainer.devices is used.
        trust: whether the run may name classes that are not part of ganlab.

    Returns:
        How the run ended. Errors are printed and written to run.json, and not raised.

    Raises:
        KeyboardInterrupt: the run was interrupted by Ctrl-C; it can be resumed.
    """
    try:
        if (status := read_record(folder).get("status")) in ("finished", "pruned"):
            return Outcome(folder, status)
        config = continued(folder, [], trust=trust)
        if devices is not None:
            config["trainer"]["devices"] = devices
        if str((config.get("trainer") or {}).get("strategy")).startswith("ddp"):
            if callbacks:
                raise ConfigError(
                    "trainer.strategy: a search can prune only runs with one process; choose "
                    "trainer=auto, or prune=false."
                )
            code = _train_in_new_process(folder, trust)
        else:
            with _threads_restored():
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


def _train_in_new_process(folder: Path, trust: bool) -> int:
    """Train in a new process, and return its exit code.

    Signals that end a run are passed on, and waited for. Those of a terminal reach this process
    alone, so that the new process gets each of them once.
    """
    command = [sys.executable, "-m", "ganlab", "train", f"run={folder}", "resume=true"]
    command += ["trust=true"] if trust else []
    process: subprocess.Popen[bytes] | None = None
    received: list[int] = []

    def pass_on(number: int, _: Any) -> None:
        received.append(number)
        if process:
            process.send_signal(number)

    with handled_by(pass_on):
        process = subprocess.Popen(
            command,
            stdout=descriptor_of(sys.stdout),
            stderr=descriptor_of(sys.stderr),
            start_new_session=True,
        )
        if received:  # while the process was started
            process.send_signal(received[-1])
        code = process.wait()
    # until the new process has handlers, a signal kills it
    return 130 if -code in received else code


def _failed(folder: Path, error: str) -> Outcome:
    """Write the failure to the run's record, if that can be written, and return the outcome."""
    try:
        record = read_record(folder)
        if record.get("status") != "failed" or error not in str(record.get("error")):
            RunRecord(folder).end("failed", error)
    except GanlabError as record_error:
        _say(folder, record_error)
    return Outcome(folder, "failed", error)


def _say(folder: Path, error: Exception) -> str:
    """Print an error to stderr, and return its message."""
    print(f"{folder}: {error}", file=sys.stderr, flush=True)
    return str(error)


@contextmanager
def _threads_restored() -> Iterator[None]:
    """Restore torch's number of threads at the end of the block."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
