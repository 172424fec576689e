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


def with_sweep(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """A sweep's name, and overrides with its own put in where the user has not given others.

    Args:
        words: key=value texts, one of which may be sweep=NAME.

    Raises:
        ConfigError: no such sweep.
    """
    name = next((w.partition("=")[2] for w in words if w.startswith("sweep=")), None)
    given = [word for word in words if not word.startswith("sweep=")]
    if name is None:
        return None, given
    overrides, params = read_sweep(name)
    own = overrides + [f"{key}={value}" for key, value in params.items()]
    keys = {_key(word) for word in given}
    return name, [word for word in own if _key(word) not in keys] + given


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def is_of_hydra(word: str) -> bool:
    """Whether an override is of Hydra's own settings, such as the launcher."""
    return word.lstrip("+~").startswith(("hydra.", "hydra/"))
