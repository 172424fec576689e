"""One self-contained web page of many runs: `ganlab compare … --html FILE`.

The page can be opened from a file. Its Content-Security-Policy forbids requests to any server.
Names and values from runs are written into it as JSON, never as HTML; the page's scripts show them
as text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganlab.config.values import METRICS_MEMORY
from ganlab.files import finite, write_text
from ganlab.printable import printable
from ganlab.reports.comparison.comparison import Comparison
from ganlab.reports.comparison.table import Table

PARTS = Path(__file__).parent / "parts"
SCRIPTS = ("base", "table", "groups", "filters", "axes", "curves", "samples", "settings")
SCRIPTS += ("verdicts", "main")
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
    """Yield the pieces of the template, with each `{{name}}` replaced by its entry.

    An entry that itself contains `{{name}}` is inserted unchanged.
    """
    for piece in template.split("{{"):
        name, mark, rest = piece.partition("}}")
        if mark and name in entries:
            yield entries[name]
            yield rest
        else:
            yield piece


def _hash(text: str) -> str:
    """Return the hash by which a Content-Security-Policy allows an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _block(name: str, contents: Any) -> str:
    """Return a `<script>` element with data as JSON.

    Each "<" is escaped, so that a "</script>" in the data cannot close the element. Characters that
    change the direction of text become visible signs.
    """
    text = json.dumps(
        finite(contents), ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str
    )
    text = printable(text).replace("<", r"\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'
