"""Draws `curves.png`: a run's logged quantities over the examples seen."""

from __future__ import annotations

from pathlib import Path

from ganlab.files import atomic
from ganlab.record.log import X, read_metrics


def save_curves(folder: Path) -> None:
    """Draw `curves.png`: all logged quantities except counts.

    Quantities with the same prefix share a panel. If nothing is logged, nothing is drawn.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, MaxNLocator

    logged = read_metrics(folder)
    panels: dict[str, list[str]] = {}
    for name in dict.fromkeys(key for row in logged for key in row if key != X):
        prefix = name.rpartition("/")[0] or name
        if not name.endswith(("/steps", "_examples")):  # counts would dwarf the other curves
            panels.setdefault(prefix, []).append(name)
    if not panels:
        return
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.5 * columns, 3 * rows), layout="tight")
    for index, (prefix, names) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(rows, columns, index, title=prefix, xlabel="examples seen")
        for name in names:
            points = [(row[X], row[name]) for row in logged if name in row]
            label = name.rpartition("/")[2]
            axes.plot(
                *zip(*points, strict=True), label=label, marker="." if len(points) < 9 else ""
            )
        if len(names) > 1:
            axes.legend(fontsize=7)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(alpha=0.3)
    with atomic(folder / "curves.png") as temporary:
        figure.savefig(temporary, format="png", dpi=90)
