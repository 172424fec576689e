"""The config groups, the folders in `conf`, and the files that a user can choose in them.

The files of a group may be in sub-folders. A user chooses a file by its bare name, which is unique
in its group: `experiment=ring_hinge` for a `ring_hinge.yaml` anywhere in `conf/experiment`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ganlab.errors import ConfigError, nearest

# path of the protocol in a run's configuration, to which `protocol=` and `features=` refer
PROTOCOL = "callbacks.evaluation.protocol"
_INSTALLED, _CHECKOUT = Path(__file__).parents[1] / "conf", Path(__file__).parents[2] / "conf"
CONF = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT


@cache
def files(group: str) -> Mapping[str, Path]:
    """Return a dict that maps the bare names of a config group's files to their paths.

    It is sorted by name, and empty for an unknown group.

    Raises:
        ConfigError: two files of the group have the same bare name.
    """
    by_name: dict[str, Path] = {}
    for path in sorted((CONF / group).rglob("*.yaml"), key=lambda path: (path.stem, path)):
        if (other := by_name.setdefault(path.stem, path)) != path:
            raise ConfigError(f"{group}={path.stem}: is both {other} and {path}; rename one.")
    return MappingProxyType(by_name)


def options(group: str) -> list[str]:
    """Return the bare names of a config group's files."""
    return list(files(group))


def file_of(group: str, choice: str) -> Path | None:
    """Return the file of a choice; None if there is no such file.

    Args:
        group: a config group, such as "experiment".
        choice: a bare name, such as "dirac", or a path in the group, such as "lecture/dirac".
    """
    path = files(group).get(choice.rpartition("/")[2])
    if path and "/" in choice and path != CONF / group / f"{choice}.yaml":
        return None  # in another folder
    return path


def protocol_of(data: str) -> Path | None:
    """Return the file of a data set's protocol; None if the data set names no protocol.

    The data set's file names its protocol in a line `# @protocol NAME`.
    """
    path = file_of("data", data)
    named = path and re.search(r"^# @protocol (\w+)$", path.read_text("utf-8"), re.MULTILINE)
    return file_of("protocol", named[1]) if named else None


def bare_names(group: str, value: str) -> str:
    """Return a choice, or several choices separated by commas, without their folders.

    Texts that are not choices of the group are returned unchanged.
    """
    texts = value.split(",")
    return ",".join(t.rpartition("/")[2] if file_of(group, t) else t for t in texts)


def describe(group: str, choice: str) -> str:
    """Return the first comment of a choice's file that is not a directive (`# @…`), else ""."""
    path = file_of(group, choice)
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and not line.startswith("# @"):
            return line.lstrip("# ").strip()
    return ""


def groups() -> tuple[str, ...]:
    """Return the names of the config groups, sorted."""
    return tuple(sorted(path.name for path in CONF.iterdir() if path.is_dir()))


def check_choice(group: str, value: Any) -> None:
    """Raise unless a config group has the chosen file or files.

    Raises:
        ConfigError: a file that does not exist (the message suggests the nearest), or a sweep.
    """
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
