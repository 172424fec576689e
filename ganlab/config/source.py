"""A config source for Hydra: ganlab's config groups, with bare names for files in sub-folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from functools import cache
from pathlib import Path

from hydra import initialize_config_module
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import Container, OmegaConf

from ganlab.config.groups import CONF, file_of, files, groups, options, protocol_of
from ganlab.record.plain_yaml import parse

_composing: ContextVar[bool] = ContextVar("composing", default=False)


class GroupSource(ConfigSource):
    """The files below `CONF`; see `ganlab.config.groups`."""

    @staticmethod
    def scheme() -> str:
        return "ganlab"

    def load_config(self, config_path: str) -> ConfigResult:
        """Return the contents of the config file `train` or `<group>/<choice>`."""
        if (path := _file(config_path)) is None:
            raise ConfigLoadError(f"Config not found: {config_path}")
        text, config = _read(path, path.stat().st_mtime_ns)
        header = {"package": None, **dict(re.findall(r"^# @(\w+) (\S+)$", text, re.MULTILINE))}
        return ConfigResult(self.provider, self.full_path(), deepcopy(config), header)

    def available(self) -> bool:
        return CONF.is_dir()

    def is_group(self, config_path: str) -> bool:
        return (CONF / config_path).is_dir()

    def is_config(self, config_path: str) -> bool:
        return _file(config_path) is not None

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return the config groups, or the choices of the group `config_path`."""
        inner_groups = list(groups()) if not config_path else []
        choices = options(config_path) if config_path in groups() else []
        if results_filter is None:
            return inner_groups + choices
        return inner_groups if results_filter == ObjectType.GROUP else choices


class GroupPath(SearchPathPlugin):
    """Adds `GroupSource` to Hydra's search path, only within `composing`.

    So other Hydra programs in the same process do not see ganlab's configs.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if _composing.get():
            search_path.append("ganlab", "ganlab://conf")


@cache
def _read(path: Path, changed: int) -> tuple[str, Container]:
    """Return the text and contents of a file; cached, because parsing takes most of the time.

    Args:
        path: the file.
        changed: the file's modification time, so that a changed file is read again.
    """
    text = path.read_text(encoding="utf-8")
    return text, OmegaConf.create(parse(text) or {})


def _file(config_path: str) -> Path | None:
    group, _, choice = config_path.partition("/")
    if choice:
        return file_of(group, choice) or (protocol_of(choice) if group == "protocol" else None)
    path = CONF / f"{config_path}.yaml"
    return path if path.is_file() else None


@contextmanager
def composing() -> Iterator[None]:
    """Within the block, let Hydra find ganlab's configs, also files added since the last call."""
    for plugin in (GroupSource, GroupPath):
        Plugins.instance().register(plugin)
    files.cache_clear()
    token = _composing.set(True)
    try:
        yield
    finally:
        _composing.reset(token)


@contextmanager
def initialized() -> Iterator[None]:
    """Within the block, let `hydra.compose` compose ganlab's configs."""
    # `initialize` would take 10 ms to find the caller's file. The module named here does not
    # matter: it contains no YAML.
    with composing(), initialize_config_module("ganlab.config", "ganlab", version_base="1.3"):
        yield
