"""Adaptive discriminator augmentation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from math import pi

import torch
from torch import Tensor

from ganlab.augment.base import Augmentation
from ganlab.augment.transforms import SYM6, change_pictures, recolor, rotation, turn, warp
from ganlab.errors import ConfigError
from ganlab.ranks import mean_over_ranks, number_of_ranks

Change = Callable[[Tensor], Tensor]
SMALLEST = 7  # pixels a side that the low-pass filter needs


def _is_within(value: object, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and low <= value <= high


class ADA(Augmentation):
    """Random changes of pictures, whose probability rises when the discriminator overfits.

    Karras et al. 2020 (arXiv:2006.06676), section 3 and appendix B, with the groups "bgc" of
    transforms and the constants of the authors' code (NVlabs/stylegan2-ada-pytorch,
    training/augment.py). Each transform is drawn for each sample with probability p:

    - blitting: mirroring (a half of the time), quarter turns (0 to 3), translation by whole pixels,
      up to 1/8 of each side;
    - geometry: scaling by 2ˢ, scaling of the two axes by 2ˢ and 2⁻ˢ, with s of deviation 0.2,
      rotation before and after it, each with probability 1 − √(1 − p), translation with deviation
      1/8 of each side;
    - colour: brightness of deviation 0.2, contrast 2ˢ with s of deviation 0.5, reflection along
      the grey axis, rotation about it, saturation 2ˢ with s of deviation 1.

    Every `interval` batches, p rises by (real examples since the last change) / `examples` if the
    mean of sign(D(real)) over these examples, `mean_sign`, is above `target`, and falls by as much
    if it is below. So scores must be positive for what looks real and negative for what does not,
    which Wasserstein and relativistic losses, and least squares with labels 0 and 1, do not ensure.
    p stays in [0, 1]; the authors' code bounds it from below only, and so needs longer to come back
    from above 1, where it acts as 1.

    Pictures are (N, C, H, W) in [-1, 1], with sides of at least 7 pixels. Colours need C of 1 or 3;
    hue and saturation leave pictures of one channel unchanged. All pictures of a sample change
    alike; translations are relative to the size of each. Mirroring and quarter turns copy pixels.
    All other blitting and geometry is one affine map a sample, see `warp`. The authors' code
    differs in two details: it resamples mirrored and turned pictures too, which blurs them; and it
    mirrors at most one width beyond a border, with zeros farther out.

    Args:
        target: the mean of sign(D(real)) that p is adapted to, in [-1, 1]; may be a schedule.
        examples: the real examples in which p can rise from 0 to 1; None for a fixed p.
        interval: the discriminator's batches between changes of p, at least 1.
        p: the probability at the start, in [0, 1].
        blitting: whether to mirror, turn, and translate by whole pixels.
        geometry: whether to scale, rotate, and translate by parts of pixels.
        color: whether to change colours.

    Attributes:
        p: the current probability, float32 of no dimension.
        mean_sign: the mean of sign(D(real)) that p was last adapted to; 0 before that.

    Raises:
        ConfigError: an argument is out of range. Or, when called: no part of the samples is
            pictures, they are smaller than 7 pixels, or `color` is set and they have neither 1
            nor 3 channels.
    """

    logged = ("p", "mean_sign")
    p: Tensor
    mean_sign: Tensor
    sums: Tensor
    steps: Tensor
    lowpass: Tensor

    def __init__(
        self,
        target: float = 0.6,
        examples: int | None = 500_000,
        interval: int = 4,
        p: float = 0.0,
        blitting: bool = True,
        geometry: bool = True,
        color: bool = True,
    ) -> None:
        super().__init__()
        for name, value, is_allowed, allowed in (
            (
                "target",
                target,
                callable(target) or _is_within(target, -1, 1),
                "a number from -1 to 1",
            ),
            ("examples", examples, examples is None or examples > 0, "more than 0, or null"),
            ("interval", interval, interval >= 1, "1 or more"),
            ("p", p, _is_within(p, 0, 1), "a number from 0 to 1, and no schedule"),
        ):
            if not is_allowed:
                raise ConfigError(f"ADA.{name}: received {value}; needs {allowed}.")
        self.target, self.examples, self.interval = target, examples, interval
        self.blitting, self.geometry, self.color = blitting, geometry, color
        self.register_buffer("p", torch.tensor(float(p)))
        self.register_buffer("mean_sign", torch.zeros(()))
        # sum of sign(D(real)), and number of real examples, since p last changed: means over ranks
        self.register_buffer("sums", torch.zeros(2))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))  # batches
        self.register_buffer("lowpass", torch.tensor(SYM6), persistent=False)

    def augment(self, parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        device_type = parts[0].device.type
        has_autocast = torch.amp.is_autocast_available(device_type)  # the meta device has not
        with torch.autocast(device_type, enabled=False) if has_autocast else nullcontext():
            changes = self._draw(len(parts[0]), parts[0].device)
            return change_pictures("ADA", parts, partial(self._change, changes=changes))

    @torch.no_grad()
    def update(self, real_scores: Tensor) -> None:
        if self.examples is None:
            return
        count = len(real_scores)
        mean = real_scores.float().sign().mean()
        sums = self.sums + mean_over_ranks(torch.stack((mean, torch.ones_like(mean))) * count)
        mean_sign = sums[0] / sums[1]
        change = torch.sign(mean_sign - self.target) * sums[1] * (number_of_ranks() / self.examples)
        steps = self.steps + 1
        is_due = steps >= self.interval  # a tensor, so that the CPU need not wait for the device
        self.p.copy_(torch.where(is_due, (self.p + change).clamp(0, 1), self.p))
        self.mean_sign.copy_(torch.where(is_due, mean_sign, self.mean_sign))
        self.sums.copy_(torch.where(is_due, 0, sums))
        self.steps.copy_(torch.where(is_due, 0, steps))

    def _change(self, pictures: Tensor, changes: list[Change]) -> Tensor:
        channels, height, width = pictures.shape[1:]
        if self.color and channels not in (1, 3):
            raise ConfigError(
                f"ADA.color: received pictures of {channels} channels; colours change in pictures "
                "of 1 or 3. Set color=false."
            )
        if min(height, width) < SMALLEST:
            raise ConfigError(
                f"ADA: received pictures of {height} × {width} pixels; needs at least "
                f"{SMALLEST} × {SMALLEST}. Use larger pictures, or remove ADA."
            )
        changed = pictures.to(torch.promote_types(pictures.dtype, torch.float32))
        for change in changes:
            changed = change(changed)
        return changed.to(pictures.dtype)

    def _draw(self, samples: int, device: torch.device) -> list[Change]:
        changes = []
        if self.blitting:
            changes.append(self._draw_turn(samples, device))
        if self.blitting or self.geometry:
            changes.append(self._draw_warp(samples, device))
        if self.color:
            changes.append(self._draw_colors(samples, device))
        return changes

    def _sometimes(self, drawn: Tensor, otherwise: float, p: Tensor | None = None) -> Tensor:
        """Return `drawn` (N, …) for a sample with probability p, else the neutral value."""
        acts = torch.rand(len(drawn), device=drawn.device) < (self.p if p is None else p)
        return torch.where(acts.view(-1, *[1] * (drawn.dim() - 1)), drawn, otherwise)

    def _draw_turn(self, samples: int, device: torch.device) -> Change:
        flips = self._sometimes(torch.randint(2, (samples,), device=device), 0)
        quarters = self._sometimes(torch.randint(4, (samples,), device=device), 0)
        return partial(turn, flips=flips, quarters=quarters)

    def _draw_warp(self, samples: int, device: torch.device) -> Change:
        """Draw the maps from positions in the result to positions in the picture.

        The picture is translated by whole pixels, scaled, rotated, scaled along its axes, rotated,
        translated; the map undoes this in the opposite order.
        """
        matrix = torch.eye(2, device=device).expand(samples, 2, 2)
        whole = fraction = torch.zeros(samples, 2, device=device)  # translations, of each side
        if self.blitting:
            whole = self._sometimes((2 * torch.rand(samples, 2, device=device) - 1) / 8, 0)
        if self.geometry:
            rotates = 1 - (1 - self.p).sqrt()  # so that one of two rotations acts with p
            size, stretch, first, last = (
                self._sometimes(torch.randn(samples, device=device) * 0.2, 0),
                self._sometimes(torch.randn(samples, device=device) * 0.2, 0),
                self._sometimes((2 * torch.rand(samples, device=device) - 1) * pi, 0, rotates),
                self._sometimes((2 * torch.rand(samples, device=device) - 1) * pi, 0, rotates),
            )
            axes = torch.stack((-size - stretch, stretch - size), 1).exp2().diag_embed()
            matrix = rotation(first) @ axes @ rotation(last)
            fraction = self._sometimes(torch.randn(samples, 2, device=device) / 8, 0)

        def move(pictures: Tensor) -> Tensor:
            height, width = pictures.shape[2:]
            pixels, shift = (
                torch.stack((part[:, 0] * width, part[:, 1] * height), 1)
                for part in (whole, fraction)
            )
            offset = -pixels.round() - (matrix @ shift[..., None])[..., 0]
            return warp(pictures, matrix, offset, self.lowpass)

        return move

    def _draw_colors(self, samples: int, device: torch.device) -> Change:
        def normal(deviation: float) -> Tensor:
            return self._sometimes(torch.randn(samples, device=device) * deviation, 0)

        flips = self._sometimes(torch.randint(2, (samples,), device=device), 0)
        hue = self._sometimes((2 * torch.rand(samples, device=device) - 1) * pi, 0)
        return partial(
            recolor,
            brightness=normal(0.2),
            contrast=normal(0.5).exp2(),
            luma_flips=1 - 2 * flips,
            hue=hue,
            saturation=normal(1.0).exp2(),
        )
