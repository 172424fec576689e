"""DiffAugment: strong augmentation of real and generated pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from ganlab.augment.base import Augmentation
from ganlab.augment.transforms import change_pictures, pick
from ganlab.errors import ConfigError, one_of


class DiffAugment(Augmentation):
    """Random colour, translation and cutout of all pictures that the discriminator sees.

    Zhao et al. 2020 (arXiv:2006.10738), section 3, with the ranges and the order of the authors'
    code (mit-han-lab/data-efficient-gans, DiffAugment_pytorch.py). Pictures are (N, C, H, W), in
    [-1, 1] before it. All pictures of a sample change alike.

    Args:
        policy: the changes, in the order in which they act: "color", see `change_color`;
            "translation", see `translate`; "cutout", see `cut_out`.
        probability: of a sample to be changed, by all of the policy; 1 in the paper. With less than
            1, the unchanged data can be told from the changed, so that the generator does not
            learn the changes: Karras et al. 2020 (arXiv:2006.06676), section 2.2.
        fill: what enters a translated picture, in the units of the pictures; 0, as in the authors'
            code, is grey. −1 suits pictures whose background is black.

    Raises:
        ConfigError: `policy` is empty or has another value, `probability` is not in (0, 1], or
            `fill` is not in [-1, 1]. Or, when called: no part of the samples is pictures.
    """

    def __init__(
        self,
        policy: Sequence[str] = ("color", "translation", "cutout"),
        probability: float = 1.0,
        fill: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 < probability <= 1:
            raise ConfigError(
                f"DiffAugment.probability: received {probability}; needs a number above 0, up to 1."
            )
        if not -1 <= fill <= 1:
            raise ConfigError(
                f"DiffAugment.fill: received {fill}; needs a number from -1 (black) to 1 (white)."
            )
        self.probability = probability
        policy = [policy] if isinstance(policy, str) else policy
        if not policy:
            raise ConfigError(
                f"DiffAugment.policy: received none; needs one or more of {', '.join(CHANGES)}."
            )
        changes = CHANGES | {"translation": partial(translate, fill=fill)}
        self.changes = [changes[one_of("DiffAugment.policy", name, CHANGES)] for name in policy]

    def augment(self, parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        before, n, device = parts, len(parts[0]), parts[0].device
        for change in self.changes:
            uniform = torch.rand(n, 3, device=device).T
            parts = change_pictures("DiffAugment", parts, partial(change, uniform=uniform))
        if self.probability == 1:
            return parts
        is_changed = torch.rand(n, device=device) < self.probability
        return tuple(
            torch.where(is_changed.view(-1, *[1] * (part.dim() - 1)), part, old)
            for part, old in zip(parts, before, strict=True)
        )


def change_color(pictures: Tensor, uniform: Tensor) -> Tensor:
    """Return pictures with another brightness, then saturation, then contrast.

    Brightness adds a number in [-0.5, 0.5). Saturation multiplies each pixel's difference from the
    mean of its channels by a number in [0, 2). Contrast multiplies the difference from the
    picture's mean by a number in [0.5, 1.5).

    Args:
        pictures: (N, C, H, W).
        uniform: (3, N), in [0, 1).
    """
    brightness, saturation, contrast = uniform.to(pictures.dtype)[..., None, None, None]
    pictures = pictures + brightness - 0.5
    pixel = pictures.mean(1, keepdim=True)
    pictures = pixel + 2 * saturation * (pictures - pixel)
    mean = pictures.mean((1, 2, 3), keepdim=True)
    return mean + (contrast + 0.5) * (pictures - mean)


def translate(pictures: Tensor, uniform: Tensor, fill: float = 0.0) -> Tensor:
    """Return pictures moved by up to 1/8 of each side, rounded to whole pixels.

    Args:
        pictures: (N, C, H, W).
        uniform: (2 or more, N), in [0, 1).
        fill: what enters.
    """
    positions, inside = [], []
    for side, u in zip(pictures.shape[2:], uniform, strict=False):
        most = int(side / 8 + 0.5)
        shift = (u * (2 * most + 1)).long() - most
        position = torch.arange(side, device=u.device) - shift[:, None]
        positions.append(position.clamp(0, side - 1))
        inside.append((position >= 0) & (position < side))
    moved = pick(pictures, positions[0][:, :, None], positions[1][:, None])
    is_inside = inside[0][:, None, :, None] & inside[1][:, None, None]
    return moved.where(is_inside, fill)


def cut_out(pictures: Tensor, uniform: Tensor) -> Tensor:
    """Return pictures with a rectangle of half of each side set to 0.

    The rectangle's centre is anywhere in the picture, so up to half of each of its sides can lie
    outside.

    Args:
        pictures: (N, C, H, W).
        uniform: (2 or more, N), in [0, 1).
    """
    is_cut = []
    for side, u in zip(pictures.shape[2:], uniform, strict=False):
        length = int(side / 2 + 0.5)
        start = (u * (side + 1 - length % 2)).long() - length // 2
        position = torch.arange(side, device=u.device) - start[:, None]
        is_cut.append((position >= 0) & (position < length))
    return pictures * ~(is_cut[0][:, None, :, None] & is_cut[1][:, None, None])


CHANGES: dict[str, Callable[..., Tensor]] = {
    "color": change_color,
    "translation": translate,
    "cutout": cut_out,
}
