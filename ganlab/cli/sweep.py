"""`ganlab sweep status DIR` and `ganlab sweep resume DIR`: show and resume sweeps."""

from __future__ import annotations

import sys
from pathlib import Path

from ganlab.cli.arguments import say_loading, wants_help
from ganlab.config.sweeps import is_of_hydra
from ganlab.config.values import split_trust
from ganlab.errors import ConfigError, GanlabError, one_of

HELP = """ganlab sweep status DIR [DIR …]       show the state and progress of the jobs of sweeps
ganlab sweep resume DIR [hydra/…=…]   train all unfinished jobs, and retry failed jobs; an
                                      interrupted job continues from its last checkpoint. A sweep
                                      that uses code of other packages also needs trust=true

`ganlab train -m key=a,b,c` starts a sweep, see ganlab train --help. `resume` uses the launcher
that the sweep was started with; hydra/launcher=joblib, for example, chooses another launcher.
"""


def main(argv: list[str]) -> int:
    """Print the state of sweeps, or resume sweeps; return the exit code."""
    if wants_help(argv) or not argv:
        print(HELP)
        return 0 if argv else 2
    command, rest = argv[0], argv[1:]
    one_of("sweep", command, ("status", "resume"))
    trust, rest = split_trust(rest)
    settings = [text for text in rest if is_of_hydra(text)]
    folders = [Path(text) for text in rest if text not in settings]
    for text in rest:
        if "=" in text and text not in settings and not Path(text).is_dir():
            raise ConfigError(
                f"{text}: sweep {command} takes folders and settings of Hydra, hydra/…=…; the "
                "jobs keep the settings that they were planned with. Leave it out."
            )
    if not folders:
        raise ConfigError(f"sweep {command}: folder missing; give the sweep's folder, outputs/….")
    if command == "resume":
        return _resume(folders, settings, bool(trust))
    return _status(folders, settings)


def _status(folders: list[Path], settings: list[str]) -> int:
    from ganlab.sweeps.table import describe_counts, status_table

    if settings:
        raise ConfigError(f"{settings[0]}: sweep status takes only folders; leave it out.")
    code = 0
    for folder in folders:
        try:
            table, counts = status_table(folder)
        except GanlabError as error:
            print(error, file=sys.stderr)
            code = 1
            continue
        print(f"{folder}\n{table}\n{describe_counts(counts)}.")
    return code


def _resume(folders: list[Path], settings: list[str], trust: bool) -> int:
    say_loading("sweep", "the unfinished runs")
    from ganlab.sweeps.launch import launch
    from ganlab.sweeps.launchers import check_launcher, stored_settings
    from ganlab.sweeps.plan import check_started_once

    check_started_once()
    code = 0
    for folder in folders:
        try:
            chosen = settings or stored_settings(folder, trust)
            check_launcher(chosen)
            folder_code = launch(folder, chosen, again=True, trust=trust)
        except GanlabError as error:
            print(f"ganlab sweep: {error}", file=sys.stderr)
            folder_code = 1
        if folder_code == 130:
            return 130
        code = max(code, folder_code)
    return code
