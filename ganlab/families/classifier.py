"""A classifier as a game of one player; its features are used to compute scores."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from ganlab.core import AdversarialModule, Batch


class Classifier(AdversarialModule):
    """Supervised classification by cross-entropy.

    Args:
        network: maps images (N, C, H, W) in [−1, 1] to logits (N, classes).
        shift: largest random shift of each training image, in pixels; 0 for no shift.
        smoothing: label smoothing, in [0, 1).
    """

    roles = ("network",)
    needs = ("example", "label")
    averaged_modules = ("network",)

    def __init__(
        self,
        network: nn.Module,
        shift: int = 0,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.network, self.shift, self.smoothing = network, shift, smoothing

    def network_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy of the labels."""
        images = random_shift(batch["example"], self.shift) if self.shift else batch["example"]
        loss = cross_entropy(self.network(images), batch["label"], label_smoothing=self.smoothing)
        return {"cross_entropy": loss}

    def check_data(self, shapes: Mapping[str, tuple[int, ...]], provides: tuple[str, ...]) -> None:
        """Check the batch keys, and that the network takes the data's shape."""
        super().check_data(shapes, provides)
        self.check_takes("network", self.network, torch.zeros(2, *shapes["example"]))

    @torch.no_grad()
    def classify(self, examples: Tensor, *, ema: bool = True) -> Tensor:
        """Return logits (N, classes) of images (N, C, H, W) in [−1, 1]."""
        with self.evaluating("network", ema) as network:
            return torch.cat([network(part.to(self.device)) for part in examples.split(1000)])


def random_shift(images: Tensor, pixels: int) -> Tensor:
    """Shift each image of (N, C, H, W) in [−1, 1] by up to `pixels`, and fill with black (−1)."""
    n, _, height, width = images.shape
    padded = pad(images, [pixels] * 4, value=-1.0).permute(0, 2, 3, 1)
    dy, dx = torch.randint(0, 2 * pixels + 1, (2, n, 1, 1), device=images.device)
    rows = torch.arange(height, device=images.device).view(1, -1, 1) + dy
    columns = torch.arange(width, device=images.device).view(1, 1, -1) + dx
    each = torch.arange(n, device=images.device).view(-1, 1, 1)
    return padded[each, rows, columns].permute(0, 3, 1, 2)
