"""What a whole training has learned."""

import json

from ganlab.cli import main


def scores_of(folder, *arguments):
    """The scores of `ganlab train` with these arguments, by name."""
    assert main(["train", *arguments, f"run_dir={folder}"]) == 0
    record = json.loads((folder / "run.json").read_text())
    return {name: score["value"] for name, score in record["scores"].items()}
