"""Trains a complete run, and reads its scores."""

import json

from ganlab.cli import main


def scores_of(folder, *arguments):
    """Run `ganlab train` with these arguments; return a dict from score names to values."""
    assert main(["train", *arguments, f"run_dir={folder}"]) == 0
    record = json.loads((folder / "run.json").read_text())
    return {name: score["value"] for name, score in record["scores"].items()}
