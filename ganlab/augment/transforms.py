"""Differentiable transforms of pictures, each with its own parameters for every sample.

Pictures are (N, C, H, W), floating point. Parameters are tensors whose first dimension is N. The
results have the pictures' dtype, pass gradients of any order to them, and never wait for the
device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, grid_sample, pad

from ganlab.errors import ConfigError

# The low-pass filter of Daubechies' symlet of 12 taps. It is orthogonal to its shifts by 2, so
# that supersampling with it and downsampling by its transpose is the identity.
SYM6 = (
    *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
    *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
    *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
)
_CENTER = 5  # the tap at the pixel's centre, as in the authors' code; the centre of mass is 5.1
_PAD = len(SYM6) // 2  # pixels on each side that its filters read beyond the picture


def change_pictures(
    owner: str, parts: tuple[Tensor, ...], change: Callable[[Tensor], Tensor]
) -> tuple[Tensor, ...]:
    """Return `parts` with `change` applied to each part that is pictures (N, C, H, W).

    Raises:
        ConfigError: no part is pictures. The message begins with `owner`.
    """
    if all(part.dim() != 4 for part in parts):
        shapes = " and ".join(str(tuple(part.shape)) for part in parts)
        raise ConfigError(
            f"{owner}: received samples of shape {shapes}; needs pictures (N, C, H, W). "
            "Remove this augmentation."
        )
    return tuple(change(part) if part.dim() == 4 else part for part in parts)


def pick(pictures: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the pixels at the given positions: out[n, c, i, j] = in[n, c, rows, columns].

    Args:
        pictures: (N, C, H, W).
        rows: int64 in [0, H), of a shape that broadcasts to (N, H', W').
        columns: int64 in [0, W), of a shape that broadcasts to (N, H', W').
    """
    index = rows * pictures.shape[3] + columns
    chosen = index.flatten(1).unsqueeze(1).expand(-1, pictures.shape[1], -1)
    return pictures.flatten(2).gather(2, chosen).unflatten(2, index.shape[1:])


def fold(position: Tensor, size: int) -> Tensor:
    """Return positions along an axis of `size` pixels, mirrored at the centres of its end pixels.

    Args:
        position: integer or floating point, any shape.
        size: at least 2.
    """
    period = 2 * (size - 1)
    position = position.remainder(period)
    return torch.minimum(position, period - position)


