"""One self-contained web page of many runs: `ganlab compare … --html FILE`."""

from __future__ import annotations

from pathlib import Path

from ganlab.config.values import METRICS_MEMORY
from ganlab.reports.comparison.comparison import Comparison
from ganlab.reports.comparison.table import Table
from ganlab.reports.page.html import write_html

OWN = ("selection", "table", "groups", "filters", "curves", "samples", "settings", "verdicts")
SCRIPTS = ("base", "axes", "plot", "findings", "theme")
SCRIPTS += tuple(f"comparison/{name}" for name in (*OWN, "main"))
HINT = "give another file with --html FILE."


def write_page(comparison: Comparison, path: Path, table: Table, memory: int | None = None) -> None:
    """Write the page of a comparison.

    Curves and pictures are thinned so that the page of 200 runs stays below 15 MB. Files of a run
    that cannot be read are named in the page's notes.

    Args:
        comparison: the runs. Runs from Weights & Biases have no curves and pictures in the page.
        path: where the page is written; a missing folder is created.
        table: the table of these runs, see `tabulate`; its score and keys come first in the page.
        memory: bytes that a sample picture may take while it is reduced (`metrics_memory`); larger
            pictures are left out and named in the notes. None for 512 MiB.

    Raises:
        RunError: the disk is full or read-only.
    """
    from ganlab.reports.page.data import gather

    page = gather(comparison, table, memory or METRICS_MEMORY)
    blocks = {"comparison": page.comparison}
    blocks |= {f"curves-{i}": curves for i, curves in enumerate(page.curves)}
    blocks |= {f"pictures-{i}": pictures for i, pictures in enumerate(page.pictures)}
    title, body = "ganlab: comparison of runs", "comparison/body.html"
    write_html(path, title, body, ("style",), SCRIPTS, blocks, HINT)
