"""The sweeps in conf/sweep: their overrides, and the values that they sweep over."""

from __future__ import annotations

from collections.abc import Sequence


def read_sweep(name: str) -> tuple[list[str], dict[str, str]]:
    """Return the overrides that all runs of a sweep share, and a dict from swept keys to values.

    The values of a key are one text, e.g. "a,b,c" or "range(5)".

    Args:
        name: the sweep's name; its file is conf/sweep/<name>.yaml.

    Raises:
        ConfigError: there is no such sweep; the message suggests the nearest name.
    """
    import yaml

    from ganlab.config.groups import check_choice, file_of

    check_choice("sweep", name)
    content = yaml.safe_load(file_of("sweep", name).read_text(encoding="utf-8"))
    return list(content.get("overrides") or []), {
        key: str(value) for key, value in (content.get("params") or {}).items()
    }


def merge_sweep(overrides: Sequence[str]) -> tuple[str | None, list[str]]:
    """Return a sweep's name, and the sweep's overrides merged with the user's overrides.

    The user's override wins if both have the same key. Without sweep=NAME the name is None.

    Args:
        overrides: the user's key=value texts, one of which may be sweep=NAME.

    Raises:
        ConfigError: there is no such sweep.
    """
    name = next((text.partition("=")[2] for text in overrides if text.startswith("sweep=")), None)
    given = [text for text in overrides if not text.startswith("sweep=")]
    if name is None:
        return None, given
    overrides, params = read_sweep(name)
    sweep_overrides = overrides + [f"{key}={value}" for key, value in params.items()]
    keys = {_key(text) for text in given}
    return name, [text for text in sweep_overrides if _key(text) not in keys] + given


def _key(text: str) -> str:
    return text.partition("=")[0].lstrip("+~")


def is_of_hydra(text: str) -> bool:
    """Whether an override changes a setting of Hydra itself, such as the launcher."""
    return text.lstrip("+~").startswith(("hydra.", "hydra/"))
