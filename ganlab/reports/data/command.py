"""Arguments of `ganlab train`, quoted so that commands can be pasted into a shell."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any


def train_pairs(kind: str, root: Path, experiments: tuple[str, ...]) -> str:
    """Return the command that trains a translation between the sets A and B of a folder.

    Args:
        kind: "paired" or "unpaired".
        root: the folder.
        experiments: names of the available experiments. If pix2pix or cyclegan is one of them, the
            command uses it as an experiment, else as a model.
    """
    name = {"paired": "pix2pix", "unpaired": "cyclegan"}[kind]
    general = f"experiment={name}" if name in experiments else f"model={name} data={kind}"
    return f"ganlab train {general} {root_argument(root)}"


def root_argument(root: Path) -> str:
    """Return data.root=PATH with an absolute path, quoted for Hydra and the shell if necessary."""
    return shlex.quote(override("data.root", str(root.resolve())))


def override(key: str, value: Any) -> str:
    """Return key=value in Hydra's grammar, for a plain value; not quoted for a shell."""
    return f"{key}={_literal(value)}"


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_literal, value)) + "]"
    if not isinstance(value, str):
        return repr(value) if isinstance(value, float) else json.dumps(value)
    # a text that would be read as a number, a bool or null needs quotes, too
    is_plain = re.fullmatch(r"[A-Za-z/_][A-Za-z0-9/._-]*", value)
    if is_plain and value.lower() not in ("null", "true", "false", "nan", "inf"):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
