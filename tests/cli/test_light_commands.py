"""Help, and mistakes that need no model, are answered before torch is imported."""

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


def test_light_answers_need_no_torch():
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


def test_a_dry_run_is_the_commands_to_make(tmp_path):
    """Whoever trains from a configuration with dry_run is told, and nothing is trained."""
    from ganlab.config.compose import compose, to_plain
    from ganlab.errors import ConfigError
    from ganlab.runs.train import train

    config = to_plain(compose(["experiment=ring_hinge", "dry_run=true", f"run_dir={tmp_path}/x"]))
    with pytest.raises(ConfigError, match="dry_run"):
        train(config)
    assert not (tmp_path / "x").exists()
