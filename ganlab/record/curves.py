"""`curves.png`: what a run logged, over the examples seen."""

from __future__ import annotations

from pathlib import Path

from ganlab.files import atomic
from ganlab.record.log import X, read_metrics


def save_curves(folder: Path) -> None:
    """`curves.png`: every logged quantity over the examples seen, one panel for each kind."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, MaxNLocator

    rows = read_metrics(folder)
    panels: dict[str, list[str]] = {}
    for name in dict.fromkeys(key for row in rows for key in row if key != X):
        kind = name.rpartition("/")[0] or name
        if not name.endswith(("/steps", "_examples")):  # counts, beside which nothing else is seen
            panels.setdefault(kind, []).append(name)
    if not panels:
        return
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(4.5 * columns, 3 * lines), layout="tight")
    for place, (kind, names) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(lines, columns, place, title=kind, xlabel="examples seen")
        for name in names:
            points = [(row[X], row[name]) for row in rows if name in row]
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
