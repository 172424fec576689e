"""One self-contained web page of many runs: `ganlab compare … --html FILE`.

The page opens from a file, asks no server for anything (its own policy forbids that), and what
comes from runs enters it as data alone: as JSON that scripts read, and as text that they show.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganlab.files import finite, write_text
from ganlab.reports.comparison.comparison import Comparison
from ganlab.reports.comparison.table import Table

PARTS = Path(__file__).parent / "parts"
SCRIPTS = ("base", "table", "groups", "filters", "axes", "curves", "samples", "settings")
SCRIPTS += ("verdicts", "main")
HINT = "Make room, or give another file with --html FILE."


def write_page(comparison: Comparison, path: Path, table: Table) -> None:
    """Write the page of a comparison.

    Curves and pictures are thinned so that the page of 200 runs stays below 15 MB. A run that
    cannot be read in part says so in its place.

    Args:
        comparison: runs from folders, or from Weights & Biases, which have no curves and pictures.
        path: of the page, whose folder is made if it is not there.
        table: of the runs, as `tabulate` makes it; its score and its keys come first.

    Raises:
        RunError: the disk is full or read-only.
    """
    from ganlab.reports.page.data import gather

    page = gather(comparison, table)
    blocks = [_block("comparison", page.comparison)]
    blocks += [_block(f"curves-{i}", curves) for i, curves in enumerate(page.curves)]
    blocks += [_block(f"pictures-{i}", pictures) for i, pictures in enumerate(page.pictures)]
    style = (PARTS / "style.css").read_text(encoding="utf-8")
    script = "\n".join((PARTS / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    script = f'(() => {{\n"use strict";\n{script}\n}})();'
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )
    template = (PARTS / "template.html").read_text(encoding="utf-8")
    entries = {"policy": policy, "style": style, "script": script, "data": "\n".join(blocks)}
    write_text(path, "".join(_filled(template, entries)), HINT)


def _filled(template: str, entries: dict[str, str]) -> Iterator[str]:
    """The template with each `{{name}}` replaced once; what is put in is not looked at again."""
    for piece in template.split("{{"):
        name, mark, rest = piece.partition("}}")
        if mark and name in entries:
            yield entries[name]
            yield rest
        else:
            yield piece


def _hash(text: str) -> str:
    """How a Content-Security-Policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _block(name: str, contents: Any) -> str:
    """Data for the page's scripts, which no text in it can end early."""
    text = json.dumps(
        finite(contents), ensure_ascii=True, separators=(",", ":"), allow_nan=False, default=str
    )
    text = text.replace("<", r"\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'
