"""Resizers against Pillow, torch-fidelity and closed forms."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from ganlab.errors import ConfigError
from ganlab.metrics.features.resizers import RESIZERS, find_resizer

SHAPES = [(28, 28), (64, 48), (400, 512)]


def _images(height, width, n=2):
    generator = torch.Generator().manual_seed(0)
    shape = (n, 3, height, width)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("shape", SHAPES)
def test_clean_is_pillow_in_floats(shape):
    """Up- and downsampled noise, the hardest image, agrees to a hundredth of a grey level."""
    images = _images(*shape)
    for image, ours in zip(images, RESIZERS["clean"](images, 299), strict=True):
        for channel, result in zip(image, ours, strict=True):
            picture = Image.fromarray(channel.numpy().astype(np.float32))
            theirs = np.array(picture.resize((299, 299), Image.Resampling.BICUBIC)).clip(0, 255)
            assert np.abs(result.numpy() - theirs).max() <= 0.01


@pytest.mark.parametrize("shape", SHAPES)
def test_tensorflow_is_torch_fidelity(shape):
    images = _images(*shape)
    theirs = interpolate_bilinear_2d_like_tensorflow1x(
        images.float(), size=(299, 299), align_corners=False
    )
    assert torch.equal(RESIZERS["tensorflow"](images, 299), theirs)


def test_tensorflow_aliases_where_the_others_average():
    """Every other column is white: at half size `tensorflow` picks one colour, others the mean."""
    stripes = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    stripes[..., ::2] = 255
    assert (RESIZERS["tensorflow"](stripes, 32) == 255).all()
    for name in ("clean", "torch"):
        inner = RESIZERS[name](stripes, 32)[..., 4:-4, 4:-4]
        assert (inner - 127.5).abs().max() < 1, name


def test_torch_is_linear_between_pixels():
    """Away from the border a ramp stays a ramp: at double size, column j is at (j − ½) / 2."""
    ramp = (torch.arange(16) * 10).to(torch.uint8).expand(1, 1, 16, 16)
    result = RESIZERS["torch"](ramp, 32)[0, 0, :, 1:-1]
    want = (torch.arange(1, 31) - 0.5) / 2 * 10
    torch.testing.assert_close(result, want.expand(32, -1), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", RESIZERS)
def test_the_same_size_passes_unchanged(name):
    images = _images(20, 20)
    result = RESIZERS[name](images, 20)
    assert result.dtype == torch.float32
    assert torch.equal(result, images.float())


@pytest.mark.parametrize("name", ["clean", "tensorflow", "torch"])
def test_flat_images_stay_flat_and_in_range(name):
    flat = torch.full((1, 3, 30, 17), 200, dtype=torch.uint8)
    torch.testing.assert_close(RESIZERS[name](flat, 45), torch.full((1, 3, 45, 45), 200.0))
    result = RESIZERS[name](_images(24, 24), 50)
    assert result.shape == (2, 3, 50, 50)
    assert result.min() >= 0
    assert result.max() <= 255


def test_none_raises_for_other_sizes():
    with pytest.raises(ConfigError, match=r"24×24.*32×32.*clean"):
        RESIZERS["none"](_images(24, 24), 32)


def test_an_unknown_resizer_raises():
    with pytest.raises(ConfigError, match=r"'clena'.*clean, tensorflow, torch, none.*'clean'"):
        find_resizer("clena")
