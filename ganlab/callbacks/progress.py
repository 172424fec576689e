"""Shows how far a run is: in a terminal as a bar with the newest samples, else as lines."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections import deque
from typing import Any

from lightning.pytorch import Callback, Trainer
from PIL import Image
from rich.cells import cell_len

from ganlab.callbacks.budget import Budget
from ganlab.callbacks.evaluation import Evaluation
from ganlab.callbacks.samples import Samples
from ganlab.callbacks.status_area import Size, StatusArea
from ganlab.core import AdversarialModule
from ganlab.metrics.protocols.protocol import in_words
from ganlab.modalities.terminal import Shown, picture_method, shown
from ganlab.printable import one_line, raw_stderr

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_WINDOW = 10.0  # seconds over which the examples per second are taken


class Progress(Callback):
    """A bar at the end of a terminal, with the newest samples above it; else single lines.

    The bar has the time left, the examples per second, the newest score and the losses. Lines are
    printed if stderr is no terminal, a simple one (TERM=dumb) or one without UTF-8, and with
    NO_COLOR or CI in the environment.

    Args:
        refresh_seconds: time between updates of the bar.
        line_seconds: time between lines.
        enabled: False to print nothing.
        pictures: whether to show samples, in a terminal that can show pictures.
    """

    def __init__(
        self,
        refresh_seconds: float = 0.5,
        line_seconds: float = 15.0,
        enabled: bool = True,
        pictures: bool = True,
    ) -> None:
        self.enabled, self.pictures = enabled, pictures
        self.terminal = _is_terminal()
        self.every = refresh_seconds if self.terminal else line_seconds
        self._area: StatusArea | None = None
        self._samples: list[Image.Image] = []
        self._identity = secrets.randbits(31) | 1  # of the picture in kitty
        self._facts: list[str] = []

    def on_fit_start(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Show the bar, still empty."""
        self.enabled = self.enabled and trainer.is_global_zero
        if not self.enabled:
            return
        self.budget = _first(trainer, Budget)
        self.evaluation = _first(trainer, Evaluation)
        self._share, self._left = 0.0, "first batch …"
        self._next = time.monotonic() + min(self.every, 3)
        self._marks = deque([(time.monotonic(), pl_module.examples_seen)])
        self._steps: list[str] = []  # as last printed
        self._began: tuple[float, float] | None = None
        if not self.terminal:
            print("training: first batch …", file=sys.stderr, flush=True)
            return
        stream = raw_stderr()
        self.method = picture_method(os.environ) if self.pictures else None
        if self.method and (samples := _first(trainer, Samples)):
            samples.show = self._show
        self._area = StatusArea(stream, self._lines, self._picture, self.every)
        self._area.start()

    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Update what the bar shows, or print a line, if due; otherwise only read the clock."""
        now = time.monotonic()
        if not self.enabled or (now < self._next and not (trainer.should_stop and self._area)):
            return
        self._next = now + self.every
        share = min(self.budget.spent(pl_module), 1.0)
        seconds = self.evaluation.seconds if self.evaluation else 0.0
        rate = self._rate(now - seconds, pl_module.examples_seen)
        counts = [f"{pl_module.examples_seen:,} examples", f"{rate:,.0f}/s"]
        losses = [f"{role} {total:.3g}" for role, total in _totals(pl_module).items()]
        loss = ["loss: " + ", ".join(losses)] if losses else []
        left = self._time_left(now, share)
        if not self._area:
            steps = [f"steps: {', '.join(active)}"] if (active := _active(pl_module)) else []
            news, self._steps = steps if steps != self._steps else [], steps
            text = "  ".join(filter(None, [*counts, left, *self._score(), *news, *loss]))
            print(f"{share:4.0%}  {text}", file=sys.stderr, flush=True)
            return
        self._share, self._left = share, left
        self._facts = [*counts, *self._score(), *loss]
        self._area.refresh()

    def teardown(self, trainer: Trainer, pl_module: AdversarialModule, stage: str) -> None:
        """Remove the bar, and leave the picture."""
        self._stop()

    def on_exception(
        self, trainer: Trainer, pl_module: AdversarialModule, exception: BaseException
    ) -> None:
        """Remove the bar: Lightning calls no teardown after an exception."""
        self._stop()

    def _stop(self) -> None:
        if self._area:
            self._area.close()
            self._area = None

    # --- numbers ---------------------------------------------------------------------------------

    def _rate(self, now: float, examples: int) -> float:
        """Return the examples per second of the last seconds; `now` is without those of scoring."""
        self._marks.append((now, examples))
        while len(self._marks) > 2 and now - self._marks[1][0] > _WINDOW:
            self._marks.popleft()
        start, before = self._marks[0]
        return (examples - before) / (now - start)

    def _time_left(self, now: float, share: float) -> str:
        """Return the time left, from the share of the budget that this session has spent so far."""
        if share >= 1:
            return "finishing …"
        if self._began is None:  # with the first update, after the slow first batches
            self._began = now, share
        began, share_then = self._began
        if share <= share_then:
            return ""
        return f"{_clock((now - began) * (1 - share) / (share - share_then))} left"

    def _score(self) -> list[str]:
        """Return the first of the newest scores, if there are any."""
        for name, score in (self.evaluation.scores if self.evaluation else {}).items():
            metric = str(score.protocol.get("metric") or "")
            return [f"{in_words(name, metric)} {score.value:.3g}"]
        return []

    # --- the terminal ----------------------------------------------------------------------------

    def _show(self, pictures: list[Image.Image]) -> None:
        self._samples = pictures
        if self._area:
            self._area.redraw()

    def _picture(self, size: Size) -> Shown:
        # half of the terminal, beside two lines of text and the cursor's
        lines = min(size.lines // 2, size.lines - 4)
        if not self.method or not self._samples or lines < 1:
            return Shown()
        return shown(self._samples, size.columns - 1, lines, self.method, self._identity)

    def _lines(self, columns: int) -> list[str]:
        """Return a line with the bar and the time left, and one with as many facts as fit."""
        width = columns - 1
        is_scoring = self.evaluation is not None and self.evaluation.is_scoring
        left = "scoring …" if is_scoring else self._left
        spinner = _SPINNER[int(time.monotonic() * 4) % len(_SPINNER)]
        ends = f"{spinner} ", "  ".join(filter(None, (f" {self._share:4.0%}", left)))
        bar = min(width - cell_len(ends[0] + ends[1]), 60)
        if bar < 4:
            first = _fitting([f"{self._share:.0%}", left], width)
        else:
            full = int(self._share * bar)
            first = f"{ends[0]}\x1b[32m{'━' * full}\x1b[0;2m{'━' * (bar - full)}\x1b[0m{ends[1]}"
        return [first, _fitting([one_line(fact) for fact in self._facts], width)]


def _is_terminal() -> bool:
    """Whether stderr is a terminal in which text can be redrawn."""
    if not sys.stderr.isatty() or os.environ.get("NO_COLOR") or os.environ.get("CI"):
        return False
    if (sys.stderr.encoding or "").lower().replace("-", "") != "utf8":  # for ━ and ▀
        return False
    if os.name == "nt":
        from rich.console import Console

        return not Console(stderr=True).legacy_windows
    return os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def _first(trainer: Trainer, kind: type) -> Any:
    return next((c for c in trainer.callbacks if isinstance(c, kind)), None)


def _active(module: AdversarialModule) -> list[str]:
    """Return the phases that are active now, with how often they are due."""
    seen = module.examples_seen, module.batches_seen
    return [
        phase.name if phase.every == 1 else f"{phase.name} 1/{phase.every}"
        for phase in module.phases
        if phase.is_active(*seen)
    ]


def _totals(module: AdversarialModule) -> dict[str, float]:
    """Return each player's newest logged loss, the sum of its terms."""
    totals: dict[str, float] = {}
    for name, value in module.latest.items():
        role, _, term = name.partition("/")
        if role in module.players and term != "steps":
            totals[role] = totals.get(role, 0.0) + value
    return totals


def _clock(seconds: float) -> str:
    """Return a time as h:mm:ss or m:ss, from two days on in days, and at most 100 years."""
    if seconds >= 3e9:
        return "over 100 years"
    if seconds >= 172_800:
        return f"{seconds / 86_400:.0f} days"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _fitting(parts: list[str], width: int) -> str:
    """Return the first parts of a line that fit into a width; a part is never cut."""
    line = ""
    for part in filter(None, parts):
        longer = f"{line}  {part}" if line else part
        if cell_len(longer) > width:
            break
        line = longer
    return line
