"""Accuracy of a classifier."""

from __future__ import annotations

from typing import Any

from ganlab.core import AdversarialModule
from ganlab.metrics.protocol import Protocol, Score


class AccuracyProtocol(Protocol):
    """Share of the test images whose class a `Classifier` finds.

    Args:
        ema: averaged weights where there are some.
    """

    def __init__(self, ema: bool = True) -> None:
        self.ema = ema

    def evaluate(self, module: AdversarialModule, data: Any) -> dict[str, Score]:
        """`accuracy`, in [0, 1]."""
        data.setup("fit")
        images, labels = data.test["image"], data.test["label"]
        accuracy = module.accuracy(images.float().div(127.5).sub(1), labels, self.ema)
        protocol = {
            "metric": "accuracy",
            "split": "test",
            "real_samples": len(images),
            "data_hash": data.content_hash("test"),
            "weights": "ema" if self.ema and len(module.averaged) else "raw",
        }
        words = f"{accuracy:.2%} of {len(images):,} test images are classified right."
        return {"accuracy": Score(accuracy, protocol, words)}
