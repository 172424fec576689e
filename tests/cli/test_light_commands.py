"""Help texts and errors that need no model are printed without importing torch."""

import os
import re
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


# Folders need not exist: the first line is to come before they are read.
SLOW = {
    "train": [["experiment=quickstart"], ["-m", "experiment=ring_hinge", "seed=1,2"]],
    "sample": [["run=a"]],
    "translate": [["run=a", "input=b", "output=c"]],
    "evaluate": [["real=a", "generated=b"]],
    "export": [["run=a", "format=pth"]],
    "data": [["check", "."]],
    "sweep": [["resume", "a"]],
    "tune": [["sweep=wgan_gp_mnist_5k"]],
    "reproduce": [["ring_non_saturating"]],
    "validate": [["model=mlp", "data=ring"]],
    "bench": [["model=mlp", "data=ring"]],
}


def test_slow_commands_print_a_line_before_they_import_torch(tmp_path):
    """A person sees within a second that a command has begun; torch takes several to import."""
    code = f"""
import io, sys
from contextlib import redirect_stderr
from ganlab.cli import main
sys.modules["torch"] = None  # its import raises an ImportError
for command, arguments in {SLOW!r}.items():
    for words in arguments:
        with redirect_stderr(io.StringIO()) as shown:
            try:
                main([command, *words])
            except ImportError as error:
                assert "torch" in str(error), error
        print(shown.getvalue().partition("\\n")[0] or f"{{command}}: nothing")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == sum(map(len, SLOW.values()))
    assert lines[0] == "ganlab train: loading PyTorch, then experiment=quickstart …"
    for command in SLOW:
        pattern = rf"ganlab {command}\b.*: loading PyTorch, then"
        assert any(re.match(pattern, line) for line in lines), (command, lines)
