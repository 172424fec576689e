"""The terms of all losses since the last line of the log."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class NonFinite:
    """A term that is not finite.

    Attributes:
        name: "player/term".
        value: NaN or ±∞.
        batch: the batch that gave it, counted from 1.
    """

    name: str
    value: float
    batch: int


class LogWindow:
    """Collects terms as detached tensors, so that nothing waits for the device until it is read."""

    def __init__(self) -> None:
        self._values: dict[str, list[Tensor]] = {}
        self._batches: dict[str, list[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._values)

    def add(self, name: str, value: Tensor, batch: int) -> None:
        """Add a scalar that the batch `batch` (counted from 1) gave."""
        self._values.setdefault(name, []).append(value.detach())
        self._batches.setdefault(name, []).append(batch)

    def not_finite(self) -> NonFinite | None:
        """The first value of the first term that is NaN or infinite; None where all are finite."""
        for name, values in self._values.items():
            finite = torch.stack(values).isfinite()
            if not finite.all():
                index = int((~finite).nonzero()[0])
                return NonFinite(name, float(values[index]), self._batches[name][index])
        return None

    def take_means(self) -> dict[str, float]:
        """The mean of each term, read from the device at once; the window is empty afterwards."""
        names = list(self._values)
        means = torch.stack([torch.stack(v).float().mean() for v in self._values.values()])
        self._values, self._batches = {}, {}
        return dict(zip(names, means.tolist(), strict=True))

    def to(self, device: torch.device) -> None:
        """Move all values."""
        self._values = {n: [v.to(device) for v in vs] for n, vs in self._values.items()}

    def state_dict(self) -> dict[str, tuple[Tensor, list[int]]]:
        """Plain containers and tensors."""
        return {n: (torch.stack(vs), list(self._batches[n])) for n, vs in self._values.items()}

    def load_state_dict(self, state: dict[str, tuple[Tensor, list[int]]]) -> None:
        """See `state_dict`."""
        self._values = {name: list(values.unbind()) for name, (values, _) in state.items()}
        self._batches = {name: list(batches) for name, (_, batches) in state.items()}
