"""Writes the web page of one run, and the film of its samples beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganlab.config.values import METRICS_MEMORY
from ganlab.reports.page.html import write_html
from ganlab.reports.page.pictures import data_url

SCRIPTS = ("base", "axes", "plot", "findings", "theme")
SCRIPTS += tuple(f"run/{name}" for name in ("film", "panels", "scores", "tree", "main"))
HINT = "give another file with out=FILE."


@dataclass(frozen=True)
class Written:
    """What `write_run_page` has written.

    Attributes:
        page: the page.
        film: the animated GIF; None for a run without pictures of samples.
        notes: sentences on what could not be shown; the page has them too.
    """

    page: Path
    film: Path | None
    notes: list[str]


def write_run_page(folder: Path, out: Path | None = None, memory: int | None = None) -> Written:
    """Write the page of a run, of at most 5 MB, and `samples.gif`.

    Args:
        folder: the run's folder; the run may be in progress.
        out: the page's file; None for report.html in the run's folder. The film is written beside
            it, under the page's name.
        memory: bytes that a picture may take while it is reduced (`metrics_memory`); larger
            pictures are left out and named in the notes. None for 512 MiB.

    Raises:
        RunError: the folder holds no run, its run.json is damaged, or a file cannot be written.
    """
    from ganlab.reports.page.run.data import gather
    from ganlab.reports.page.run.film import save_gif

    page = gather(folder, memory or METRICS_MEMORY)
    path = out or folder / "report.html"
    gif, blocks = None, page.blocks
    if page.frames:
        gif = out.with_suffix(".gif") if out else folder / "samples.gif"
        data = save_gif(page.frames, gif, HINT)
        blocks |= {"run-gif": {"name": gif.name, "data": data_url("gif", data)}}
    styles = "style", "run/style"
    write_html(path, "ganlab: a run", "run/body.html", styles, SCRIPTS, blocks, HINT)
    return Written(path, gif, page.notes)
