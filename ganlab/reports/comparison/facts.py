"""The facts that runs are compared by: settings, scores, cost and state, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

T = TypeVar("T")

# Entries of a protocol that comparable scores need not share: "seed", since scores are averaged
# over evaluation seeds, and "protocol", since the protocol's name only abbreviates other entries.
NOT_PROTOCOL = ("seed", "protocol")


@dataclass(frozen=True)
class RunScore:
    """One score of a run.

    Attributes:
        name: the name, as `ganlab evaluate` prints it.
        value: the value; the mean over evaluation seeds if there were several.
        protocol: how the score was taken. `seed` is a list if there were several seeds. There is an
            entry `checkpoint` only if the checkpoint is not the last one.
        protocol_name: the name of the protocol; "" if the record has none.
        better: whether higher or lower is better; None if neither is, or if it is unknown.
        taken: when the score was taken: in "training" (run.json) or by "evaluate" (scores.json).
        examples_seen: examples that training had seen then; None if it is not in the record.
        explanation: the score in words; "" if the record has none.
    """

    name: str
    value: float
    protocol: dict[str, Any]
    protocol_name: str
    better: Literal["higher", "lower"] | None
    taken: str
    examples_seen: int | None = None
    explanation: str = ""


@dataclass(frozen=True)
class ComparedRun:
    """The facts of one run that a comparison uses; None if a fact was not recorded.

    Attributes:
        label: the shortest name that no other run of the comparison has.
        folder: the run's folder; None for a run that was read from Weights & Biases.
        name: the name of the experiment.
        state: planned, running, finished, interrupted, failed, killed, ….
        error: why the run failed.
        seed: the run's seed.
        started: date and time of the start, ISO 8601.
        settings: its configuration as dotted keys, without seed, name and paths of the run.
        choices: the chosen file of each configuration group, e.g. {"model": "dcgan"}.
        scores: the run's scores; several scores of the same name have different protocols.
        seconds: seconds of training.
        examples_seen: examples seen in training.
        batches_seen: batches seen in training.
        peak_memory_mib: peak memory of its process.
        peak_gpu_memory_mib: peak memory of its tensors on the GPU; None without a GPU.
        sweep: the sweep that the run is a job of, as in run.json.
        baseline: the published scores that the run is compared with, as in run.json.
        address: wandb:ENTITY/PROJECT/ID of a run that was read from Weights & Biases.
    """

    label: str
    folder: Path | None
    name: str
    state: str
    error: str | None
    seed: int | None
    started: str | None
    settings: dict[str, Any]
    choices: dict[str, str]
    scores: tuple[RunScore, ...]
    seconds: float | None
    examples_seen: int | None
    batches_seen: int | None
    peak_memory_mib: float | None
    sweep: dict[str, Any] | None
    baseline: dict[str, Any] | None
    address: str | None = None
    peak_gpu_memory_mib: float | None = None


@dataclass(frozen=True)
class Comparison:
    """The runs to compare.

    Attributes:
        runs: the runs, each once.
        notes: sentences on what was left out, and why.
        varying: keys in which the runs differ, apart from the seed: choices first, e.g. "loss",
            then settings that are overridden or do not follow from the choices.
    """

    runs: tuple[ComparedRun, ...]
    notes: tuple[str, ...]
    varying: tuple[str, ...]


def difference(a: RunScore, b: RunScore) -> str | None:
    """Return None if two scores can be compared, else how their protocols differ.

    The text is e.g. "generated_samples: 10000 against 5000".
    """
    if a.name != b.name:
        return f"score: {a.name} against {b.name}"
    keys = [key for key in {**a.protocol, **b.protocol} if key not in NOT_PROTOCOL]
    differing = [key for key in keys if a.protocol.get(key) != b.protocol.get(key)]
    return (
        ", ".join(
            f"{k}: {_entry(a.protocol, k)} against {_entry(b.protocol, k)}" for k in differing
        )
        or None
    )


def comparable(
    items: Iterable[T], score_of: Callable[[T], RunScore] = lambda s: s
) -> list[list[T]]:
    """Divide scores, or items that have a score, into groups of comparable scores."""
    groups: list[list[T]] = []
    for item in items:
        score = score_of(item)
        group = next((g for g in groups if difference(score_of(g[0]), score) is None), None)
        groups.append([item]) if group is None else group.append(item)
    return groups


def is_ranked(run: ComparedRun, score: RunScore) -> bool:
    """Whether a score is ranked: its run has finished, or it was taken by `ganlab evaluate`."""
    return run.state == "finished" or score.taken == "evaluate"


def counted(runs: Iterable[ComparedRun]) -> list[ComparedRun]:
    """Return the runs that have a ranked score, and so enter the means of their groups."""
    return [run for run in runs if any(is_ranked(run, score) for score in run.scores)]


def value_of(run: ComparedRun, key: str) -> Any:
    """Return a run's value of a choice, a setting, "name", "seed" or "sweep"; None if it has none.

    Sweeps of the same name that were started at different times have different values of "sweep".
    """
    if key in ("name", "seed"):
        return getattr(run, key)
    if key == "sweep":
        sweep = run.sweep or {}
        return sweep.get("group") or sweep.get("name")
    return run.choices[key] if key in run.choices else run.settings.get(key)


def _entry(protocol: dict[str, Any], key: str) -> str:
    if key not in protocol:
        return "last" if key == "checkpoint" else "nothing recorded"
    return "none" if protocol[key] is None else str(protocol[key])
