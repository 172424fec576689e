"""Ganlab's config groups as a source of Hydra's, with bare names for files in sub-folders."""

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

_composing: ContextVar[bool] = ContextVar("composing", default=False)


class GroupSource(ConfigSource):
    """The files below `CONF`; see `ganlab.config.groups`."""

    @staticmethod
    def scheme() -> str:
        return "ganlab"

    def load_config(self, config_path: str) -> ConfigResult:
        """The contents of `train` or `<group>/<choice>`."""
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
        """Groups, or the choices of one, without their sub-folders."""
        inside = list(groups()) if not config_path else []
        choices = options(config_path) if config_path in groups() else []
        if results_filter is None:
            return inside + choices
        return inside if results_filter == ObjectType.GROUP else choices


class GroupPath(SearchPathPlugin):
    """Lets Hydra look into `GroupSource` within `composing`; other Hydra programs see nothing."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if _composing.get():
            search_path.append("ganlab", "ganlab://conf")


@cache
def _read(path: Path, changed: int) -> tuple[str, Container]:
    """The text and contents of a file that was last changed at a time.

    They are kept, since parsing takes most of the time of composing.
    """
    text = path.read_text(encoding="utf-8")
    return text, OmegaConf.create(text)


def _file(config_path: str) -> Path | None:
    group, _, choice = config_path.partition("/")
    if choice:
        return file_of(group, choice) or (protocol_of(choice) if group == "protocol" else None)
    path = CONF / f"{config_path}.yaml"
    return path if path.is_file() else None


@contextmanager
def composing() -> Iterator[None]:
    """Within it, Hydra finds ganlab's configs, as they are now."""
    for plugin in (GroupSource, GroupPath):
        Plugins.instance().register(plugin)
    files.cache_clear()
    before = _composing.set(True)
    try:
        yield
    finally:
        _composing.reset(before)


@contextmanager
def initialized() -> Iterator[None]:
    """Within it, `hydra.compose` composes ganlab's configs."""
    # `initialize` would look for the caller's file, which takes 10 ms; this package has no YAML
    with composing(), initialize_config_module("ganlab.config", "ganlab", version_base="1.3"):
        yield
