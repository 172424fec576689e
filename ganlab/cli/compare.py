"""`ganlab compare`: compare runs and sweeps in a table, a JSON file and a web page."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ganlab.cli.arguments import METRICS_MEMORY_ARGUMENT, Argument, parse, split_options, wants_help
from ganlab.config.values import check_folder
from ganlab.errors import ConfigError


def _keys(text: str) -> list[str]:
    keys = [part.strip() for part in text.strip("[]").split(",")]
    if not all(keys):
        raise ValueError(f"received {text!r}; needs KEY,KEY,…, e.g. loss,data.batch_size")
    return list(dict.fromkeys(keys))


ARGUMENTS = {
    "group_by": Argument(
        _keys,
        "KEY or KEY,KEY,…, whose values define the groups of runs: loss, model, name, sweep or any "
        "setting, e.g. data.batch_size (default: all settings that differ, without the seed, "
        "and examples seen if they differ by more than 10 %)",
    ),
    "score": Argument(
        str,
        "name of the score to rank by (default: FID if all runs have it, else another score of "
        "quality)",
    ),
    "html": Argument(Path, "file to write a self-contained web page to, with curves and pictures"),
    "metrics_memory": METRICS_MEMORY_ARGUMENT,
    "json": Argument(Path, "file to write the table and the runs' data to"),
}
HELP = """ganlab compare: compare runs and sweeps: scores over seeds, cost, state and settings.

usage: ganlab compare FOLDER … [--group-by KEY[,KEY]] [--score NAME] [--html FILE] [--json FILE]
                      [--metrics-memory SIZE]

FOLDER is the folder of a run or of a sweep, or a folder that contains runs. It may also be
wandb:ENTITY/PROJECT or wandb:ENTITY/PROJECT/RUN_ID. Only scores of the same protocol are ranked.
"""


def main(argv: list[str]) -> int:
    """Print the table; write the web page and the JSON file if they are asked for."""
    if wants_help(argv):
        width = max(map(len, ARGUMENTS)) + 2
        options = {f"--{key.replace('_', '-')}": a.help for key, a in ARGUMENTS.items()}
        print(HELP + "\n" + "\n".join(f"  {key:<{width}}  {help}" for key, help in options.items()))
        return 0
    folders, options = split_options(argv, ARGUMENTS)
    with_equals_sign = [text for text in options if Path(text).is_dir()]  # e.g. a folder lr=0.1
    folders += with_equals_sign
    options = [text for text in options if text not in with_equals_sign]
    for text in options:
        key, _, value = text.partition("=")
        if key in ARGUMENTS and not value.strip():
            raise ConfigError(f"{key}: needs a value; it is {ARGUMENTS[key].help}")
    arguments = parse(options, ARGUMENTS)
    if not folders:
        raise ConfigError(
            "FOLDER: missing; give the folders of runs or sweeps, e.g. outputs/ring_hinge."
        )
    for key in ("html", "json"):
        if arguments[key]:
            if arguments[key].is_dir():
                raise ConfigError(f"{key}: {arguments[key]} is a folder; name a file.")
            check_folder(key, arguments[key].parent)
    from ganlab.reports.comparison.comparison import read_comparison
    from ganlab.reports.comparison.groups import tabulate
    from ganlab.reports.comparison.text import render

    comparison = read_comparison(folders)
    table = tabulate(comparison, arguments["group_by"], arguments["score"])
    print(render(comparison, table))
    if arguments["json"]:
        from ganlab.reports.comparison.table import as_data

        _write(arguments["json"], as_data(comparison, table))
    if arguments["html"]:
        from ganlab.reports.page.write import write_page

        count = len(comparison.runs)
        print(f"\nWriting the web page of {count} runs …", file=sys.stderr, flush=True)
        write_page(comparison, arguments["html"], table, arguments["metrics_memory"])
        print(f"Wrote the web page to {arguments['html']}", file=sys.stderr)
    return 0


def _write(path: Path, data: dict[str, Any]) -> None:
    from ganlab.files import write_text

    text = json.dumps(data, indent=2, default=str, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n", "give another file with --json FILE.")
    print(f"\nWrote the data to {path}", file=sys.stderr)
