"""The loss terms since the last row of the log."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class NonFinite:
    """A loss term that is NaN or infinite.

    Attributes:
        name: "player/term".
        value: NaN or ±∞.
        batch: number of the batch that gave the value, counted from 1.
    """

    name: str
    value: float
    batch: int


class LogWindow:
    """Collects loss terms as detached tensors; only reading them waits for the device."""

    def __init__(self) -> None:
        self._values: dict[str, list[Tensor]] = {}
        self._batches: dict[str, list[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._values)

    def add(self, name: str, value: Tensor, batch: int) -> None:
        """Add a scalar from batch number `batch` (counted from 1)."""
        self._values.setdefault(name, []).append(value.detach())
        self._batches.setdefault(name, []).append(batch)

    def not_finite(self) -> NonFinite | None:
        """Return the first non-finite value of the first term that has one; None if all are finite.

        Terms are in the order in which they were added first.
        """
        for name, values in self._values.items():
            finite = torch.stack(values).isfinite()
            if not finite.all():
                index = int((~finite).nonzero()[0])
                return NonFinite(name, float(values[index]), self._batches[name][index])
        return None

    def take_means(self) -> dict[str, float]:
        """Return each term's mean, read from the device in one transfer, and empty the window."""
        names = list(self._values)
        means = torch.stack([torch.stack(v).float().mean() for v in self._values.values()])
        self._values, self._batches = {}, {}
        return dict(zip(names, means.tolist(), strict=True))

    def to(self, device: torch.device) -> None:
        """Move all values to `device`."""
        self._values = {n: [v.to(device) for v in vs] for n, vs in self._values.items()}

    def state_dict(self) -> dict[str, tuple[Tensor, list[int]]]:
        """Return values and batch numbers of each term as plain containers and tensors."""
        return {n: (torch.stack(vs), list(self._batches[n])) for n, vs in self._values.items()}

    def load_state_dict(self, state: dict[str, tuple[Tensor, list[int]]]) -> None:
        """Restore what `state_dict` has returned."""
        self._values = {name: list(values.unbind()) for name, (values, _) in state.items()}
        self._batches = {name: list(batches) for name, (_, batches) in state.items()}
