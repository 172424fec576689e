"""Label maps that encode the classes of pixels as colours, such as those of Cityscapes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganlab.errors import ConfigError, one_of
from ganlab.modalities import IMAGE

IGNORED = 255  # the class number of pixels that are not scored, as in Cityscapes


@dataclass(frozen=True)
class Palette:
    """The colours of the label maps of a data set.

    Attributes:
        classes: RGB of each scored class, in the order of the class numbers.
        ignored: RGB of the classes that are not scored.
    """

    classes: tuple[tuple[int, int, int], ...]
    ignored: tuple[tuple[int, int, int], ...]


PALETTES = {
    # Cordts et al. 2016 (arXiv:1604.01685): the 19 evaluated classes, then the ignored classes
    "cityscapes": Palette(
        (
            *((128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153)),
            *((153, 153, 153), (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152)),
            *((70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142), (0, 0, 70)),
            *((0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32)),
        ),
        (
            *((0, 0, 0), (111, 74, 0), (81, 0, 81), (250, 170, 160), (230, 150, 140)),
            *((180, 165, 180), (150, 100, 100), (150, 120, 90), (0, 0, 90), (0, 0, 110)),
        ),
    )
}


def palette_named(name: str) -> Palette:
    """Return the palette called `name`.

    Raises:
        ConfigError: there is no such palette.
    """
    return PALETTES[one_of("palette", name, PALETTES)]


def squared_distances(images: Tensor, colours: tuple[tuple[int, int, int], ...]) -> Tensor:
    """Return the squared distance of each pixel to each colour, float32 (N, colours, H, W).

    Args:
        images: uint8 (N, 3, H, W).
        colours: RGB of each colour, in 0 … 255.

    Raises:
        ConfigError: the images have another type or number of channels.
    """
    if not IMAGE.is_raw(images) or images.shape[1] != 3:
        raise ConfigError(
            f"palette: received images of shape {tuple(images.shape)}; needs uint8 label maps "
            "(N, 3, H, W), whose colours encode classes."
        )
    table = torch.tensor(colours, dtype=torch.float32, device=images.device)
    pixels = images.float()
    return torch.stack([(pixels - colour.view(3, 1, 1)).square().sum(1) for colour in table], dim=1)


def classes_of(images: Tensor, palette: Palette) -> Tensor:
    """Return the class of each pixel's nearest colour, uint8 (N, H, W); 255 for an ignored colour.

    Args:
        images: label maps, uint8 (N, 3, H, W) in [0, 255].
        palette: the palette of the data set.
    """
    nearest = squared_distances(images, (*palette.classes, *palette.ignored)).argmin(1)
    return nearest.masked_fill(nearest >= len(palette.classes), IGNORED).to(torch.uint8)


class PaletteSegmenter(nn.Module):
    """Segmenter of generated label maps: a pixel has the class of the nearest scored colour.

    Args:
        palette: a name in `PALETTES`.

    Raises:
        ConfigError: there is no such palette.
    """

    def __init__(self, palette: str = "cityscapes") -> None:
        super().__init__()
        self.palette = palette_named(palette)
        self.title = f"nearest colour of {palette}"
        self.hash = hashlib.sha256(repr(self.palette).encode()).hexdigest()[:16]

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, classes, H, W) of label maps, uint8 (N, 3, H, W)."""
        return -squared_distances(images, self.palette.classes)
