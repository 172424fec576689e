"""What is compared of runs: their settings, scores, cost and state, as plain data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

# Entries of a score's protocol that do not make it another: latents of several seeds are what a
# spread is taken over, and a name says nothing that the other entries do not say exactly.
NOT_PROTOCOL = ("seed", "protocol")


@dataclass(frozen=True)
class RunScore:
    """One score of a run.

    Attributes:
        name: as `ganlab evaluate` prints it.
        value: the mean where it was taken with several seeds.
        protocol: how it was taken; `seed` is a list where there were several, and `checkpoint` is
            in it where that was not the last one.
        protocol_name: of the protocol; "" where the record has none.
        better: whether higher or lower is better; None where neither is, or nobody knows.
        taken: "training" (run.json) or "evaluate" (scores.json).
    """

    name: str
    value: float
    protocol: dict[str, Any]
    protocol_name: str
    better: Literal["higher", "lower"] | None
    taken: str


@dataclass(frozen=True)
class ComparedRun:
    """One run.

    Attributes:
        label: the shortest name that no other run here has.
        folder: None for a run that was read from Weights & Biases.
        name: of the experiment.
        state: planned, running, finished, interrupted, failed, killed, ….
        error: why it failed.
        seed: of the run.
        started: date and time, ISO 8601.
        settings: its configuration as dotted keys, without seed, name, and where it was written.
        choices: of the configuration's groups, e.g. {"model": "dcgan"}; those that chose something.
        scores: of one name there are several where they are of unlike protocols.
        seconds: that it trained.
        examples_seen: in training.
        batches_seen: in training.
        peak_memory_mib: of its process.
        peak_gpu_memory_mib: of its tensors on the GPU; None without one.
        sweep: the sweep that it is a job of, as in run.json.
        baseline: the figures that it is held against, as in run.json.
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
    """Runs side by side.

    Attributes:
        runs: each once.
        notes: sentences on what was left out, and why.
        varying: keys of what differs between the runs, seed apart: choices first, e.g. "loss", then
            the settings that these do not imply.
    """

    runs: tuple[ComparedRun, ...]
    notes: tuple[str, ...]
    varying: tuple[str, ...]


def like(a: RunScore, b: RunScore) -> str | None:
    """None where two scores can be compared, else what differs between them.

    For example "generated_samples: 10000 against 5000".
    """
    if a.name != b.name:
        return f"score: {a.name} against {b.name}"
    keys = [key for key in {**a.protocol, **b.protocol} if key not in NOT_PROTOCOL]
    differing = [key for key in keys if a.protocol.get(key) != b.protocol.get(key)]
    return (
        ", ".join(f"{k}: {_said(a.protocol, k)} against {_said(b.protocol, k)}" for k in differing)
        or None
    )


def classes(scores: Iterable[RunScore]) -> list[list[RunScore]]:
    """Scores of one name, those of like protocols together, the largest class first."""
    found: list[list[RunScore]] = []
    for score in scores:
        mine = next((members for members in found if like(members[0], score) is None), None)
        found.append([score]) if mine is None else mine.append(score)
    return sorted(found, key=len, reverse=True)


def value_of(run: ComparedRun, key: str) -> Any:
    """A choice, a setting, or "name", "seed" or "sweep" of a run; None where it has none.

    Sweeps of one name that were started at different times are different ones.
    """
    if key in ("name", "seed"):
        return getattr(run, key)
    if key == "sweep":
        sweep = run.sweep or {}
        return sweep.get("group") or sweep.get("name")
    return run.choices[key] if key in run.choices else run.settings.get(key)


def _said(protocol: dict[str, Any], key: str) -> str:
    if key not in protocol:
        return "last" if key == "checkpoint" else "nothing recorded"
    return "none" if protocol[key] is None else str(protocol[key])
