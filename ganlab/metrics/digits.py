"""Scores of generated digits, by a small classifier that the project trained itself."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ganlab.core import AdversarialModule
from ganlab.data import denormalise, normalise
from ganlab.errors import ConfigError, DataError
from ganlab.metrics.base import Extractor
from ganlab.metrics.frechet import FrechetDistance, frechet_distance
from ganlab.metrics.protocol import Protocol, Score, check_samples, check_split
from ganlab.metrics.resizers import RESIZERS
from ganlab.networks import DigitClassifier

WEIGHTS = Path(__file__).parent / "weights" / "digits.safetensors"
PRESENT = 0.03  # a class counts as present from this share of the samples on


class DigitFeatures(Extractor):
    """The frozen digit classifier that ships with ganlab, and its 128 features.

    It was made by `ganlab train experiment=features_mnist`; `made_by` tells from what.

    Args:
        weights: another safetensors file of the same network.

    Raises:
        DataError: the file is missing or damaged.
    """

    name = "digits"
    title = "ganlab digit classifier"
    resizer = "torch"
    classes = 10

    def __init__(self, weights: str | Path | None = None) -> None:
        from safetensors import SafetensorError, safe_open
        from safetensors.torch import load

        super().__init__()
        path = Path(weights) if weights else WEIGHTS
        try:
            content = path.read_bytes()
            tensors = load(content)
            with safe_open(path, "pt") as file:
                self.made_by: dict[str, str] = dict(file.metadata() or {})
        except (OSError, SafetensorError) as error:
            raise DataError(
                f"features.weights: {path} cannot be read: {error}. Make it again with "
                "`ganlab train experiment=features_mnist`."
            ) from error
        self.hash = hashlib.sha256(content).hexdigest()[:16]
        self.classifier = DigitClassifier()
        _load(self.classifier, tensors, path)
        self.width = self.classifier.width
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> DigitFeatures:
        """It stays in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images uint8 (N, C, H, W) in [0, 255] to features (N, 128) and logits (N, 10).

        Several channels are averaged; other sizes are resized to 28 (bilinear, antialiased).
        """
        grey = RESIZERS[self.resizer](images, 28).mean(1, keepdim=True)
        features = self.classifier.features(normalise(grey))
        return features, self.classifier.head(features)


class DigitProtocol(Protocol):
    """Fréchet distance over digit features, and the share of each class.

    It is not the FID: the features are those of `DigitFeatures`, not of the Inception network.

    Args:
        samples: generated images.
        split: "train" or "test", the real images that they are compared with.
        seed: of the latents.
        ema: averaged weights where there are some.
        weights: see `DigitFeatures`.
    """

    def __init__(
        self,
        samples: int = 10_000,
        split: Literal["train", "test"] = "test",
        seed: int = 0,
        ema: bool = True,
        weights: str | None = None,
    ) -> None:
        self.samples, self.split, self.seed, self.ema = samples, split, seed, ema
        self.weights = weights
        self._real: dict[str, Any] = {}

    names = (
        "frechet_distance_digits",
        "digit_classes_present",
        *(f"digit_share/{digit}" for digit in range(10)),
    )

    def check(self, module: AdversarialModule, data: Any) -> None:
        """Digits are images, and there must be real ones to compare with."""
        if len(data.shape) != 3:
            raise ConfigError(
                f"evaluation: digit scores need images, the data has shape {tuple(data.shape)}. "
                "Set evaluation=none."
            )
        check_split(data, self.split)
        check_samples(self.samples)

    def prepare(self, data: Any) -> None:
        """Load the real digits."""
        data.split(self.split)

    @torch.no_grad()
    def evaluate(self, module: AdversarialModule, data: Any) -> dict[str, Score]:
        """`frechet_distance_digits`, `digit_classes_present` and `digit_share/0` … `/9`."""
        features = DigitFeatures(self.weights).to(module.device)
        distance = FrechetDistance(features.width)  # on the CPU: not every device has float64
        classes = torch.zeros(10, dtype=torch.long)
        fake = module.sample(self.samples, seed=self.seed, ema=self.ema)
        for images in fake.split(1000):
            found, logits = features(denormalise(images))
            distance.update(found.cpu(), real=False)
            classes += torch.bincount(logits.argmax(1).cpu(), minlength=10)
        real = self._real_moments(features, data)
        value = frechet_distance(*real["moments"], *distance.moments("fake"))
        shares = (classes / self.samples).tolist()
        protocol = {
            **features.described(),
            "generated_samples": self.samples,
            "real_samples": real["samples"],
            "split": self.split,
            "data_hash": real["hash"],
            "weights": "ema" if self.ema and len(module.averaged) else "raw",
            "batch_norm": "running statistics",
            "truncation": None,
            "seed": self.seed,
        }
        return _scores(value, shares, protocol)

    def _real_moments(self, features: DigitFeatures, data: Any) -> dict[str, Any]:
        if not self._real:
            distance = FrechetDistance(features.width)
            images = data.reference(self.split)
            for part in images.split(1000):
                real = features(part.to(next(features.parameters()).device))[0]
                distance.update(real.cpu(), real=True)
            self._real = {
                "moments": distance.moments("real"),
                "samples": len(images),
                "hash": data.content_hash(self.split),
            }
        return self._real


def _scores(distance: float, shares: list[float], protocol: dict[str, Any]) -> dict[str, Score]:
    present = sum(share >= PRESENT for share in shares)
    missing = [str(digit) for digit, share in enumerate(shares) if share < PRESENT]
    scores = {
        "frechet_distance_digits": Score(
            distance,
            {"metric": "Fréchet distance", **protocol},
            f"The generated digits are {distance:.2f} away from real ones (Fréchet distance over "
            "the features of a digit classifier; real digits among themselves are at about 0.1, "
            "lower is better).",
        ),
        "digit_classes_present": Score(
            present,
            {"metric": f"classes with at least {PRESENT:.0%} of the samples", **protocol},
            f"{'All' if present == 10 else present} of the ten digits appear, each with "
            f"{min(shares):.0%} to {max(shares):.0%} of the samples."
            + (f" Rare or missing: {', '.join(missing)}." if missing else ""),
        ),
    }
    for digit, share in enumerate(shares):
        scores[f"digit_share/{digit}"] = Score(share, {"metric": "class share", **protocol})
    return scores


def _load(classifier: DigitClassifier, tensors: dict[str, Tensor], path: Path) -> None:
    counters = {k for k in classifier.state_dict() if k.endswith("num_batches_tracked")}
    expected = {k: v.shape for k, v in classifier.state_dict().items() if k not in counters}
    if {k: v.shape for k, v in tensors.items()} != expected:
        raise DataError(f"features.weights: {path} does not hold the weights of a DigitClassifier.")
    classifier.load_state_dict(tensors, strict=False)
