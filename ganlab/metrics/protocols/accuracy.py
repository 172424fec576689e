"""Accuracy of a classifier."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ganlab.core import AdversarialModule, Classifies
from ganlab.errors import ConfigError
from ganlab.metrics.memory import map_in_parts
from ganlab.metrics.protocols.protocol import ALONE, Protocol, Score, Scores, Work, check_split
from ganlab.modalities.pixels import normalise


class AccuracyProtocol(Protocol):
    """Share of the test images that a `Classifier` classifies correctly.

    Args:
        ema: whether to use the EMA weights, if the model has them.
    """

    def __init__(self, ema: bool = True) -> None:
        self.ema = ema

    names = ("accuracy",)

    def check(self, module: AdversarialModule, data: Any) -> None:
        """Raise a ConfigError if the model is not a classifier, or the data has no test split."""
        if not isinstance(module, Classifies):
            raise ConfigError(
                f"evaluation: received a {type(module).__name__}; accuracy needs a classifier. "
                "Choose another protocol, or protocol=none when training."
            )
        check_split(data, "test")

    def prepare(self, data: Any) -> None:
        """Load the test set."""
        data.split("test")

    def evaluate(self, module: AdversarialModule, data: Any, work: Work = ALONE) -> Scores:
        """Return the score `accuracy`, in [0, 1]; every rank evaluates all images."""
        images, labels = data.test["example"], data.test["label"]

        def classify(images: Tensor) -> Tensor:
            return module.classify(normalise(images), ema=self.ema).argmax(1).cpu()

        what = "classifying one image"
        predicted = map_in_parts(classify, images, memory=work.memory, what=what)
        accuracy = float((predicted == labels).float().mean())
        protocol = {
            "metric": "accuracy",
            "split": "test",
            "real_samples": len(images),
            "data_hash": data.content_hash("test"),
            "weights": "ema" if self.ema and len(module.averaged) else "raw",
        }
        explanation = f"{accuracy:.2%} of {len(images):,} test images are classified correctly."
        return {"accuracy": Score(accuracy, protocol, explanation, higher_is_better=True)}