def turn(pictures: Tensor, flips: Tensor, quarters: Tensor) -> Tensor:
    """Return pictures mirrored left to right, then turned anticlockwise by quarters of a circle.

    Pixels are copied, never blended. Where a turned picture that is not square does not cover the
    result, it is mirrored.

    Args:
        pictures: (N, C, H, W).
        flips: int64 (N,), 1 for a mirrored picture and 0 for others.
        quarters: int64 (N,) in [0, 4).
    """
    height, width = pictures.shape[2:]
    # twice the distance from the picture's centre, as a whole number
    y = (2 * torch.arange(height, device=pictures.device) - (height - 1)).view(1, -1, 1)
    x = (2 * torch.arange(width, device=pictures.device) - (width - 1)).view(1, 1, -1)
    odd = quarters % 2
    cos, sin = ((1 - odd) * (1 - quarters)).view(-1, 1, 1), (odd * (2 - quarters)).view(-1, 1, 1)
    columns, rows = cos * x - sin * y, sin * x + cos * y
    columns = columns * (1 - 2 * flips).view(-1, 1, 1)
    rows = fold((rows + height - 1) // 2, height)
    return pick(pictures, rows, fold((columns + width - 1) // 2, width))


def rotation(angle: Tensor) -> Tensor:
    """Return matrices (N, 2, 2) that rotate (x, y) by `angle` (N,), in radians."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack((cos, -sin, sin, cos), -1).unflatten(-1, (2, 2))


def warp(pictures: Tensor, matrix: Tensor, offset: Tensor, lowpass: Tensor) -> Tensor:
    """Return pictures whose value at q is the input's at matrix·q + offset, with little aliasing.

    Positions (x, y) are in pixels from the picture's centre; y points down. Beyond its border a
    picture is mirrored at the centres of the outermost pixels. The picture is supersampled
    twofold, sampled bilinearly, and downsampled, as in Karras et al. 2020 (arXiv:2006.06676),
    appendix B. Whole-pixel translations are exact for all pixels that come from within.

    Args:
        pictures: (N, C, H, W), float32 or float64; H and W are at least 7.
        matrix: (N, 2, 2).
        offset: (N, 2).
        lowpass: `SYM6` as a tensor (12,).
    """
    channels, height, width = pictures.shape[1:]
    taps = lowpass.to(pictures.dtype).expand(channels, 1, 1, -1)
    x, y = (_output_positions(size, pictures) for size in (width, height))
    matrix, offset = matrix.to(pictures.dtype), offset.to(pictures.dtype)
    to_x, to_y = (
        x * matrix[:, i, :1, None] + y[:, None] * matrix[:, i, 1:, None] + offset[:, i, None, None]
        for i in range(2)
    )
    fine = pad(pictures, [_PAD] * 4, mode="reflect")
    # a CPU convolves single channels several times faster in this layout
    is_cpu = pictures.device.type == "cpu"
    fine = fine.contiguous(memory_format=torch.channels_last if is_cpu else torch.contiguous_format)
    for kernel, stride in ((taps, (1, 2)), (taps.transpose(2, 3), (2, 1))):
        # the cropped ends lack the contributions of pixels that lie farther out
        crop = [(len(lowpass) - 2) * (s - 1) for s in stride]
        fine = conv_transpose2d(fine, kernel, None, stride, crop, groups=channels)
    grid = torch.stack((_grid_position(to_x, width), _grid_position(to_y, height)), -1)
    fine = _Sample.apply(fine, grid)
    fine = conv2d(fine, taps, None, (1, 2), groups=channels)
    return conv2d(fine, taps.transpose(2, 3), None, (2, 1), groups=channels)


def _output_positions(size: int, like: Tensor) -> Tensor:
    """Return where the samples lie that the downsampling reads, in pixels from the centre."""
    tap = torch.arange(2 * size + len(SYM6) - 2, device=like.device, dtype=like.dtype)
    return (tap - _CENTER - (size - 1)) / 2


def _grid_position(position: Tensor, size: int) -> Tensor:
    """Return `grid_sample`'s coordinate of a position, in pixels from the centre."""
    position = position + (size - 1) / 2
    # the supersampled picture has 3 mirrored pixels on each side, which keep the borders exact
    is_near = (position >= -_PAD / 2) & (position <= size - 1 + _PAD / 2)
    position = torch.where(is_near, position, fold(position, size))
    fine_size = 2 * (size + _PAD) + 2
    return (2 * (2 * position + 2 + _CENTER) + 1) / fine_size - 1


class _Sample(torch.autograd.Function):
    """Bilinear `grid_sample` with gradients of any order to the picture and none to the grid.

    The backward pass of torch 2.5's own cannot be differentiated. The map is linear in the
    picture, so its backward pass is the transposed map, whose backward pass is this map.
    """

    @staticmethod
    def forward(ctx: Any, picture: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = picture.shape
        return grid_sample(picture, grid, align_corners=False)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _SampleTransposed.apply(gradient, ctx.saved_tensors[0], ctx.shape), None


class _SampleTransposed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        unused = gradient.new_zeros(shape)  # its values would matter for the grid's gradient only
        backward = torch.ops.aten.grid_sampler_2d_backward
        return backward(gradient, unused, grid, 0, 0, False, [True, False])[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _Sample.apply(gradient, ctx.saved_tensors[0]), None, None


def recolor(
    pictures: Tensor,
    brightness: Tensor,
    contrast: Tensor,
    luma_flips: Tensor,
    hue: Tensor,
    saturation: Tensor,
) -> Tensor:
    """Return pictures with changed colours.

    Karras et al. 2020 (arXiv:2006.06676), appendix B, multiply 4 × 4 matrices: add the brightness,
    multiply by the contrast, reflect along the grey axis (1, 1, 1), rotate about it by the hue,
    multiply what is perpendicular to it by the saturation. All of them keep the axis and the plane
    perpendicular to it apart, so the product is one factor along the axis, and one factor and one
    rotation in the plane. Pictures of one channel have the axis alone: hue and saturation leave
    them unchanged.

    Args:
        pictures: (N, 3, H, W) or (N, 1, H, W).
        brightness: (N,), in units of the pictures.
        contrast: (N,).
        luma_flips: (N,), −1 for a reflected picture and 1 for others.
        hue: (N,), in radians.
        saturation: (N,).
    """

    def fit(values: Tensor) -> Tensor:
        return values.to(pictures.dtype).view(-1, 1, 1, 1)

    gray = pictures.mean(1, keepdim=True)
    axis = fit(contrast * luma_flips) * (gray + fit(brightness))
    if pictures.shape[1] == 1:
        return axis
    plane = pictures - gray
    across = (plane.roll(1, 1) - plane.roll(-1, 1)) / 3**0.5  # (1, 1, 1)/√3 × plane
    factor = contrast * saturation
    return axis + fit(factor * hue.cos()) * plane + fit(factor * hue.sin()) * across
