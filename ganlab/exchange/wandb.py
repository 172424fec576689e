"""Sends runs that were logged offline to Weights & Biases."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ganlab.errors import RunError
from ganlab.files import from_here
from ganlab.record.lock import is_held

PATIENCE = 15  # seconds to wait until the server answers who is logged in
# Runs in a process of its own. os._exit does not wait for W&B's service process, which may be busy
# for minutes.
LOGIN = """
import os, sys, wandb
wandb.setup(wandb.Settings(silent=True))
try:
    wandb.Api(timeout=float(sys.argv[1])).viewer
except Exception as error:
    print((str(error).splitlines() or [type(error).__name__])[0].rstrip("."), flush=True)
    os._exit(1)
os._exit(0)
"""


def offline_files(folders: list[Path]) -> list[Path]:
    """Return the `.wandb` files of runs logged offline, in and below the folders, each once."""
    files = {
        file.resolve()
        for folder in folders
        for file in folder.resolve().rglob("run-*.wandb")
        if file.parent.name.startswith("offline-run-")
    }
    return sorted(files)


def unsent(files: list[Path]) -> tuple[list[Path], list[str]]:
    """Return the files to send, and notes about the files that are not sent."""
    waiting = [file for file in files if not _is_sent(file)]
    # W&B marks a file as sent, so the later part of a run in training would never be sent
    running = [file for file in waiting if is_held(_folder(file))]
    notes = [
        f"{from_here(_folder(file))}: is still being trained; send it when it has ended."
        for file in running
    ]
    if sent := len(files) - len(waiting):
        notes.append(f"{sent} sent before, and skipped now.")
    return [file for file in waiting if file not in running], notes


def check_login() -> None:
    """Raise unless a user is logged in at the server.

    Raises:
        RunError: nobody is logged in, or the server does not answer.
    """
    with tempfile.TemporaryFile("w+") as answer:
        try:
            code = subprocess.call(
                [sys.executable, "-c", LOGIN, str(PATIENCE)],
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                timeout=PATIENCE + 60,  # 60 s for the import of wandb
            )
        except subprocess.TimeoutExpired:
            code, reason = 1, "the server does not answer"
        else:
            answer.seek(0)
            reason = answer.read().strip() or f"the check of the login failed (exit code {code})"
    if code:
        raise RunError(
            f"wandb sync: {reason}. Nothing was sent. Log in with `wandb login` (or set "
            "WANDB_API_KEY, and WANDB_BASE_URL for your own server), and try again."
        )


def send(files: list[Path], options: list[str]) -> int:
    """Send the files with the command `wandb sync`, print which runs were sent, and return 0.

    Args:
        files: `.wandb` files; those of one folder belong to the sessions of one resumed run.
        options: further arguments of `wandb sync`.

    Raises:
        RunError: a run was not sent completely.
    """
    folders = list(dict.fromkeys(_folder(file) for file in files))  # a resumed run has more files
    count = f"{len(folders)} {'run' if len(folders) == 1 else 'runs'}"
    print(f"Sending {count} to Weights & Biases …", flush=True)
    command = [sys.executable, "-m", "wandb", "sync", *options, *map(str, files)]
    with tempfile.TemporaryDirectory() as scratch:  # otherwise W&B logs to the current folder
        environment = os.environ | {"WANDB_DIR": scratch, "WANDB_CACHE_DIR": scratch}
        done = subprocess.run(command, stdin=subprocess.DEVNULL, env=environment, check=False)
    missing = {_folder(file) for file in files if not _is_sent(file)}
    for folder in folders:
        print(f"{from_here(folder)}: {'not sent' if folder in missing else 'sent'}")
    if missing:
        raise RunError(
            f"wandb sync: {len(missing)} of {len(folders)} runs were not sent completely (exit "
            f"code {done.returncode}; see W&B's messages above). Try again: files that have "
            "arrived are not sent again."
        )
    return 0


def _is_sent(file: Path) -> bool:
    """Whether W&B has marked a file as sent."""
    return file.with_name(f"{file.name}.synced").exists()


def _folder(file: Path) -> Path:
    """Return the run's folder; `file` is <folder>/wandb/offline-run-…/run-….wandb."""
    return file.parents[2]


def nothing_to_send(folders: list[Path], files: int) -> str:
    """Return a text that explains why nothing is sent; `files` counts files of offline runs."""
    where = ", ".join(map(str, folders))
    if files:
        return f"There is nothing to send in {where}."
    return f"No run in {where} was logged offline. Train with `ganlab train … logger=wandb`."
