"""Writes self-contained web pages: style, scripts and data are in the one file.

A page can be opened from a file. Its Content-Security-Policy forbids requests to any server. Names
and values from runs are written into it as JSON, never as HTML; the page's scripts show them as
text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ganlab.files import finite, write_text
from ganlab.printable import printable

PARTS = Path(__file__).parent / "parts"


def write_html(
    path: Path,
    title: str,
    body: str,
    styles: Sequence[str],
    scripts: Sequence[str],
    blocks: dict[str, Any],
    hint: str,
) -> None:
    """Write a page.

    Args:
        path: where the page is written; a missing folder is created.
        title: the page's title.
        body: name of the file in `parts` that holds the page's body.
        styles: names of its style sheets in `parts`, without .css.
        scripts: names of its scripts in `parts`, without .js, in the order in which they run.
        blocks: the page's data by name; scripts read it with `data(name)`.
        hint: what a user can do if the file cannot be written, see `ganlab.files.atomic`.

    Raises:
        RunError: the page cannot be written.
    """
    style = "".join(_part(f"{name}.css") for name in styles)
    script = "\n".join(_part(f"{name}.js") for name in scripts)
    script = f'(() => {{\n"use strict";\n{script}\n}})();'
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )
    data = "\n".join(_block(name, contents) for name, contents in blocks.items())
    entries = {"policy": policy, "style": style, "script": script, "data": data}
    entries |= {"title": title, "body": _part(body)}
    write_text(path, "".join(_filled(_part("page.html"), entries)), hint)


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


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
