"""`ganlab list`: what there is to choose from, from the configs themselves."""

from __future__ import annotations

from pathlib import Path

from ganlab.cli.arguments import wants_help
from ganlab.cli.compose import CONF, groups, options
from ganlab.errors import ConfigError, nearest

PLURALS = {
    "models": "model",
    "data": "data",
    "losses": "loss",
    "regularizers": "regularizer",
    "experiments": "experiment",
    "trainers": "trainer",
    "loggers": "logger",
    "evaluations": "evaluation",
    "protocols": "protocol",
    "features": "features",
    "sweeps": "sweep",
}


def main(argv: list[str]) -> int:
    """Print one line for each file of the groups asked for; of all groups without arguments."""
    if wants_help(argv):
        print(f"ganlab list [{'|'.join(PLURALS)}]: what there is to choose from, a line each.")
        return 0
    for word in argv or list(PLURALS):
        group = PLURALS.get(word, word)
        if group not in groups():
            raise ConfigError(
                f"list: received {word!r}; allowed {', '.join(PLURALS)}."
                f"{nearest(word, list(PLURALS))}"
            )
        if len(argv) != 1:
            print(f"\n{group}=")
        names = options(group)
        width = max(map(len, names))
        for name in names:
            print(f"  {name:<{width}}  {describe(CONF / group / f'{name}.yaml')}")
    return 0


def describe(path: Path) -> str:
    """The first comment of a config file that is not a directive."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and not line.startswith("# @"):
            return line.lstrip("# ").strip()
    return ""
