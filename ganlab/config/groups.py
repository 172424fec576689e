"""The config groups: which files there are to choose from, and where Hydra finds them.

The files of a group may lie in sub-folders. They are chosen by their bare names, which are unique
in a group: `experiment=ring_hinge`, wherever `ring_hinge.yaml` lies below `conf/experiment`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ganlab.errors import ConfigError, nearest

_INSIDE, _BESIDE = Path(__file__).parents[1] / "conf", Path(__file__).parents[2] / "conf"
CONF = _INSIDE if _INSIDE.is_dir() else _BESIDE


@cache
def files(group: str) -> Mapping[str, Path]:
    """The files of a config group by bare name, in the order of names; empty for no such group.

    Raises:
        ConfigError: two files have one name.
    """
    found: dict[str, Path] = {}
    for path in sorted((CONF / group).rglob("*.yaml"), key=lambda path: (path.stem, path)):
        if (other := found.setdefault(path.stem, path)) != path:
            raise ConfigError(f"{group}={path.stem}: is both {other} and {path}; rename one.")
    return MappingProxyType(found)


def options(group: str) -> list[str]:
    """The bare names of what there is to choose from in a config group."""
    return list(files(group))


def file_of(group: str, choice: str) -> Path | None:
    """The file of a choice, a bare name or the way to it from the group; None where there is none.

    Args:
        group: such as "experiment".
        choice: such as "dirac" or "lecture/dirac".
    """
    path = files(group).get(choice.rpartition("/")[2])
    if path and "/" in choice and path != CONF / group / f"{choice}.yaml":
        return None  # in another folder
    return path


def protocol_of(data: str) -> Path | None:
    """The file of the protocol that a data set's file names in a line `# @protocol NAME`."""
    path = file_of("data", data)
    named = path and re.search(r"^# @protocol (\w+)$", path.read_text("utf-8"), re.MULTILINE)
    return file_of("protocol", named[1]) if named else None


def bare(group: str, value: str) -> str:
    """Bare names of choices, several with commas, of which some may be written with their folder.

    Texts that are no choices stay.
    """
    texts = value.split(",")
    return ",".join(t.rpartition("/")[2] if file_of(group, t) else t for t in texts)


def describe(group: str, choice: str) -> str:
    """The first comment of a choice's file that is not a directive."""
    path = file_of(group, choice)
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and not line.startswith("# @"):
            return line.lstrip("# ").strip()
    return ""


def groups() -> tuple[str, ...]:
    """The config groups, in the order of names."""
    return tuple(sorted(path.name for path in CONF.iterdir() if path.is_dir()))


def check_choice(group: str, value: Any) -> None:
    """Raise a ConfigError, with the nearest option, unless the group has all that is chosen."""
    from hydra.core.override_parser.types import Sweep

    allowed = options(group)
    if isinstance(value, Sweep):
        raise ConfigError(
            f"{group}: received several values; for a sweep over them use ganlab train -m."
        )
    for choice in value if isinstance(value, list) else [value]:
        if choice is not None and file_of(group, str(choice)) is None:
            raise ConfigError(
                f"{group}={choice}: there is no such {group}; allowed {', '.join(allowed)}."
                f"{nearest(str(choice), allowed)}"
            )
