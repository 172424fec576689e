"""A run's environment (versions, commit, accelerator) and its peak memory."""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ganlab import __version__


def without_password(text: str) -> str:
    """Return `text` with "…" in place of the passwords of URLs."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:…@", text)


def command_line() -> list[str]:
    """Return the program's name and arguments, without the passwords of URLs."""
    return [without_password(text) for text in (Path(sys.argv[0]).name, *sys.argv[1:])]


def peak_memory_mib() -> float:
    """Return this process's peak memory in MiB; NaN if the system does not report it.

    On Linux the value is VmHWM, because getrusage also counts the memory that the parent process
    used before it started this program.
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
    """Return the peak GPU memory of this process's tensors in MiB; None if no GPU is in use."""
    cuda = _cuda()
    return round(cuda.max_memory_allocated() / 2**20, 1) if cuda else None


def forget_peak_memory() -> None:
    """Reset the peaks of memory, as far as the system supports this."""
    with suppress(OSError):  # Linux
        Path("/proc/self/clear_refs").write_text("5")
    if cuda := _cuda():
        cuda.reset_peak_memory_stats()


def _cuda() -> Any | None:
    """Return torch.cuda if it is in use, else None, without importing torch."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch and torch.cuda.is_initialized() else None


def process(pid: int) -> dict[str, Any] | None:
    """Return what identifies a process even after its number is reused; None if it has ended.

    Each container counts its own processes. The dict has the name of the machine, its boot, the
    container's namespace, and when the process was started, in ticks since the boot. Only on Linux;
    elsewhere None.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    if state in ("Z", "X"):  # it has ended, and its parent has not yet asked for its exit code
        return None
    return {
        "host": socket.gethostname(),
        "boot": boot,
        "namespace": namespace,
        "started": int(fields[18]),
    }


def has_ended(pid: int, known: dict[str, Any] | None) -> bool:
    """Whether a process has ended; False if it ran in another machine or container.

    Args:
        pid: the number of the process.
        known: what `process` has returned for it; None if unknown.
    """
    here = process(os.getpid())
    if not isinstance(known, dict) or here is None:
        return False
    is_here = all(known.get(key) == here[key] for key in ("host", "boot", "namespace"))
    return is_here and process(pid) != known


def accelerator() -> str | None:
    """Return number and name of the GPUs; None if torch finds no GPU or is not imported."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return f"{torch.cuda.device_count()} × {torch.cuda.get_device_name(0)}"


def git_commit() -> str | None:
    """Return the commit of ganlab's checkout, plus "+" if files changed; None if not a checkout."""
    folder = Path(__file__).parent
    try:
        if Path(_git(folder, "rev-parse", "--show-toplevel")) != folder.parents[1]:
            return None  # ganlab is installed inside the checkout of another project
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=5, check=True
    )
    return done.stdout.strip()


PACKAGES = ("torch", "torchvision", "lightning", "hydra-core", "omegaconf", "torchmetrics")


def versions() -> dict[str, str]:
    """Return the versions of Python, of ganlab, and of the packages that results depend on."""
    by_package = {"ganlab": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            by_package[package] = version(package)
        except PackageNotFoundError:
            continue
    return by_package
