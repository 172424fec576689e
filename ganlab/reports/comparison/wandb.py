"""Read runs from Weights & Biases, as `logger=wandb` wrote them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ganlab.errors import ConfigError
from ganlab.reading import read_json
from ganlab.record.old_names import current
from ganlab.reports.comparison.facts import ComparedRun, RunScore
from ganlab.reports.comparison.runs import Found
from ganlab.reports.comparison.scores import is_number, score_from
from ganlab.reports.comparison.settings import choices_of, settings_of

PATIENCE = 30  # seconds to wait for each answer of the server
# W&B's state of a run: ganlab's state. In W&B, a run is "killed" if Ctrl-C ended it, and "crashed"
# if it no longer responds. Other states have the same name in both.
STATES = {
    "crashed": "killed",
    "killed": "interrupted",
    "preempted": "interrupted",
    "preempting": "running",
    "pending": "planned",
}
# Final states that ganlab writes into the run's W&B summary: W&B itself does not have all of them.
FINAL_STATES = ("finished", "interrupted", "pruned")


def read_project(place: str, found: Found, api: Any = None) -> None:
    """Add all runs of a project on Weights & Biases, or a single run, to `found`.

    A run whose folder was read before is skipped, with a note. If nobody is logged in, the server
    refuses, or the project or run does not exist, nothing is read, and a note gives the reason.

    Args:
        place: ENTITY/PROJECT or ENTITY/PROJECT/RUN_ID.
        found: the runs that were read so far; runs and notes are added to it.
        api: the API to use; None for `wandb.Api()`.

    Raises:
        ConfigError: `place` has another form.
    """
    parts = place.strip("/").split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise ConfigError(
            f"wandb:{place}: needs wandb:ENTITY/PROJECT or wandb:ENTITY/PROJECT/RUN_ID, as in the "
            "address of the W&B page, but without /runs/."
        )
    known_ids = _ids(found.runs)
    try:
        with _logged_in(api) as api:
            runs = [api.run(place)] if len(parts) == 3 else list(api.runs(place, lazy=False))
            read = [(str(run.id), _compared(run, place, found.notes)) for run in runs]
    except Exception as error:  # W&B raises its own errors, errors of `requests`, and ValueError
        found.notes.append(_refusal(place, error))
        return
    if not read:
        found.notes.append(f"wandb:{place}: has no runs.")
    labels = Counter(run.label for _, run in read)
    for run_id, run in read:
        if run_id in known_ids:
            found.notes.append(
                f"wandb:{place}: {run.label} was also read from its folder; the run counts once."
            )
            continue
        label = f"{run.label} ({run_id})" if labels[run.label] > 1 else run.label
        address = f"wandb:{'/'.join(parts[:2])}/{run_id}"
        found.runs.append(replace(run, label=label, address=address))


@contextmanager
def _logged_in(api: Any) -> Iterator[Any]:
    """Yield the given API or, for None, a `wandb.Api` whose service process ends with the block."""
    if api is not None:
        yield api
        return
    import wandb

    wandb.setup(wandb.Settings(silent=True))  # so that it does not ask for a login
    try:
        yield wandb.Api(timeout=PATIENCE)
    finally:
        wandb.teardown()


def _compared(run: Any, place: str, notes: list[str]) -> ComparedRun:
    config = current(_plain(run.config))
    summary = current(_plain(run.summary))
    title = str(run.name or run.id)
    if not config.get("choices"):
        notes.append(f"wandb:{place}: {title} has no choices (model, loss, …) in its config.")
    state = STATES.get(run.state, run.state)
    if run.state in ("finished", "killed") and summary.get("status") in FINAL_STATES:
        state = summary["status"]
    seed = config.get("seed")
    group = getattr(run, "group", None)
    runtime = (summary.get("_wandb") or {}).get("runtime", summary.get("_runtime"))
    error = summary.get("error")
    return ComparedRun(
        label=title,
        folder=None,
        name=str(config.get("name") or title),
        state=str(state),
        error=str(error) if error else None,
        seed=seed if isinstance(seed, int) else None,
        started=getattr(run, "created_at", None),
        settings=settings_of(config),
        choices=choices_of(config.get("choices")),
        scores=_scores(summary, f"wandb:{place}: {title}", notes),
        seconds=_float(runtime),
        examples_seen=_int(summary.get("examples_seen")),
        batches_seen=_int(summary.get("batches_seen")),
        peak_memory_mib=_float(summary.get("peak_memory_mib")),
        sweep={"name": group, "kind": getattr(run, "job_type", None)} if group else None,
        baseline=config.get("baseline") if isinstance(config.get("baseline"), dict) else None,
    )


def _scores(summary: dict[str, Any], label: str, notes: list[str]) -> tuple[RunScore, ...]:
    """Return the scores in a summary; note and skip scores without a number or a protocol."""
    scores = []
    for key, value in summary.items():
        if not key.startswith("scores/"):
            continue
        name = key.removeprefix("scores/")
        protocol = summary.get(f"protocols/{name}")
        if isinstance(protocol, str):
            try:
                protocol = json.loads(protocol)
            except ValueError:
                protocol = None
        entry = {"value": value, "protocol": protocol}
        if f"higher_is_better/{name}" in summary:  # not in runs of older versions
            entry["higher_is_better"] = summary[f"higher_is_better/{name}"]
        score = score_from(name, entry, "training")
        if score is None or not isinstance(protocol, dict):
            what = "is not a finite number" if score is None else "has no protocol"
            notes.append(f"{label}: {name} {what}; it is left out.")
            continue
        scores.append(score)
    return tuple(scores)


def _plain(value: Any) -> Any:
    """Return a value with W&B's containers, which load their items lazily, as dicts and lists."""
    if isinstance(value, Mapping) or hasattr(value, "keys"):
        return {str(key): _plain(value[key]) for key in value.keys()}  # noqa: SIM118
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value


def _ids(runs: Sequence[ComparedRun]) -> set[str]:
    """Return the W&B ids of the runs that were read from folders and logged to W&B."""
    ids = set()
    for run in runs:
        try:
            ids.add(read_json(run.folder / "wandb.json")["id"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return ids


def _refusal(place: str, error: Exception) -> str:
    reason = (str(error).splitlines() or [""])[0].rstrip(".") or type(error).__name__
    return (
        f"wandb:{place}: {reason}. Nothing was read from Weights & Biases. Log in with `wandb "
        "login` (or set WANDB_API_KEY; WANDB_BASE_URL for your own server), check the spelling of "
        "entity and project, or compare the runs' folders."
    )


def _float(value: Any) -> float | None:
    return float(value) if is_number(value) else None


def _int(value: Any) -> int | None:
    return int(value) if is_number(value) else None
