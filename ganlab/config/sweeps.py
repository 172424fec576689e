"""Sweeps of conf/sweep: their overrides, and what they sweep over."""

from __future__ import annotations

from collections.abc import Sequence


def read_sweep(name: str) -> tuple[list[str], dict[str, str]]:
    """The overrides of every run of conf/sweep/<name>.yaml, and what it sweeps over.

    Raises:
        ConfigError: no such sweep, with the nearest.
    """
    import yaml

    from ganlab.config.groups import check_choice, file_of

    check_choice("sweep", name)
    content = yaml.safe_load(file_of("sweep", name).read_text(encoding="utf-8"))
    return list(content.get("overrides") or []), {
        key: str(value) for key, value in (content.get("params") or {}).items()
    }


def with_sweep(overrides: Sequence[str]) -> tuple[str | None, list[str]]:
    """A sweep's name, and overrides with its own put in where the user has not given others.

    Args:
        overrides: key=value texts, one of which may be sweep=NAME.

    Raises:
        ConfigError: no such sweep.
    """
    name = next((text.partition("=")[2] for text in overrides if text.startswith("sweep=")), None)
    given = [text for text in overrides if not text.startswith("sweep=")]
    if name is None:
        return None, given
    overrides, params = read_sweep(name)
    own = overrides + [f"{key}={value}" for key, value in params.items()]
    keys = {_key(text) for text in given}
    return name, [text for text in own if _key(text) not in keys] + given


def _key(text: str) -> str:
    return text.partition("=")[0].lstrip("+~")


def is_of_hydra(text: str) -> bool:
    """Whether an override is of Hydra's own settings, such as the launcher."""
    return text.lstrip("+~").startswith(("hydra.", "hydra/"))
