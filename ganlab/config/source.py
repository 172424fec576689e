"""Ganlab's config groups as a source of Hydra's, with bare names for files in sub-folders."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from hydra import initialize
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import Container, OmegaConf

from ganlab.config.groups import CONF, file_of, groups, options


class GroupSource(ConfigSource):
    """The files below `CONF`; see `ganlab.config.groups`."""

    @staticmethod
    def scheme() -> str:
        return "ganlab"

    def load_config(self, config_path: str) -> ConfigResult:
        """The contents of `train` or `<group>/<choice>`."""
        if (path := _file(config_path)) is None:
            raise ConfigLoadError(f"Config not found: {config_path}")
        text, config = _read(path)
        header = self._get_header_dict(text)
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
        return {ObjectType.GROUP: inside, ObjectType.CONFIG: choices}.get(
            results_filter, inside + choices
        )


class GroupPath(SearchPathPlugin):
    """Lets Hydra look into `GroupSource`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append("ganlab", "ganlab://conf")


@cache
def _read(path: Path) -> tuple[str, Container]:
    """A file's text and contents; parsing takes most of the time of composing."""
    text = path.read_text(encoding="utf-8")
    return text, OmegaConf.create(text)


def _file(config_path: str) -> Path | None:
    group, _, choice = config_path.partition("/")
    if choice:
        return file_of(group, choice)
    path = CONF / f"{config_path}.yaml"
    return path if path.is_file() else None


@cache
def register() -> None:
    """Let Hydra know of ganlab's config groups, in this process."""
    for plugin in (GroupSource, GroupPath):
        Plugins.instance().register(plugin)


def initialized() -> Any:
    """A context manager within which Hydra composes ganlab's configs."""
    register()
    return initialize(config_path=None, job_name="ganlab", version_base="1.3")
