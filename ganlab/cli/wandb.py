"""`ganlab wandb sync`: send runs that were logged offline to Weights & Biases."""

from __future__ import annotations

from pathlib import Path

from ganlab.cli.arguments import Argument, parse, split_options, wants_help
from ganlab.errors import ConfigError, nearest

HELP = """ganlab wandb sync DIR …: send runs that were logged offline to Weights & Biases.

  DIR        the folder of a run or of a sweep, or any folder that contains runs
  entity=    the W&B user or team (default: the run's entity, else the account's)
  project=   the W&B project (default: the run's project)

Sends all runs with logger=wandb that have not been sent yet, except runs that are still training.
All sessions of a resumed run are sent as one W&B run. Log in with `wandb login` first.
"""
ARGUMENTS = {
    "entity": Argument(str, "the W&B user or team (default: the run's entity)"),
    "project": Argument(str, "the W&B project (default: the run's project)"),
}


def main(argv: list[str]) -> int:
    """Send runs and print their folders; return 0 if all of the runs were sent.

    Raises:
        ConfigError: the action is not sync, or a folder is missing.
        RunError: nobody is logged in, or the server does not answer.
    """
    if not argv or wants_help(argv):
        print(HELP)
        return 0 if argv else 2
    positional, options = split_options(argv, ARGUMENTS)
    chosen = parse(options, ARGUMENTS)
    if not positional or positional[0] != "sync":
        received = positional[0] if positional else "nothing"
        raise ConfigError(
            f"wandb: received {received!r}; allowed sync, as in `ganlab wandb sync outputs/sweep`."
            f"{nearest(received, ['sync'])}"
        )
    folders = [Path(text) for text in positional[1:]]
    if not folders:
        raise ConfigError(
            "wandb sync: folder missing; give the folder of a run, or a folder above runs, e.g. "
            "outputs."
        )
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"wandb sync: folder {folder} does not exist.")
    from ganlab.exchange.wandb import check_login, nothing_to_send, offline_files, send, unsent

    files = offline_files(folders)
    waiting, notes = unsent(files)
    for note in notes:
        print(note)
    if not waiting:
        print(nothing_to_send(folders, len(files)))
        return 0
    check_login()
    return send(waiting, [f"--{key}={value}" for key, value in chosen.items() if value])
