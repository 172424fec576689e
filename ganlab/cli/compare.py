"""`ganlab compare`: runs and sweeps side by side."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ganlab.cli.arguments import Argument, parse, split_options, wants_help
from ganlab.config.values import check_folder
from ganlab.errors import ConfigError


def _keys(text: str) -> list[str]:
    keys = [part.strip() for part in text.strip("[]").split(",")]
    if not all(keys):
        raise ValueError(f"received {text!r}; needs keys with commas, e.g. loss,data.batch_size")
    return list(dict.fromkeys(keys))


ARGUMENTS = {
    "group_by": Argument(
        _keys,
        "what makes a group: loss, model, any setting (optimizer.lr), name, sweep; several with "
        "commas. All that differs but the seed unless given",
    ),
    "score": Argument(
        str, "to rank by; the best judge of quality that the runs share unless given"
    ),
    "html": Argument(Path, "a file for one self-contained web page, with curves and pictures"),
    "json": Argument(Path, "a file for the table and the runs as data"),
}
HELP = """ganlab compare: runs and sweeps side by side: scores over seeds, cost, state, settings.

usage: ganlab compare FOLDER … [--group-by KEY[,KEY]] [--score NAME] [--html FILE] [--json FILE]

FOLDER is a run's, a sweep's, or any above runs; or wandb:ENTITY/PROJECT, or
wandb:ENTITY/PROJECT/RUN_ID. Scores of unlike protocols are not ranked against each other.
"""


def main(argv: list[str]) -> int:
    """Print the table; write the page and the data where they are asked for."""
    if wants_help(argv):
        width = max(map(len, ARGUMENTS)) + 2
        options = {f"--{key.replace('_', '-')}": a.help for key, a in ARGUMENTS.items()}
        print(HELP + "\n" + "\n".join(f"  {key:<{width}}  {help}" for key, help in options.items()))
        return 0
    places, options = split_options(argv, ARGUMENTS)
    named_so = [text for text in options if Path(text).is_dir()]  # e.g. outputs/lr=0.1
    places, options = places + named_so, [text for text in options if text not in named_so]
    for text in options:
        key, _, value = text.partition("=")
        if key in ARGUMENTS and not value.strip():
            raise ConfigError(f"{key}: needs a value; it is {ARGUMENTS[key].help}")
    arguments = parse(options, ARGUMENTS)
    if not places:
        raise ConfigError(
            "FOLDER: missing; give runs' or sweeps' folders, e.g. outputs/ring_hinge."
        )
    for key in ("html", "json"):
        if arguments[key]:
            if arguments[key].is_dir():
                raise ConfigError(f"{key}: {arguments[key]} is a folder; name a file.")
            check_folder(key, arguments[key].parent)
    from ganlab.reports.comparison.comparison import read_comparison
    from ganlab.reports.comparison.groups import tabulate
    from ganlab.reports.comparison.text import render

    comparison = read_comparison(places)
    table = tabulate(comparison, arguments["group_by"], arguments["score"])
    print(render(comparison, table))
    if arguments["json"]:
        from ganlab.reports.comparison.table import as_data

        _write(arguments["json"], as_data(comparison, table))
    if arguments["html"]:
        from ganlab.reports.page.write import write_page

        count = len(comparison.runs)
        print(f"\nWriting the page of {count} runs …", file=sys.stderr, flush=True)
        write_page(comparison, arguments["html"], table)
        print(f"The page: {arguments['html']}", file=sys.stderr)
    return 0


def _write(path: Path, data: dict[str, Any]) -> None:
    from ganlab.files import write_text

    text = json.dumps(data, indent=2, default=str, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n", "Make room, or give another file with --json FILE.")
    print(f"\nThe data: {path}", file=sys.stderr)
