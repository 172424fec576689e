"""`ganlab report`: the web page of one run."""

from __future__ import annotations

import sys
from pathlib import Path

from ganlab.cli.arguments import (
    METRICS_MEMORY_ARGUMENT,
    REQUIRED,
    Argument,
    parse,
    say_loading,
    usage,
    wants_help,
)
from ganlab.config.values import check_folder
from ganlab.errors import ConfigError, first_few

ARGUMENTS = {
    "run": Argument(Path, "the run's folder, outputs/…", REQUIRED),
    "out": Argument(
        Path,
        "file for the page (default: report.html in the run's folder, with samples.gif beside it)",
    ),
    "metrics_memory": METRICS_MEMORY_ARGUMENT,
}


def main(argv: list[str]) -> int:
    """Write the page and the film, and print their paths."""
    if wants_help(argv):
        purpose = "make the web page of a run that is training, finished or failed."
        print(usage("report", purpose, ARGUMENTS))
        return 0
    arguments = parse(argv, ARGUMENTS)
    if out := arguments["out"]:
        if out.suffix != ".html":
            raise ConfigError(f"out: received {out}; needs a name that ends in .html.")
        if out.is_dir():
            raise ConfigError(f"out: {out} is a folder; name a file.")
        check_folder("out", out.parent)
    say_loading("report", f"the record of {arguments['run']}")
    from ganlab.reports.page.run.write import write_run_page

    written = write_run_page(arguments["run"], out, arguments["metrics_memory"])
    if written.notes:
        print(first_few(written.notes, 5, "\n"), file=sys.stderr)
    print(f"Wrote {written.page}")
    if written.film:
        print(f"Wrote {written.film}")
    return 0
