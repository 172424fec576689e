"""Commands that train on a folder, to be pasted into a shell whatever the folder is called."""

from __future__ import annotations

import shlex
from pathlib import Path


def train_pairs(kind: str, root: Path, experiments: tuple[str, ...]) -> str:
    """The command that translates between two sides.

    Args:
        kind: "paired" or "unpaired".
        root: the folder.
        experiments: names of those that there are; a general one is preferred to a model.
    """
    name = {"paired": "pix2pix", "unpaired": "cyclegan"}[kind]
    general = f"experiment={name}" if name in experiments else f"model={name} data={kind}"
    return f"ganlab train {general} {root_argument(root)}"


def root_argument(root: Path) -> str:
    """data.root=…, absolute, quoted for Hydra and for a shell where need be."""
    text = str(root.resolve())
    if all(char.isascii() and (char.isalnum() or char in "/._-") for char in text):
        return f"data.root={text}"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return shlex.quote(f'data.root="{escaped}"')
