"""Memory that a batch has freed serves the next batch, without new pages of the system."""

import os
import platform
import subprocess
import sys

import pytest

resource = pytest.importorskip("resource")
PAGES = 10 * 4 * 2**20 // resource.getpagesize()  # of ten blocks of 4 MiB
PROGRAM = """
import ctypes, resource
{setting}
c = ctypes.CDLL(None)
c.malloc.restype, c.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
c.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
def batch():
    blocks = [c.malloc(2**22) for _ in range(10)]
    for block in blocks:
        c.memset(block, 1, 2**22)
    for block in blocks:
        c.free(block)
batch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    batch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
SETTING = "from ganlab.runs.allocator import keep_freed_memory; keep_freed_memory()"


def faults(setting, **environment):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(setting=setting)],
        env=kept | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(result.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_pages_are_used_again():
    assert faults("") > 9 * PAGES
    assert faults(SETTING) < PAGES
    assert faults(SETTING, MALLOC_TOP_PAD_="0") > 9 * PAGES  # a user's settings are left alone
