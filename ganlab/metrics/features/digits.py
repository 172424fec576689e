"""Features of digits, by a small classifier that the project trained itself."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from ganlab.errors import DataError
from ganlab.metrics.base import Extractor
from ganlab.metrics.features.resizers import RESIZERS
from ganlab.modalities.pixels import normalise
from ganlab.networks import DigitClassifier

WEIGHTS = Path(__file__).parents[1] / "weights" / "digits.safetensors"


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

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images uint8 (N, C, H, W) in [0, 255] to features (N, 128) and logits (N, 10).

        Several channels are averaged; other sizes are resized to 28 (bilinear, antialiased).
        """
        grey = RESIZERS[self.resizer](images, 28).mean(1, keepdim=True)
        features = self.classifier.features(normalise(grey))
        return features, self.classifier.head(features)


def _load(classifier: DigitClassifier, tensors: dict[str, Tensor], path: Path) -> None:
    counters = {k for k in classifier.state_dict() if k.endswith("num_batches_tracked")}
    expected = {k: v.shape for k, v in classifier.state_dict().items() if k not in counters}
    if {k: v.shape for k, v in tensors.items()} != expected:
        raise DataError(f"features.weights: {path} does not hold the weights of a DigitClassifier.")
    classifier.load_state_dict(tensors, strict=False)
