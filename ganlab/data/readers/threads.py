"""Threads that process many files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
_AHEAD = 64  # items whose results are computed together, before the caller asks for them
_LONG = 1000  # minimum number of items at which a progress bar is shown


def in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], title: str
) -> Iterator[Result]:
    """Yield the results of `function` in the order of `items`, keeping few results in memory.

    For many items a progress bar named `title` is shown on stderr.
    """
    from rich.console import Console
    from rich.progress import track

    def results() -> Iterator[Result]:
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            for first in range(0, len(items), _AHEAD):
                yield from pool.map(function, items[first : first + _AHEAD])

    console = Console(stderr=True)
    quiet = len(items) < _LONG
    return iter(track(results(), title, len(items), console=console, transient=True, disable=quiet))
