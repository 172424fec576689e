"""Curves of a run for the web page: thinned without losing their extremes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

from ganlab.record.log import X, reader

BYTES = 4_000_000  # of all curves in a page
RUN_BYTES = 400_000  # of one run's at most
VALUE_BYTES = 8  # of a number as text, with its comma
POINTS = (40, 1000)  # of a curve, at least and at most
GAP = 3.0  # median distances between values, from which a curve is interrupted
TIMES = 100  # moments at which wall time is kept


def curves(
    rows: Sequence[dict[str, float]], times: Sequence[tuple[int, int, float]], runs: int
) -> dict[str, Any]:
    """The curves of one of `runs` runs, as the page's scripts read them.

    Args:
        rows: of the log, see `read_metrics`.
        times: examples, batches and seconds, see `read_times`.
        runs: in the page, which share its space.

    Returns:
        `axes`, lists of examples seen; `series`, for each quantity the number of its axis and its
        values, None where the curve is interrupted; `times`, three lists.
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
    kept = _spread(times, TIMES)
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
    """At most about `points` points of a curve, with its highest and lowest values.

    A short curve is kept as it is; it is interrupted (by a None) where a value is not finite, and
    where values are missing that others let expect. Of a longer one two points stand for each of
    equal stretches of x, its lowest and highest value in the order in which they came, and the
    first and the last point stay; it is interrupted in stretches without values.
    """
    if len(x) <= points:
        return _with_gaps(x, y)
    low, high, stretches = x[0], x[-1], max(1, (points - 2) // 2)
    width = (high - low) / stretches or 1.0
    held: list[list[float]] = [[] for _ in range(stretches)]
    for at, value in zip(x, y, strict=True):
        if isfinite(value):
            held[min(int((at - low) / width), stretches - 1)].append(value)
    xs, ys = [low], [_short(y[0])]
    for place, values in enumerate(held):
        pair: list[float | None] = [None, None]
        if values:
            least, most = min(values), max(values)
            rises = values.index(least) <= values.index(most)
            pair = [_short(least), _short(most)] if rises else [_short(most), _short(least)]
        xs += [round(low + width * (place + share)) for share in (0.25, 0.75)]
        ys += pair
    return [*xs, high], [*ys, _short(y[-1])]


def _with_gaps(x: list[int], y: list[float]) -> tuple[list[int], list[float | None]]:
    usual = median(b - a for a, b in pairwise(x)) if len(x) > 2 else 0
    xs: list[int] = []
    ys: list[float | None] = []
    for at, value in zip(x, y, strict=True):
        if xs and usual and at - xs[-1] > GAP * usual:
            xs.append((xs[-1] + at) // 2)
            ys.append(None)
        xs.append(at)
        ys.append(_short(value))
    return xs, ys


def _short(value: float) -> float | None:
    """Four significant digits, and whole numbers below ten millions as they are."""
    if not isfinite(value):
        return None
    if value == int(value) and abs(value) < 1e7:
        return int(value)
    return float(f"{value:.4g}")


def _spread(items: Sequence[Any], n: int) -> list[Any]:
    """At most `n` of the items, evenly spread, the first and the last among them."""
    if len(items) <= n:
        return list(items)
    return [items[round(i * (len(items) - 1) / (n - 1))] for i in range(n)]


def read_times(
    folder: Path, examples: int | None, batches: int | None, seconds: float | None
) -> list[tuple[int, int, float]]:
    """Images, batches and seconds of a run as it went, from its start to its end.

    Rows of timing.csv that a later one overtakes (the run was continued from before them), and
    half-written ones, are left out. The record's counters are the end.
    """
    times = [(0, 0, 0.0)]
    try:
        text = (folder / "timing.csv").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    try:
        rows = list(reader(text.splitlines()))
    except csv.Error:  # damaged: the record's counters are left
        rows = []
    for row in rows:
        try:
            now = int(row[X]), int(row["batches_seen"]), float(row["seconds"])
        except (KeyError, TypeError, ValueError):
            continue
        times = [before for before in times if before[0] < now[0]]
        times.append(now)
    if examples and batches and seconds and examples > times[-1][0]:
        times.append((examples, batches, seconds))
    return times if len(times) > 1 else []
