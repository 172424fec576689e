"""Measures how much memory some work takes, in a process of its own."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

TESTS = Path(__file__).parents[2]
SLACK = 256 * 2**20  # bytes that libraries and the allocator may take beyond `metrics_memory`


def peak_growth(prepare, *arguments, timeout=240):
    """Return by how many bytes the peak memory of a process exceeds its memory at the start.

    Args:
        prepare: a module-level function that returns the work, a function without arguments. What
            `prepare` itself allocates, such as data, counts as memory at the start.
        arguments: arguments of `prepare`, as JSON values.
    """
    job = json.dumps([prepare.__module__, prepare.__name__, arguments])
    code = f"import sys; sys.path.insert(0, {str(TESTS)!r}); from {__name__} import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code, job], capture_output=True, text=True, timeout=timeout
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return int(result.stdout.splitlines()[-1])


def main():
    """Prepare and do the work that sys.argv[1] names, and print the growth of the peak."""
    import torch

    from ganlab.record.machine import forget_peak_memory, peak_memory_mib

    torch.set_num_threads(1)
    module, name, arguments = json.loads(sys.argv[1])
    work = getattr(import_module(module), name)(*arguments)
    forget_peak_memory()
    start = peak_memory_mib()  # what is in use now
    work()
    print(round((peak_memory_mib() - start) * 2**20))
