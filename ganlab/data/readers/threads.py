"""Threads that process many files."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ganlab.printable import console, one_line

Item = TypeVar("Item")
Result = TypeVar("Result")
_LONG = 1000  # minimum number of items at which a progress bar is shown


def in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], title: str
) -> Iterator[Result]:
    """Yield the results of `function` in the order of `items`, keeping few results in memory.

    For many items a progress bar named `title` is shown on stderr.
    """
    from rich.markup import escape
    from rich.progress import track

    def results() -> Iterator[Result]:
        workers = os.cpu_count() or 1
        with ThreadPoolExecutor(workers) as pool:
            ahead: deque[Future[Result]] = deque()  # computed before the caller asks for them
            for item in items:
                ahead.append(pool.submit(function, item))
                if len(ahead) >= 2 * workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    title = escape(one_line(title))
    quiet = len(items) < _LONG
    return iter(
        track(results(), title, len(items), console=console(), transient=True, disable=quiet)
    )
