"""The command that trains a run again, as text that can be pasted into a shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganlab.errors import GanlabError, first_few
from ganlab.printable import one_line
from ganlab.record.stored import TRUST_HINT, check_overrides, needs_trust
from ganlab.reports.data.command import override
from ganlab.reports.page.run.settings import (
    MISSING,
    Defaults,
    composed,
    derived_keys,
    differing,
    is_group,
)

# keys that say where and how a run was started, and that a repetition does not share
OWN = ("run_dir", "resume", "trust", "dry_run")
TRUST = "It uses code of other packages: run it only if you know who wrote it."
MINUTES = (
    "The run is limited in minutes too; if these end it, another machine, or a busier one, gets "
    "another result."
)


@dataclass(frozen=True)
class Repetition:
    """How a run can be repeated.

    Attributes:
        command: the command, quoted for a shell; None if there is none.
        notes: sentences on the command, or on why there is none.
    """

    command: str | None
    notes: list[str]


def repetition(
    folder: Path, record: dict[str, Any], config: dict[str, Any], defaults: Defaults
) -> Repetition:
    """Return the command that trains a run again in a new folder.

    It is the command that was typed or, for a job of a sweep or a run that was resumed, one with
    the choices and the settings of its config.yaml. As a folder may come from anyone, no command is
    returned that changes Hydra itself, reads the environment, or is refused by this version.

    Args:
        folder: the run's folder.
        record: the contents of its run.json.
        config: its configuration, plain and with paths of its present place.
        defaults: its defaults.
    """
    words = [text for text in record.get("command") or [] if isinstance(text, str)]
    if words[1:2] == ["import"]:
        return Repetition(_quoted(words[1:]), ["The run was imported, and not trained here."])
    if not config:
        return Repetition(None, ["Its configuration cannot be read, so no command is known."])
    notes, typed = [], _typed(words, record)
    try:
        overrides = _from_settings(config, folder, defaults) if typed is None else typed
        check_overrides(overrides, "run.json", folder)
        plain = composed(overrides, config, folder)
    except Exception as error:  # GanlabError, or whatever Hydra raises for damaged overrides
        reason = str(error) if isinstance(error, GanlabError) else type(error).__name__
        return Repetition(None, [f"No command is shown: {reason.removesuffix(TRUST_HINT)}"])
    if any(one_line(text) != text for text in overrides):
        return Repetition(None, ["No command is shown: it has characters that cannot be pasted."])
    missing = first_few((key for key, *_ in differing(config, plain)), 5)
    if missing and typed is None:
        return Repetition(None, [f"No command is known that sets {missing}."])
    if missing:
        notes.append(
            f"In this version of ganlab it gives other values than the run had: {missing}."
        )
    elif typed is None:
        notes.append("Made from config.yaml: the run was resumed, or is one of several.")
    if needs_trust(plain, folder):
        notes.append(TRUST)
    if not plain.get("lesson") and (plain.get("budget") or {}).get("minutes"):
        notes.append(MINUTES)
    return Repetition(_quoted(["train", *overrides]), notes)


def _quoted(words: list[str]) -> str:
    return shlex.join(["ganlab", *words])


def _typed(words: list[str], record: dict[str, Any]) -> list[str] | None:
    """Return the overrides of a `ganlab train` that began this run alone, else None."""
    keys = [text.partition("=")[0] for text in words[2:]]
    is_of_several = record.get("sweep") or {"-m", "--multirun", "sweep", "run"}.intersection(keys)
    if words[1:2] != ["train"] or is_of_several:
        return None
    return [text for key, text in zip(keys, words[2:], strict=True) if key not in OWN]


def _from_settings(config: dict[str, Any], folder: Path, defaults: Defaults) -> list[str]:
    """Return overrides that give a run's configuration.

    Raises:
        GanlabError: the defaults are not known, or a choice is not in this version.
    """
    if defaults.config is None:
        raise GanlabError(defaults.why)
    chosen = defaults.config.get("choices") or {}
    others = [
        override(key, choice)
        for key, choice in config["choices"].items()
        if is_group(key) and key != "experiment" and choice != chosen.get(key)
    ]
    overrides = [*defaults.overrides, *(text for text in others if text not in defaults.overrides)]
    base = composed(overrides, config, folder) if others else defaults.config
    for key in ("seed", "name"):
        default = 0 if key == "seed" else base.get(key)
        if config.get(key) != default:
            overrides.append(override(key, config[key]))
    derived = derived_keys(overrides)
    overrides += _settings(entry for entry in differing(config, base) if entry[0] not in derived)
    # settings that are made from others may have the right values now
    return [*overrides, *_settings(differing(config, composed(overrides, config, folder)))]


def _settings(differences: Iterable[tuple[str, Any, Any]]) -> list[str]:
    """Return an override for each difference, see `differing`."""
    return [
        f"~{key}"
        if value is MISSING
        else ("++" if default is MISSING else "") + override(key, value)
        for key, value, default in differences
    ]
