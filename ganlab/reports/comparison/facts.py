"""The facts that runs are compared by: settings, scores, cost and state, as plain data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

# Entries of a protocol in which comparable scores may differ: evaluation seeds are averaged over,
# and the protocol's name stands for its other entries.
NOT_PROTOCOL = ("seed", "protocol")


@dataclass(frozen=True)
class RunScore:
    """One score of a run.

    Attributes:
        name: the name, as `ganlab evaluate` prints it.
        value: the value; the mean over evaluation seeds if there were several.
        protocol: how the score was taken. `seed` is a list if there were several; `checkpoint` is
            an entry only if the checkpoint was not the last one.
        protocol_name: the name of the protocol; "" if the record has none.
        better: whether higher or lower is better; None if neither is, or if it is unknown.
        taken: where it was taken: "training" (run.json) or "evaluate" (scores.json).
    """

    name: str
    value: float
    protocol: dict[str, Any]
    protocol_name: str
    better: Literal["higher", "lower"] | None
    taken: str


@dataclass(frozen=True)
class ComparedRun:
    """What a comparison uses of one run; None stands for what was not recorded.

    Attributes:
        label: the shortest name that no other run of the comparison has.
        folder: the run's folder; None for a run that was read from Weights & Biases.
        name: the name of the experiment.
        state: planned, running, finished, interrupted, failed, killed, ….
        error: why it failed.
        seed: the run's seed.
        started: date and time, ISO 8601.
        settings: its configuration as dotted keys, without seed, name and paths of the run.
        choices: the chosen file of each configuration group, e.g. {"model": "dcgan"}.
        scores: its scores; scores of one name have different protocols.
        seconds: seconds of training.
        examples_seen: examples seen in training.
        batches_seen: batches seen in training.
        peak_memory_mib: peak memory of its process.
        peak_gpu_memory_mib: peak memory of its tensors on the GPU; None without a GPU.
        sweep: the sweep that the run is a job of, as in run.json.
        baseline: the published figures that the run is compared with, as in run.json.
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
            then the settings that do not follow from the choices.
    """

    runs: tuple[ComparedRun, ...]
    notes: tuple[str, ...]
    varying: tuple[str, ...]


def like(a: RunScore, b: RunScore) -> str | None:
    """Return None if two scores can be compared, else the differences between their protocols.

    A difference is given as in "generated_samples: 10000 against 5000".
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


def classes(scores: Iterable[RunScore]) -> list[list[RunScore]]:
    """Divide scores of one name into classes of comparable scores, the largest class first."""
    groups: list[list[RunScore]] = []
    for score in scores:
        group = next((members for members in groups if like(members[0], score) is None), None)
        groups.append([score]) if group is None else group.append(score)
    return sorted(groups, key=len, reverse=True)


def value_of(run: ComparedRun, key: str) -> Any:
    """Return a run's choice, setting, "name", "seed" or "sweep"; None if it is missing.

    For "sweep" the value differs between sweeps of one name that were started at different times.
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
