"""Convolutions computed with loops and matrices equal torch's to the last bit."""

import pytest
import torch
from torch.nn.functional import conv2d, conv_transpose2d

from ganlab.lectures import convolution


def _random_integers(size, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(-5, 6, (size, size), generator=rng).double()


def _torch(function, image, kernel, stride):
    return function(image[None, None], kernel[None, None], stride=stride)[0, 0]


@pytest.mark.parametrize(("size", "kernel", "stride"), [(5, 3, 1), (5, 3, 2), (8, 2, 3), (7, 4, 3)])
def test_loops_and_matrices_equal_torch(size, kernel, stride):
    image, kernel = _random_integers(size), _random_integers(kernel, 1)
    forward = _torch(conv2d, image, kernel, stride)
    assert torch.equal(convolution.convolve(image, kernel, stride), forward)
    matrix = convolution.convolution_matrix(size, kernel, stride)
    assert torch.equal(matrix @ image.flatten(), forward.flatten())
    backward = _torch(conv_transpose2d, image, kernel, stride)
    assert torch.equal(convolution.transpose_convolve(image, kernel, stride), backward)
    assert torch.equal(convolution.fractionally_strided(image, kernel, stride), backward)
    matrix = convolution.convolution_matrix(len(backward), kernel, stride)
    assert torch.equal(matrix.T @ image.flatten(), backward.flatten())


def test_ones():
    """4 × 4 ones and a 3 × 3 kernel of ones give the 6 × 6 outer product of 1-2-3-3-2-1."""
    ones = torch.ones(4, 4).double(), torch.ones(3, 3).double()
    slope = torch.tensor([1.0, 2, 3, 3, 2, 1], dtype=torch.float64)
    assert torch.equal(convolution.transpose_convolve(*ones, 1), torch.outer(slope, slope))


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (4, 2), (6, 3)])
def test_pixel_shuffle_is_a_transposed_convolution(kernel, stride):
    image, kernel = _random_integers(3), _random_integers(kernel, 1)
    shuffled, channels = convolution.subpixel_convolve(image, kernel, stride)
    assert torch.equal(shuffled, _torch(conv_transpose2d, image, kernel, stride))
    assert len(channels) == stride**2


def test_lesson_numbers():
    numbers = convolution.lesson().numbers
    assert not any(value for name, value in numbers.items() if "_to_" in name or "/to_" in name)
    assert numbers["checkerboard/kernel_3_least"] == 1
    assert numbers["checkerboard/kernel_3_most"] == 4
    assert numbers["checkerboard/kernel_4_least"] == numbers["checkerboard/kernel_4_most"] == 4
