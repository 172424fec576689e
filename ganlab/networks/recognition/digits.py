"""A small classifier of digits whose features are used to compute scores."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class DigitClassifier(nn.Module):
    """A classifier of 28 × 28 digits with non-negative features; 98,938 parameters by default.

    Args:
        widths: the channels of the three convolutions, whose maps have sides of 14, 14 and 7.
        width: the number of features.
        classes: the number of classes.
    """

    def __init__(
        self, widths: Sequence[int] = (16, 32, 64), width: int = 128, classes: int = 10
    ) -> None:
        super().__init__()
        first, second, third = widths
        self.body = nn.Sequential(
            *_conv_norm_relu(1, first, kernel=5, stride=2),
            *_conv_norm_relu(first, second),
            nn.MaxPool2d(2),
            *_conv_norm_relu(second, third),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(third * 9, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        )
        self.head = nn.Linear(width, classes)
        self.width = width

    def features(self, images: Tensor) -> Tensor:
        """Map images (N, 1, 28, 28) in [−1, 1] to features (N, width), after the last ReLU."""
        return self.body(images)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 1, 28, 28) in [−1, 1] to logits (N, classes)."""
        return self.head(self.features(images))


def _conv_norm_relu(channels: int, out: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    layer = nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False)
    return [layer, nn.BatchNorm2d(out), nn.ReLU()]
