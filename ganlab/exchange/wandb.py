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

PATIENCE = 15  # seconds that the server has to say who is logged in
# in a process of its own, which leaves without waiting for W&B's, as that may be busy for minutes
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
    """The `.wandb` files of runs logged offline in and below some folders, each once."""
    found = {
        file.resolve()
        for folder in folders
        for file in folder.resolve().rglob("run-*.wandb")
        if file.parent.name.startswith("offline-run-")
    }
    return sorted(found)


def unsent(files: list[Path]) -> tuple[list[Path], list[str]]:
    """The files that are to be sent, and what is said about the others."""
    waiting = [file for file in files if not _is_sent(file)]
    running = [file for file in waiting if is_held(_folder(file))]  # W&B would never send the rest
    notes = [
        f"{from_here(_folder(file))}: is still being trained; send it when it has ended."
        for file in running
    ]
    if sent := len(files) - len(waiting):
        notes.append(f"{sent} sent before, and left out.")
    return [file for file in waiting if file not in running], notes


def check_login() -> None:
    """Ask the server who is logged in.

    Raises:
        RunError: nobody, or no answer.
    """
    with tempfile.TemporaryFile("w+") as answer:
        try:
            code = subprocess.call(
                [sys.executable, "-c", LOGIN, str(PATIENCE)],
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                timeout=PATIENCE + 60,  # with the import of wandb
            )
        except subprocess.TimeoutExpired:
            code, reason = 1, "the server does not answer"
        else:
            answer.seek(0)
            reason = answer.read().strip() or f"asking who is logged in failed (code {code})"
    if code:
        raise RunError(
            f"wandb sync: {reason}. Nothing was sent. Log in with `wandb login` (or set "
            "WANDB_API_KEY; WANDB_BASE_URL for a server of your own), and try again."
        )


def send(files: list[Path], options: list[str]) -> int:
    """Hand the files to `wandb sync`, and say what arrived; 0 when all did."""
    folders = list(dict.fromkeys(_folder(file) for file in files))  # a resumed run has two files
    count = f"{len(folders)} {'run' if len(folders) == 1 else 'runs'}"
    print(f"Sending {count} to Weights & Biases …", flush=True)
    command = [sys.executable, "-m", "wandb", "sync", *options, *map(str, files)]
    with tempfile.TemporaryDirectory() as scratch:  # for its logs, which else go where we are
        environment = os.environ | {"WANDB_DIR": scratch, "WANDB_CACHE_DIR": scratch}
        done = subprocess.run(command, stdin=subprocess.DEVNULL, env=environment, check=False)
    missing = {_folder(file) for file in files if not _is_sent(file)}
    for folder in folders:
        print(f"{from_here(folder)}: {'not sent' if folder in missing else 'sent'}")
    if missing:
        raise RunError(
            f"wandb sync: {len(missing)} of {len(folders)} runs were not sent whole (exit code "
            f"{done.returncode}; W&B's own words are above). Try once more: what has arrived is "
            "not sent again."
        )
    return 0


def _is_sent(file: Path) -> bool:
    """Whether W&B has put its mark beside a file."""
    return file.with_name(f"{file.name}.synced").exists()


def _folder(file: Path) -> Path:
    """The run's folder: <folder>/wandb/offline-run-…/run-….wandb."""
    return file.parents[2]


def nothing_to_send(folders: list[Path], sent: int) -> str:
    """Why nothing is sent: all of `sent` runs were before, or there are none."""
    where = ", ".join(map(str, folders))
    if sent:
        return f"There is nothing to send in {where}."
    return f"There are no runs logged offline in {where}. `ganlab train … logger=wandb` makes them."
