"""Help texts and errors that need no model are printed without importing torch."""

import subprocess
import sys

import pytest
from helpers.tiny import REPOSITORY

from ganlab.cli import COMMANDS

WORDS = [
    *([name, "--help"] for name in COMMANDS),
    ["evaluate", "real=a"],
    ["sweep", "status", "nowhere"],
    ["validate", "modle=mlp"],
    ["list", "models"],
    ["export", "format=onyx"],
]


def test_help_and_early_errors_do_not_import_torch():
    code = f"""
import sys
from ganlab.cli import main
for words in {WORDS!r}:
    main(words)
    assert "torch" not in sys.modules, words
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_train_function_refuses_a_configuration_with_dry_run(tmp_path):
    """Only the command `ganlab train` does dry runs; `train(config)` raises and writes nothing."""
    from ganlab.config.compose import compose, to_plain
    from ganlab.errors import ConfigError
    from ganlab.runs.train import train

    config = to_plain(compose(["experiment=ring_hinge", "dry_run=true", f"run_dir={tmp_path}/x"]))
    with pytest.raises(ConfigError, match="dry_run"):
        train(config)
    assert not (tmp_path / "x").exists()
