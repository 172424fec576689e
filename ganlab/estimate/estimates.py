"""What a run would do, as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganlab.estimate.costs import Costs


@dataclass(frozen=True)
class Length:
    """How long a run is.

    Attributes:
        limit: the one that is reached first, e.g. "budget.batches=20".
        batches, examples, epochs: at its end; examples over all ranks.
        steps: of each player's optimizer.
        calls: how often each callback acts.
        seconds: of it all, without the callbacks that were not measured.
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
    """What a run would do.

    Attributes:
        networks: parameters of each network.
        players: parameters that each player trains.
        memory: bytes by what they are for, see `ganlab.estimate.costs.memory_of`.
        ranks: processes.
        costs, length: None where the data is yet to be downloaded.
        missing: files to be downloaded, and their URLs.
        why_missing: what the data set says of that.
    """

    networks: dict[str, int]
    players: dict[str, int]
    memory: dict[str, int]
    ranks: int
    costs: Costs | None
    length: Length | None
    missing: dict[Path, str]
    why_missing: str
