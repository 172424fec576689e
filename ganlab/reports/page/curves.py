"""Curves of a run for the web page: thinned without losing their extremes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

from ganlab.reading import read_text
from ganlab.record.log import X, reader

BYTES = 4_000_000  # maximum for the curves of all runs of a page
RUN_BYTES = 400_000  # maximum for the curves of one run
VALUE_BYTES = 8  # for one number as text, with its comma
POINTS = (40, 1000)  # minimum and maximum of points in a curve
GAP = 3.0  # a step between two values that is wider than 3 median steps interrupts a curve
TIMES = 100  # maximum number of moments for which wall time is kept


def curves(
    rows: Sequence[dict[str, float]], times: Sequence[tuple[int, int, float]], runs: int
) -> dict[str, Any]:
    """Return the curves of one run, as the page's scripts read them.

    Args:
        rows: the rows of the log, see `read_metrics`.
        times: examples, batches and seconds, see `read_times`.
        runs: the number of runs in the page, among which `BYTES` are divided.

    Returns:
        `axes`: lists of examples seen. `series`: for each quantity, the index of its axis in `axes`
        and its values, None where the curve is interrupted. `times`: three lists, of examples,
        batches and minutes.
    """
    names = list(dict.fromkeys(name for row in rows for name in row if name != X))
    space = min(RUN_BYTES, BYTES // max(runs, 1)) / VALUE_BYTES
    points = int(min(max(space / max(len(names), 1), POINTS[0]), POINTS[1]))
    axes: dict[tuple[int, ...], int] = {}
    series = {}
    for name in names:
        logged = [(int(row[X]), row[name]) for row in rows if name in row]
        x, y = thin([a for a, _ in logged], [b for _, b in logged], points)
        series[name] = [axes.setdefault(tuple(x), len(axes)), y]
    kept = _evenly_spaced(times, TIMES)
    return {
        "axes": [list(axis) for axis in axes],
        "series": series,
        "times": [
            [examples for examples, _, _ in kept],
            [batches for _, batches, _ in kept],
            [round(seconds / 60, 3) for _, _, seconds in kept],
        ],
    }


def thin(x: list[int], y: list[float], points: int) -> tuple[list[int], list[float | None]]:
    """Return about `points` points of a curve, among them its extremes.

    A curve of at most `points` points keeps all of them. A None interrupts it where a value is not
    finite, and where the step between two values is wider than `GAP` median steps.

    A longer curve keeps its first and last point. In between, x is divided into stretches of equal
    width. Each stretch keeps its lowest and highest value, in the order in which they were logged.
    A stretch without finite values interrupts the curve.
    """
    if len(x) <= points:
        return _with_gaps(x, y)
    low, high, stretches = x[0], x[-1], max(1, (points - 2) // 2)
    width = (high - low) / stretches or 1.0
    values_of: list[list[float]] = [[] for _ in range(stretches)]
    for at, value in zip(x, y, strict=True):
        if isfinite(value):
            values_of[min(int((at - low) / width), stretches - 1)].append(value)
    xs, ys = [low], [_rounded(y[0])]
    for stretch, values in enumerate(values_of):
        pair: list[float | None] = [None, None]
        if values:
            least, most = min(values), max(values)
            rises = values.index(least) <= values.index(most)
            pair = [_rounded(least), _rounded(most)]
            pair = pair if rises else pair[::-1]
        xs += [round(low + width * (stretch + share)) for share in (0.25, 0.75)]
        ys += pair
    return [*xs, high], [*ys, _rounded(y[-1])]


def _with_gaps(x: list[int], y: list[float]) -> tuple[list[int], list[float | None]]:
    median_step = median(b - a for a, b in pairwise(x)) if len(x) > 2 else 0
    xs: list[int] = []
    ys: list[float | None] = []
    for at, value in zip(x, y, strict=True):
        if xs and median_step and at - xs[-1] > GAP * median_step:
            xs.append((xs[-1] + at) // 2)
            ys.append(None)
        xs.append(at)
        ys.append(_rounded(value))
    return xs, ys


def _rounded(value: float) -> float | None:
    """Return a value with four significant digits; None if it is not finite.

    Whole numbers below ten million become an exact int.
    """
    if not isfinite(value):
        return None
    if value == int(value) and abs(value) < 1e7:
        return int(value)
    return float(f"{value:.4g}")


def _evenly_spaced(items: Sequence[Any], n: int) -> list[Any]:
    """Return up to `n` of the items at even distances, with the first and the last item."""
    if len(items) <= n:
        return list(items)
    return [items[round(i * (len(items) - 1) / (n - 1))] for i in range(n)]


def read_times(
    folder: Path, examples: int | None, batches: int | None, seconds: float | None
) -> list[tuple[int, int, float]]:
    """Return (0, 0, 0.0), then (examples, batches, seconds) of a run at each row of timing.csv.

    A row is left out if it is half-written, or if a later row has as many examples or fewer: then
    the run was resumed from an earlier checkpoint. The arguments become the last entry if
    `examples` exceeds the examples of the last row. If only (0, 0, 0.0) remains, return [].

    Args:
        folder: the run's folder.
        examples: examples seen at the end, as in run.json, or None.
        batches: batches seen at the end, as in run.json, or None.
        seconds: seconds of training, as in run.json, or None.
    """
    times = [(0, 0, 0.0)]
    try:
        text = read_text(folder / "timing.csv")
    except (OSError, ValueError):
        text = ""
    try:
        rows = list(reader(text.splitlines()))
    except csv.Error:  # damaged: only the arguments are used
        rows = []
    for row in rows:
        try:
            now = int(row[X]), int(row["batches_seen"]), float(row["seconds"])
        except (KeyError, TypeError, ValueError):
            continue
        while times and times[-1][0] >= now[0]:
            times.pop()
        times.append(now)
    if examples and batches and seconds and examples > times[-1][0]:
        times.append((examples, batches, seconds))
    return times if len(times) > 1 else []
