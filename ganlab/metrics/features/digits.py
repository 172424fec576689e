"""Features of digits, from a small classifier that ships with ganlab."""

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
    """The frozen digit classifier that ships with ganlab, with 128 features and 10 logits.

    It was trained by `ganlab train experiment=features_mnist`.

    Args:
        weights: another safetensors file of the same network; None for ganlab's own file.

    Attributes:
        made_by: the metadata of the weights' file, which say how the file was made.

    Raises:
        DataError: the file is missing, damaged, or of another network.
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
                f"features.weights: {path} cannot be read: {error}. Create it again with "
                "`ganlab train experiment=features_mnist`."
            ) from error
        self.hash = hashlib.sha256(content).hexdigest()[:16]
        self.classifier = DigitClassifier()
        _load(self.classifier, tensors, path)
        self.width = self.classifier.width
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, 128) and logits (N, 10) of uint8 images (N, C, H, W).

        Channels are averaged, and images are resized to 28×28 (bilinear, antialiased).
        """
        grey = RESIZERS[self.resizer](images, 28).mean(1, keepdim=True)
        features = self.classifier.features(normalise(grey))
        return features, self.classifier.head(features)


def _load(classifier: DigitClassifier, tensors: dict[str, Tensor], path: Path) -> None:
    counters = {k for k in classifier.state_dict() if k.endswith("num_batches_tracked")}
    expected = {k: v.shape for k, v in classifier.state_dict().items() if k not in counters}
    if {k: v.shape for k, v in tensors.items()} != expected:
        raise DataError(
            f"features.weights: {path} does not hold the weights of a DigitClassifier. Set it "
            "to null for ganlab's own weights."
        )
    classifier.load_state_dict(tensors, strict=False)
