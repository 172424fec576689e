"""`ganlab wandb sync`: send runs that were logged offline to Weights & Biases."""

from __future__ import annotations

from pathlib import Path

from ganlab.cli.arguments import Argument, parse, split_options, wants_help
from ganlab.errors import ConfigError, nearest

HELP = """ganlab wandb sync DIR …: send runs that were logged offline to Weights & Biases.

  DIR        a run's folder, a sweep's, or any folder above runs
  entity=    the W&B user or team; as the run says, or the account's own, unless given
  project=   as the run says unless given

Sent are the runs with logger=wandb that have not been sent yet; one that is still being trained is
left for later. The parts of a run that was resumed become one W&B run. `wandb login` logs in.
"""
ARGUMENTS = {
    "entity": Argument(str, "the W&B user or team; as the run says unless given"),
    "project": Argument(str, "the W&B project; as the run says unless given"),
}


def main(argv: list[str]) -> int:
    """Send runs, and say which; returns 0 when all of them arrived.

    Raises:
        ConfigError: no such action, or no folder.
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
        raise ConfigError("wandb sync: name a run's folder, or one above runs, e.g. outputs.")
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"wandb sync: there is no folder {folder}.")
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
