"""`run.json`: what a run is, how far it got, and how it ended."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from ganlab import __version__
from ganlab.errors import HeldError, RunError
from ganlab.reports.files import cannot_write, write_text

Status = Literal["planned", "running", "finished", "interrupted", "failed", "pruned"]

PACKAGES = ("torch", "torchvision", "lightning", "hydra-core", "omegaconf", "torchmetrics")


class RunRecord:
    """The record of one run, rewritten atomically as the run goes.

    While it is open it holds a lock on the folder, which the operating system releases however the
    process ends.

    Args:
        folder: the run's folder; made if it is not there.

    Raises:
        HeldError: another process is writing this run.
        RunError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "run.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = open(folder / ".lock", "w")  # noqa: SIM115 (held while the run lasts)
        except OSError as error:
            raise cannot_write(folder, error) from error
        hold(self._lock, folder)
        for part in (*folder.glob(".*.part"), *folder.glob("*/.*.part")):
            part.unlink(missing_ok=True)  # of a process that was killed while it wrote
        forget_peak_memory()  # of an earlier run in this process
        before = read_record(folder) if self.path.exists() else {}
        self._seconds_before = float(before.get("seconds", 0.0))
        self._started = time.monotonic()
        self.data: dict[str, Any] = before

    def start(self, name: str, seed: int, **more: Any) -> None:
        """Write the record of a run that begins (or goes on)."""
        self.data |= {
            "status": "running",
            "error": None,
            "name": name,
            "seed": seed,
            "started": self.data.get("started", _now()),
            "ended": None,
            "versions": _versions(),
            "git_commit": git_commit(),
            "hardware": {
                "host": socket.gethostname(),
                "system": platform.platform(),
                "cpu_cores": os.cpu_count(),
                "accelerator": _accelerator(),
            },
            "pid": os.getpid(),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            **more,
        }
        self.data.setdefault("counters", {"images_seen": 0, "batches_seen": 0, "steps": {}})
        self.data.setdefault("scores", {})
        self.write()

    def write(self, **changes: Any) -> None:
        """Change some entries and rewrite the file."""
        self.data |= changes
        self.data["seconds"] = round(self._seconds_before + time.monotonic() - self._started, 3)
        self.data["peak_memory_mib"] = peak_memory_mib()
        if (gpu := peak_gpu_memory_mib()) is not None:
            self.data["peak_gpu_memory_mib"] = gpu
        write_text(self.path, json.dumps(self.data, indent=2, allow_nan=True) + "\n")

    def end(self, status: Status, error: str | None = None) -> None:
        """Write how the run ended and release the folder."""
        try:
            self.write(status=status, error=error, ended=_now())
        finally:
            self.close()

    def close(self) -> None:
        """Release the folder without a word."""
        self._lock.close()


def read_record(folder: Path) -> dict[str, Any]:
    """The contents of a run's `run.json`.

    Raises:
        RunError: no such file, or one that is not JSON.
    """
    path = folder / "run.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(
            f"run: {folder} is not a run's folder (it has no run.json). Runs are in "
            "outputs/<experiment>/<date>_<time>/."
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"run: {path} is damaged: {error}.") from error


def read_config(folder: Path) -> dict[str, Any]:
    """The resolved configuration of a run.

    Raises:
        RunError: the folder holds no run, or a damaged one.
    """
    import yaml
    from omegaconf import OmegaConf

    path = folder / "config.yaml"
    if not path.exists():
        raise RunError(
            f"run: {folder} is not a run's folder (it has no config.yaml). Runs are in "
            "outputs/<experiment>/<date>_<time>/."
        )
    try:
        config = OmegaConf.to_container(OmegaConf.load(path))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunError(f"run: {path} is damaged: {str(error).splitlines()[0]}.") from error
    if not isinstance(config, dict):
        raise RunError(f"run: {path} is damaged: it is not the configuration of a run.")
    return config


def peak_memory_mib() -> float:
    """The most memory that this process has had at once, in MiB; NaN where nothing tells it.

    Linux's VmHWM, since getrusage also counts what a parent had before this program was started.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return round(int(line.split()[1]) / 1024, 1)
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(usage / (2**20 if sys.platform == "darwin" else 2**10), 1)


def peak_gpu_memory_mib() -> float | None:
    """The most memory that tensors of this process have had on its GPU at once; None without."""
    cuda = _cuda()
    return round(cuda.max_memory_allocated() / 2**20, 1) if cuda else None


def forget_peak_memory() -> None:
    """Let the peaks be those from now on, where the system can."""
    with suppress(OSError):  # Linux
        Path("/proc/self/clear_refs").write_text("5")
    if cuda := _cuda():
        cuda.reset_peak_memory_stats()


def _cuda() -> Any | None:
    """torch.cuda, if it is in use; torch is not imported for it."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch and torch.cuda.is_initialized() else None


def _accelerator() -> str | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return f"{torch.cuda.device_count()} × {torch.cuda.get_device_name(0)}"


def git_commit() -> str | None:
    """The commit of the checkout that ganlab runs from, with "+" when it has changes; else None."""
    here = Path(__file__).parent
    try:
        if Path(_git(here, "rev-parse", "--show-toplevel")) != here.parents[1]:
            return None  # installed into somebody else's checkout
        commit = _git(here, "rev-parse", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=5, check=True
    )
    return done.stdout.strip()


def _versions() -> dict[str, str]:
    versions = {"ganlab": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def hold(file: Any, folder: Path) -> None:
    """Lock a folder by its open `.lock` file, until that is closed or the process ends.

    Raises:
        HeldError: another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no flock; there the folder is not guarded
        return
    for _ in range(10):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            time.sleep(0.05)  # who only looks whether it is held does so for a moment
    file.close()
    raise HeldError(
        f"run_dir: {folder} is being written by another process. Wait for it to end, or "
        "choose another folder with run_dir=…"
    )
