"""The C library's allocator: keeps freed memory for the next batch of a training."""

from __future__ import annotations

import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # names and numbers of glibc's malloc.h
SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_")
KEPT, LARGEST = 2**28, 2**25  # bytes


def keep_freed_memory() -> None:
    """Let glibc keep up to 256 MiB of freed memory, for blocks of up to 32 MiB.

    By default, glibc returns a block of some MB to the system when it is freed. A training on a CPU
    then asks for the same pages in every batch, and the system clears them each time. For the
    quickstart's networks this took a tenth of the time. Nothing is changed with another C library,
    or if the environment has settings for this.
    """
    is_set = any(name in os.environ for name in SETTINGS)
    if platform.libc_ver()[0] != "glibc" or is_set or "malloc" in os.getenv("GLIBC_TUNABLES", ""):
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(M_MMAP_THRESHOLD, LARGEST)
    mallopt(M_TRIM_THRESHOLD, KEPT)
