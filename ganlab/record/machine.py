"""What a run ran on: versions, commit, accelerator, and the memory that it took at most."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ganlab import __version__


def without_password(text: str) -> str:
    """A text with the passwords of URLs left out."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:…@", text)


def command_line() -> list[str]:
    """The program's name and arguments, without the passwords of URLs."""
    return [without_password(text) for text in (Path(sys.argv[0]).name, *sys.argv[1:])]


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


def accelerator() -> str | None:
    """The accelerators that torch sees; None without, or where torch is not in use."""
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


PACKAGES = ("torch", "torchvision", "lightning", "hydra-core", "omegaconf", "torchmetrics")


def versions() -> dict[str, str]:
    """The versions of Python, of ganlab, and of the packages that results depend on."""
    found = {"ganlab": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
