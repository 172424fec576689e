"""Commands that train on a folder, quoted so that they can be pasted into a shell."""

from __future__ import annotations

import shlex
from pathlib import Path


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
    text = str(root.resolve())
    if all(char.isascii() and (char.isalnum() or char in "/._-") for char in text):
        return f"data.root={text}"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return shlex.quote(f'data.root="{escaped}"')
