"""Fixtures of the tests of commands."""

import pytest

from ganlab.cli import main


@pytest.fixture
def cli(capsys):
    """Function that runs a command; returns its exit code and its stderr."""

    def run(*argv):
        code = main([str(word) for word in argv])
        return code, capsys.readouterr().err

    return run
