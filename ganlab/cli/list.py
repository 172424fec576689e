"""`ganlab list`: list the config files that a user can choose."""

from __future__ import annotations

from ganlab.cli.arguments import wants_help
from ganlab.config.groups import CONF, describe, files, groups
from ganlab.errors import one_of

PLURALS = {
    "models": "model",
    "data": "data",
    "losses": "loss",
    "regularizers": "regularizer",
    "experiments": "experiment",
    "trainers": "trainer",
    "loggers": "logger",
    "protocols": "protocol",
    "features": "features",
    "sweeps": "sweep",
}


def main(argv: list[str]) -> int:
    """Print one line for each config file of the given groups; of all groups by default."""
    if wants_help(argv):
        print(f"ganlab list [{'|'.join(PLURALS)}]: list the choices, one per line.")
        return 0
    for name in argv or list(PLURALS):
        group = PLURALS.get(name, name)
        if group not in groups():
            one_of("list", name, PLURALS)
        if len(argv) != 1:
            print(f"\n{group}=")
        paths = files(group)
        width = max(map(len, paths))
        folder = CONF / group
        for name, path in sorted(paths.items(), key=lambda item: (str(item[1].parent), item[0])):
            if path.parent != folder:
                folder = path.parent
                print(f" {folder.relative_to(CONF / group)}/")
            print(f"  {name:<{width}}  {describe(group, name)}")
    return 0
