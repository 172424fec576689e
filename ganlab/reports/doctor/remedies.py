"""Remedies that name settings, without the settings that a run already has."""

from __future__ import annotations

from typing import Any

from ganlab.record.plain_yaml import parse
from ganlab.reports.doctor.evidence import Evidence

HOLD_BACK = "Hold the discriminator back"  # a purpose of several problems


def remedy(run: Evidence, purpose: str, *options: str) -> list[str]:
    """Return a sentence that offers the options that a run does not use yet; [] if it uses all.

    Args:
        run: the run.
        purpose: what the options are for, e.g. "Hold the discriminator back".
        options: overrides for `ganlab train`, e.g. "loss=r3gan", "regularizer=[r1]", or
            "model.players.<player>.gradient_clip=1.0", where <player> stands for each player; a
            setting without a value, e.g. "callbacks.ema", is in use if it is not null.
    """
    left = [option for option in options if not _is_used(run, option)]
    *first, last = left or [""]
    text = f"{', '.join(first)} or {last}" if first else last
    return [f"{purpose}: {text}"] if left else []


def _is_used(run: Evidence, option: str) -> bool:
    key, equals, text = option.partition("=")
    if key == "regularizer":
        return run.setting(f"loss.regularizers.{text.strip('[]')}") is not None
    if key == "loss":
        return run.setting("choices.loss") == text
    players = run.players if "<player>" in key else [""]
    values = [run.setting(key.replace("<player>", player)) for player in players]
    if not equals:
        return all(values)
    return bool(values) and all(_is_set(value, parse(text)) for value in values)


def _is_set(value: Any, wanted: Any) -> bool:
    """Whether a setting has a wanted value, or another value that serves the same purpose."""
    if isinstance(wanted, list):  # Adam's betas, of which the first is the momentum
        return isinstance(value, list) and value[:1] == wanted[:1]
    return value == wanted or (wanted is not None and value not in (None, 1))
