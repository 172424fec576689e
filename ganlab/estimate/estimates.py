"""The estimate of a run, as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganlab.estimate.costs import Costs


@dataclass(frozen=True)
class Length:
    """How long a run is.

    Attributes:
        limit: the limit that is reached first, e.g. "budget.batches=20", or "the last phase".
        batches: batches at the run's end.
        examples: examples at the run's end, over all ranks.
        epochs: epochs at the run's end.
        steps: steps of each player's optimizer.
        calls: how often each callback acts.
        seconds: seconds of the run, without the callbacks that were not measured.
    """

    limit: str
    batches: int
    examples: int
    epochs: float
    steps: dict[str, int]
    calls: dict[str, int]
    seconds: float


@dataclass(frozen=True)
class Estimate:
    """What a run would do and cost.

    Attributes:
        networks: the number of parameters of each network.
        players: the number of parameters that each player trains.
        memory: maps a purpose to bytes, see `ganlab.estimate.costs.memory_of`.
        ranks: the number of processes.
        costs: the measured costs; None if the data is not downloaded yet.
        length: the run's length; None if the data is not downloaded yet.
        missing: maps the path of each file that is not downloaded yet to its URL.
        why_missing: the data set's message on its missing files; "" if the data is available.
    """

    networks: dict[str, int]
    players: dict[str, int]
    memory: dict[str, int]
    ranks: int
    costs: Costs | None
    length: Length | None
    missing: dict[Path, str]
    why_missing: str
