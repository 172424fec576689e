"""Lecture on convolution and transposed convolution, PixelShuffle and checkerboard artifacts.

Each operation is computed with loops, as a matrix and by torch. References: Dumoulin and Visin 2016
(arXiv:1603.07285); Shi et al. 2016 (arXiv:1609.05158) for PixelShuffle; Odena et al. 2016,
"Deconvolution and checkerboard artifacts". As in torch, a convolution does not flip the kernel.

Images (H, W) and kernels (k, k) are square and float64. Their entries are integers, so that results
have no rounding errors and can be compared exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, pad, pixel_shuffle

from ganlab.lectures.lesson import Lesson, new_figure


def lesson(seed: int = 0) -> Lesson:
    """Compute small examples with loops, as matrices and by torch, and compare the results.

    Args:
        seed: seed of the integers in the examples.
    """
    rng = torch.Generator().manual_seed(seed)
    image, small = _random_integers(5, rng), _random_integers(2, rng)
    kernel, even = _random_integers(3, rng, most=2), _random_integers(4, rng, most=2)
    ones = torch.ones(4, 4, dtype=torch.float64), torch.ones(3, 3, dtype=torch.float64)

    strided = convolve(image, kernel, 2)
    matrix = convolution_matrix(5, kernel, 2)
    spread = transpose_convolve(small, kernel, 2)
    fractional = fractionally_strided(small, kernel, 2)
    shuffled, channels = subpixel_convolve(small, even, 2)
    overlaps = {k: overlap(9, k, 2) for k in (3, 4)}
    inner = {k: _inner(counts) for k, counts in overlaps.items()}

    def difference(a: Tensor, b: Tensor) -> float:
        return float((a - b).abs().max())

    numbers = {
        "strided/hand_to_torch": difference(strided, _torch(conv2d, image, kernel, 2)),
        "strided/matrix_to_torch": difference(
            (matrix @ image.flatten()).view(2, 2), _torch(conv2d, image, kernel, 2)
        ),
        "transposed/hand_to_torch": difference(spread, _torch(conv_transpose2d, small, kernel, 2)),
        "transposed/matrix_to_torch": difference(
            (matrix.T @ small.flatten()).view(5, 5), _torch(conv_transpose2d, small, kernel, 2)
        ),
        "transposed/fractional_stride_to_torch": difference(
            fractional, _torch(conv_transpose2d, small, kernel, 2)
        ),
        "ones/hand_to_torch": difference(
            transpose_convolve(*ones, 1), _torch(conv_transpose2d, *ones, 1)
        ),
        "pixel_shuffle/to_transposed": difference(
            shuffled, _torch(conv_transpose2d, small, even, 2)
        ),
        "checkerboard/kernel_3_least": float(inner[3].min()),
        "checkerboard/kernel_3_most": float(inner[3].max()),
        "checkerboard/kernel_4_least": float(inner[4].min()),
        "checkerboard/kernel_4_most": float(inner[4].max()),
    }
    worst = max(value for name, value in numbers.items() if "_to" in name)
    sentences = [
        "A strided convolution multiplies the flattened image by a matrix C, the transposed "
        f"convolution by Cᵀ. Results of loops, matrix and torch differ by at most {worst:g}.",
        "A transposed convolution of stride 2 equals a convolution of stride 1 with the kernel "
        "turned by 180°, over the image with zeros inserted between its pixels (a stride of ½).",
        "A transposed convolution of 4 × 4 ones with a 3 × 3 kernel of ones gives the 6 × 6 outer "
        "product of 1-2-3-3-2-1 with itself.",
        "A convolution to 4 channels at the small size, followed by PixelShuffle, gives the same "
        "numbers as a transposed convolution of stride 2.",
        f"With kernel size 3 and stride 2, {inner[3].min():.0f} to {inner[3].max():.0f} input "
        "pixels contribute to an inner output pixel, which makes a checkerboard pattern. With "
        f"kernel size 4, a multiple of the stride, {inner[4].max():.0f} input pixels contribute to "
        "every inner output pixel.",
    ]
    figure = _draw(image, small, kernel, even, ones, matrix, channels, overlaps)
    return Lesson(figure, numbers, sentences)


def convolve(image: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """Convolve without padding: each output is the sum of an input window times the kernel."""
    k = len(kernel)
    size = (len(image) - k) // stride + 1
    out = image.new_zeros(size, size)
    for i in range(size):
        for j in range(size):
            window = image[i * stride : i * stride + k, j * stride : j * stride + k]
            out[i, j] = (window * kernel).sum()
    return out


def transpose_convolve(image: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """Transpose-convolve without padding: each input pixel adds its value times the kernel.

    The product is added to a k × k window of the output; windows of neighbours overlap.
    """
    k = len(kernel)
    size = (len(image) - 1) * stride + k
    out = image.new_zeros(size, size)
    for i in range(len(image)):
        for j in range(len(image)):
            window = out[i * stride : i * stride + k, j * stride : j * stride + k]
            window += image[i, j] * kernel
    return out


def convolution_matrix(size: int, kernel: Tensor, stride: int) -> Tensor:
    """Return C with C @ image.flatten() == convolve(image, …).flatten() for (size, size) images."""
    units = torch.eye(size * size, dtype=kernel.dtype).view(-1, size, size)
    return torch.stack([convolve(unit, kernel, stride).flatten() for unit in units], dim=1)


def insert_zeros(image: Tensor, stride: int) -> Tensor:
    """Insert stride − 1 zeros between neighbouring pixels: (n, n) becomes (s(n − 1) + 1, …)."""
    size = (len(image) - 1) * stride + 1
    out = image.new_zeros(size, size)
    out[::stride, ::stride] = image
    return out


def fractionally_strided(image: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """Compute the transposed convolution as a convolution of stride 1.

    Zeros are inserted between the pixels and padded around them; the kernel is turned by 180°.
    """
    wide = pad(insert_zeros(image, stride), [len(kernel) - 1] * 4)
    return convolve(wide, kernel.flip(0, 1), 1)


def subpixel_convolve(image: Tensor, kernel: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Compute the transposed convolution as a convolution at the small size and a PixelShuffle.

    Output pixel (s·i + a, s·j + b) depends only on the kernel entries (a + s·u, b + s·v). These
    entries form the kernel of channel (a, b). The kernel size must be a multiple of the stride.

    Returns:
        The result, and the channels (s², m, m) before the PixelShuffle.
    """
    parts = [kernel[a::stride, b::stride] for a in range(stride) for b in range(stride)]
    kernels = torch.stack([part.flip(0, 1) for part in parts])[:, None]
    channels = conv2d(image[None, None], kernels, padding=len(kernel) // stride - 1)
    return pixel_shuffle(channels, stride)[0, 0], channels[0]


def overlap(size: int, kernel: int, stride: int) -> Tensor:
    """Return how many input pixels contribute to each output pixel of a transposed convolution.

    Args:
        size: side of the input.
        kernel: side of the kernel.
        stride: the stride.
    """
    ones = torch.ones(size, size, dtype=torch.float64), torch.ones(kernel, kernel).double()
    return transpose_convolve(*ones, stride)


def _random_integers(size: int, rng: torch.Generator, most: int = 4) -> Tensor:
    return torch.randint(0, most + 1, (size, size), generator=rng).double()


def _torch(function: Callable[..., Tensor], image: Tensor, kernel: Tensor, stride: int) -> Tensor:
    return function(image[None, None], kernel[None, None], stride=stride)[0, 0]


def _inner(counts: Tensor) -> Tensor:
    """Return the counts without the border, where fewer input pixels contribute."""
    return counts[3:-3, 3:-3]


def _cells(
    axes: Axes, numbers: Tensor, title: str, colours: str = "Blues", text: bool = True
) -> None:
    """Draw a matrix as coloured cells, with its numbers if `text`."""
    axes.imshow(numbers, cmap=colours, vmin=0, vmax=max(float(numbers.max()) * 1.7, 1))
    rows, columns = numbers.shape
    if text:
        for i in range(rows):
            for j in range(columns):
                axes.text(j, i, f"{numbers[i, j]:g}", ha="center", va="center", fontsize=9)
    axes.set_xticks([x - 0.5 for x in range(columns + 1)], [])
    axes.set_yticks([y - 0.5 for y in range(rows + 1)], [])
    axes.grid(color="white", linewidth=1)
    axes.tick_params(length=0)
    axes.set_title(title, fontsize=10)


def _draw(
    image: Tensor,
    small: Tensor,
    kernel: Tensor,
    even: Tensor,
    ones: tuple[Tensor, Tensor],
    matrix: Tensor,
    channels: Tensor,
    overlaps: dict[int, Tensor],
) -> Figure:
    figure = new_figure(14, 15, "Convolution and transposed convolution by hand")
    bands = figure.subfigures(5, 1, height_ratios=[1, 1, 1, 1, 1.15], hspace=0.04)
    titles = (
        "Strided convolution: a window moves by 2 pixels; each row of its matrix is one window",
        "Transposed convolution: each input pixel adds a scaled kernel; its matrix is Cᵀ",
        "Fractional stride: the same result from a convolution with zeros between the pixels",
        "Sub-pixel convolution: 4 channels at the small size, merged by PixelShuffle",
        "4 × 4 ones with 3 × 3 ones: 1-2-3-3-2-1;  overlaps of stride 2 that make checkerboards",
    )
    rows = []
    for band, title in zip(bands, titles, strict=True):
        band.suptitle(title, fontsize=12, fontweight="bold")
        rows.append(band.subplots(1, 4))
    spread = transpose_convolve(small, kernel, 2)
    _cells(rows[0][0], image, "image 5 × 5")
    _cells(rows[0][1], kernel, "kernel 3 × 3", "Oranges")
    _cells(rows[0][2], convolve(image, kernel, 2), "stride 2: 2 × 2", "Greens")
    _cells(rows[0][3], matrix, "its matrix C, 4 × 25", "Oranges", text=False)
    _cells(rows[1][0], small, "image 2 × 2")
    _cells(rows[1][1], kernel, "kernel 3 × 3", "Oranges")
    _cells(rows[1][2], spread, "transposed, stride 2: 5 × 5", "Greens")
    _cells(rows[1][3], matrix.T, "Cᵀ, 25 × 4", "Oranges", text=False)
    rows[1][3].set_aspect("auto")
    rows[0][3].set_aspect("auto")
    _cells(rows[2][0], pad(insert_zeros(small, 2), [2] * 4), "zeros between and around: 7 × 7")
    _cells(rows[2][1], kernel.flip(0, 1), "kernel turned by 180°", "Oranges")
    _cells(rows[2][2], fractionally_strided(small, kernel, 2), "stride 1: 5 × 5", "Greens")
    _cells(rows[2][3], fractionally_strided(small, kernel, 2) - spread, "minus the row above")
    side_by_side = torch.cat([torch.cat([*channels[:2]], 1), torch.cat([*channels[2:]], 1)])
    _cells(rows[3][0], even, "kernel 4 × 4 (image as above)", "Oranges")
    _cells(rows[3][1], side_by_side, "4 channels of 3 × 3, side by side", "Purples")
    for line in (rows[3][1].axvline, rows[3][1].axhline):
        line(2.5, color="black", linewidth=2)
    _cells(rows[3][2], pixel_shuffle(channels[None], 2)[0, 0], "PixelShuffle: 6 × 6", "Greens")
    _cells(rows[3][3], transpose_convolve(small, even, 2), "transposed, stride 2: 6 × 6", "Greens")
    _cells(rows[4][0], transpose_convolve(*ones, 1), "stride 1: 6 × 6", "Greens")
    rows[4][1].axis("off")
    text = (
        "How many input pixels contribute\nto an output pixel? The numbers\ndiffer if the kernel "
        "size is\nno multiple of the stride: the\ngenerator must learn to\ncompensate. With kernel "
        "4 and\nstride 2 all inner pixels\nhave the same number."
    )
    rows[4][1].text(0.5, 0.5, text, ha="center", va="center", fontsize=11)
    for panel, k in zip(rows[4][2:], overlaps, strict=True):
        counts = overlaps[k][:12, :12]
        _cells(panel, counts, f"kernel {k}, stride 2 (a corner)", "Reds")
    return figure
