"""`ganlab sweep status DIR` and `ganlab sweep resume DIR`."""

from __future__ import annotations

from pathlib import Path

from ganlab.cli.arguments import wants_help
from ganlab.errors import ConfigError, nearest

HELP = """ganlab sweep status DIR [DIR …]       how far the jobs of a sweep are
ganlab sweep resume DIR [hydra/…=…]   run what is missing or failed, and continue what was stopped

A sweep is started with `ganlab train -m key=a,b,c`, see ganlab train --help. It goes on with the
launcher that it was started with, unless another is given: hydra/launcher=joblib, ….
"""


def main(argv: list[str]) -> int:
    """Print the state of sweeps, or go on with one; returns the exit code."""
    if wants_help(argv) or not argv:
        print(HELP)
        return 0 if argv else 2
    command, words = argv[0], argv[1:]
    commands = {"status": _status, "resume": _resume}
    if command not in commands:
        raise ConfigError(
            f"sweep: received {command!r}; allowed {', '.join(commands)}."
            f"{nearest(command, list(commands))}"
        )
    folders = [Path(word) for word in words if "=" not in word]
    if not folders:
        raise ConfigError(f"sweep {command}: give the sweep's folder, outputs/….")
    return commands[command](folders, [word for word in words if "=" in word])


def _status(folders: list[Path], words: list[str]) -> int:
    from ganlab.cli.sweep_table import in_words, status_table

    if words:
        raise ConfigError(f"{words[0]}: sweep status takes folders alone.")
    for folder in folders:
        table, counts = status_table(folder)
        print(f"{folder}\n{table}\n{in_words(counts)}.")
    return 0


def _resume(folders: list[Path], words: list[str]) -> int:
    from ganlab.cli.launch import check_launcher, launch, launcher_of
    from ganlab.cli.sweep import plan_missing, read_sweep_file

    for word in words:
        if not word.startswith(("hydra/", "hydra.")):
            raise ConfigError(
                f"{word}: the jobs of a sweep keep their settings; only Hydra's own can be given, "
                "e.g. hydra/launcher=joblib. For other settings start a new sweep."
            )
    code = 0
    for folder in folders:
        own = words or read_sweep_file(folder).get("launcher") or []
        check_launcher(launcher_of(own))
        plan_missing(folder)
        code = max(code, launch(folder, own, again=True))
    return code
