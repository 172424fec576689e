"""Draws `curves.png`: a run's logged quantities over the examples seen."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from ganlab.files import atomic
from ganlab.record.log import X, read_metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curve = tuple[list[int], list[float]]  # examples seen, and values

_COLUMNS = 4  # panels next to each other
_LINES = 3  # maximum number of lines in a panel
_MEMBERS = 8  # more quantities with the same prefix are summarised in one panel
_POINTS = 200  # maximum number of points of a line; the values in between are a band
_DWARFED = 20  # positive values go on a log scale if the largest is more than 20 medians


def save_curves(folder: Path) -> None:
    """Draw `curves.png`: all logged quantities except counts.

    Up to three quantities with the same prefix share a panel, in which each line has its name at
    its end. Up to eight have a panel each; of more, such as a score for each of many classes, one
    panel shows the highest, the median and the lowest value. Of many values in a row, a line shows
    the medians and a band the range. If nothing is logged, nothing is drawn. The quantities of the
    doctor come last.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, MaxNLocator

    logged = read_metrics(folder)
    panels = sorted(_panels(logged).items(), key=lambda panel: panel[0].startswith("doctor"))
    if not panels:
        return
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.9 * columns, 2.5 * rows + 0.3), layout="constrained")
    end = max(int(row[X]) for row in logged) or 1
    for index, (title, curves) in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, columns, index)
        axes.set_title(title, fontsize=10, loc="left")
        for label, (x, y) in curves.items():
            _draw(axes, label, x, y)
        axes.set_xlim(-0.02 * end, 1.02 * end)
        values = [value for _, y in curves.values() for value in y if isfinite(value)]
        if values and min(values) > 0 and max(values) > _DWARFED * median(values):
            axes.set_yscale("log")
        else:
            axes.ticklabel_format(axis="y", useOffset=False)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        _name_lines(axes)
    thinned = any(len(x) > _POINTS for _, curves in panels for x, _ in curves.values())
    how = " (lines: running medians; bands: lowest to highest values)" if thinned else ""
    figure.supxlabel("examples seen" + how, fontsize=10)
    with atomic(folder / "curves.png") as temporary:
        figure.savefig(temporary, format="png", dpi=90)


def _panels(logged: Sequence[dict[str, float]]) -> dict[str, dict[str, Curve]]:
    """Return the curves of each panel by their names, by the panels' titles."""
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(key for row in logged for key in row if key != X):
        if not name.endswith(("/steps", "_examples")):  # counts are not results
            prefix, slash, _ = name.rpartition("/")
            groups.setdefault(prefix + slash or name, []).append(name)
    panels: dict[str, dict[str, Curve]] = {}
    for group, names in groups.items():
        if len(names) > _MEMBERS:
            panels[f"{group}… ({len(names)} values)"] = _summary(logged, names)
        elif len(names) > _LINES:
            panels |= {name: {name: _curve(logged, name)} for name in names}
        else:
            title = group.rstrip("/") if len(names) > 1 else names[0]
            panels[title] = {name.rpartition("/")[2]: _curve(logged, name) for name in names}
    return panels


def _curve(logged: Sequence[dict[str, float]], name: str) -> Curve:
    rows = [row for row in logged if name in row]
    return [int(row[X]) for row in rows], [row[name] for row in rows]


def _summary(logged: Sequence[dict[str, float]], names: Sequence[str]) -> dict[str, Curve]:
    """Return the highest, median and lowest value of the quantities at each time."""
    times, values = [], []
    for row in logged:
        if present := [row[name] for name in names if name in row and isfinite(row[name])]:
            times.append(int(row[X]))
            values.append(present)
    kinds = {"highest": max, "median": median, "lowest": min}
    return {label: (times, [kind(present) for present in values]) for label, kind in kinds.items()}


def _draw(axes: Axes, label: str, x: Sequence[int], y: Sequence[float]) -> None:
    """Draw a line of at most `_POINTS` points, and the range of the values that it leaves out."""
    size = -(-len(x) // _POINTS)
    if size < 2:
        axes.plot(x, y, label=label, marker="." if len(x) < 9 else "")
        return
    parts = [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]
    parts = [(at, finite) for at, part in parts if (finite := [v for v in part if isfinite(v)])]
    middles = [at[len(at) // 2] for at, _ in parts]
    (line,) = axes.plot(middles, [median(part) for _, part in parts], label=label)
    low, high = ([kind(part) for _, part in parts] for kind in (min, max))
    axes.fill_between(middles, low, high, color=line.get_color(), alpha=0.25, linewidth=0)


def _name_lines(axes: Axes) -> None:
    """Write each line's label to the right of its end, one above the other where ends are near.

    A line of one point gets its value too. A line that is alone gets no label.
    """
    figure_height = axes.figure.get_figheight() * 72  # points
    gap = 10 / (figure_height * axes.get_position().height)  # in heights of the axes
    axes.autoscale_view()
    to_axes = axes.transData + axes.transAxes.inverted()
    lines, ends = axes.get_lines(), []
    for line in lines:
        values = line.get_ydata()
        end = next((value for value in reversed(values) if isfinite(value)), None)
        label = line.get_label() if len(lines) > 1 else ""
        label += f" {end:.4g}" if len(values) == 1 and end is not None else ""
        label += " not finite" if end is None else ""
        height = 0.0 if end is None else float(to_axes.transform((0, end))[1])
        ends.append((height, label.strip(), line.get_color()))
    ends.sort()
    at = -1.0
    places = [at := max(height, at + gap) for height, _, _ in ends]
    excess = max(places[-1] - 1, 0)
    for place, (_, label, color) in zip(places, ends, strict=True):
        text = {"color": color, "fontsize": 8, "va": "center"}
        axes.text(1.02, place - excess, label, transform=axes.transAxes, **text)
