"""A progress bar with the examples per second, the losses, and each player's step interval."""

from __future__ import annotations

import sys
import time
from typing import Any

from lightning.pytorch import Callback, Trainer
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from ganlab.callbacks.budget import Budget
from ganlab.core import AdversarialModule
from ganlab.printable import console


class Progress(Callback):
    """A progress bar on a terminal; single lines if stderr is no terminal.

    Args:
        refresh_seconds: time between updates of the bar.
        line_seconds: time between lines.
        enabled: False to print nothing.
    """

    def __init__(
        self,
        refresh_seconds: float = 0.5,
        line_seconds: float = 15.0,
        enabled: bool = True,
    ) -> None:
        self.enabled = enabled
        self.terminal = sys.stderr.isatty()
        self.every = refresh_seconds if self.terminal else line_seconds
        self._bar: Bar | None = None
        self._next = 0.0

    def on_fit_start(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Show the bar, still empty."""
        self.enabled = self.enabled and trainer.is_global_zero
        if not self.enabled:
            return
        self.budget = next(c for c in trainer.callbacks if isinstance(c, Budget))
        self._next = time.monotonic() + min(self.every, 3)
        self._since, self._examples = time.monotonic(), pl_module.examples_seen
        if self.terminal:
            columns: list[ProgressColumn] = [
                SpinnerColumn(),
                BarColumn(bar_width=None),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.description}"),
            ]
            self._bar = Bar(*columns, console=console(), refresh_per_second=4)
            self._task = self._bar.add_task("first batch …", total=1.0)
            self._bar.start()
        else:
            print("training: first batch …", file=sys.stderr, flush=True)

    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Update the bar or print a line if due; otherwise only read the clock."""
        if not self.enabled or time.monotonic() < self._next:
            return
        now = time.monotonic()
        text = self._describe(pl_module, now - self._since)
        share = min(self.budget.spent(pl_module), 1.0)
        if self._bar:
            self._bar.update(self._task, completed=share, description=text)
        else:
            print(f"{share:4.0%}  {text}", file=sys.stderr, flush=True)
        self._since, self._examples = now, pl_module.examples_seen
        self._next = now + self.every

    def _describe(self, module: AdversarialModule, seconds: float) -> str:
        rate = (module.examples_seen - self._examples) / seconds
        seen = module.examples_seen, module.batches_seen
        phases = [
            phase.name if phase.every == 1 else f"{phase.name} 1/{phase.every}"
            for phase in module.phases
            if phase.is_active(*seen)
        ]
        losses = [f"{role} {total:.3g}" for role, total in _totals(module).items()]
        return "  ".join(
            [f"{module.examples_seen:,} examples", f"{rate:,.0f}/s", f"steps: {', '.join(phases)}"]
            + (["loss: " + ", ".join(losses)] if losses else [])
        )

    def teardown(self, trainer: Trainer, pl_module: AdversarialModule, stage: str) -> None:
        """Remove the bar."""
        self._stop()

    def on_exception(
        self, trainer: Trainer, pl_module: AdversarialModule, exception: BaseException
    ) -> None:
        """Remove the bar: Lightning calls no teardown after an exception."""
        self._stop()

    def _stop(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None


def _totals(module: AdversarialModule) -> dict[str, float]:
    """Return each player's newest logged loss, the sum of its terms."""
    totals: dict[str, float] = {}
    for name, value in module.latest.items():
        role, _, term = name.partition("/")
        if role in module.players and term != "steps":
            totals[role] = totals.get(role, 0.0) + value
    return totals
