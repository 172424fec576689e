"""Transforms of pictures against closed forms, and their gradients."""

from math import pi

import pytest
import torch

from ganlab.augment.transforms import SYM6, recolor, rotation, turn, warp

LOWPASS = torch.tensor(SYM6)


def noise(*shape, seed=0, dtype=torch.float32):
    return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) - 1


def positions(height, width):
    """x and y (H, W), in pixels from the centre."""
    axes = [torch.arange(n) - (n - 1) / 2 for n in (height, width)]
    y, x = torch.meshgrid(*axes, indexing="ij")
    return x, y


# --- blitting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [7, 16])
def test_turns_are_rot90_of_the_flipped_picture(size):
    pictures = noise(8, 3, size, size)
    flips, quarters = torch.arange(8) // 4, torch.arange(8) % 4
    turned = turn(pictures, flips, quarters)
    for picture, result, flip, quarter in zip(pictures, turned, flips, quarters, strict=True):
        picture = picture.flip(2) if flip else picture
        assert torch.equal(result, torch.rot90(picture, int(quarter), (1, 2)))


def test_a_turned_rectangle_is_cropped_and_mirrored():
    picture = noise(1, 1, 8, 12)
    turned = turn(picture, torch.tensor([0]), torch.tensor([1]))
    whole = torch.rot90(picture, 1, (2, 3))  # 12 × 8
    assert torch.equal(turned[..., 2:10], whole[..., 2:10, :])
    assert torch.equal(turned[..., :2], whole[..., 2:10, 1:3].flip(3))


@pytest.mark.parametrize("shape", [(32, 32), (9, 20)])
def test_the_identity_is_exact_up_to_the_borders(shape):
    pictures = noise(2, 3, *shape)
    still = warp(pictures, torch.eye(2).expand(2, 2, 2), torch.zeros(2, 2), LOWPASS)
    torch.testing.assert_close(still, pictures, rtol=0, atol=1e-5)


def test_translations_by_whole_pixels_are_exact():
    """The result at (x, y) is the picture at (x + 3, y − 4)."""
    picture = noise(1, 3, 24, 20)
    moved = warp(picture, torch.eye(2)[None], torch.tensor([[3.0, -4.0]]), LOWPASS)
    expected = picture.roll((4, -3), (2, 3))
    torch.testing.assert_close(moved[..., 4:, :-3], expected[..., 4:, :-3], rtol=0, atol=1e-5)
    assert not moved[..., :4, :].isclose(expected[..., :4, :], atol=0.1).all()  # not wrapped


def test_beyond_a_border_a_picture_is_mirrored():
    x, _ = positions(32, 32)
    blob = torch.exp(-((x - 12) ** 2) / 32).expand(1, 1, 32, 32)
    moved = warp(blob, torch.eye(2)[None], torch.tensor([[14.0, 0.0]]), LOWPASS)
    mirrored = torch.where(x + 14 > 15.5, 31 - (x + 14), x + 14)
    expected = torch.exp(-((mirrored - 12) ** 2) / 32)
    torch.testing.assert_close(moved[0, 0], expected, rtol=0, atol=0.03)


# --- geometry -----------------------------------------------------------------------------------


def test_an_affine_map_of_a_smooth_picture():
    """Two bumps, mapped by scaling, rotation, and a fractional translation."""

    def picture(x, y):
        bumps = [torch.exp(-((x - a) ** 2 + (y - b) ** 2) / 50) for a, b in ((5, -3), (-6, 8))]
        return bumps[0] - 0.5 * bumps[1]

    x, y = positions(48, 40)
    angles = torch.tensor([0.0, 0.5, 2.0, -2.8])
    matrix = rotation(angles) @ torch.tensor([[1.2, 0.0], [0.0, 0.8]])
    offset = torch.tensor([[0.5, 0.0], [1.3, -2.6], [0.2, 0.7], [-3.1, 1.9]])
    result = warp(picture(x, y).expand(4, 1, 48, 40), matrix, offset, LOWPASS)[:, 0]
    source = torch.stack((x, y), -1) @ matrix.mT[:, None] + offset[:, None, None]
    expected = picture(source[..., 0], source[..., 1])
    is_inside = (source.abs() < torch.tensor([17.0, 21.0])).all(-1)
    assert is_inside.flatten(1).double().mean(1).min() > 0.6
    # slopes are up to 0.12 a pixel, and the filter's tap 5 is 0.05 pixels from its centre of mass
    torch.testing.assert_close(result[is_inside], expected[is_inside], rtol=0, atol=0.02)


def test_rotation_turns_x_towards_y():
    turned = rotation(torch.tensor([pi / 2])) @ torch.tensor([1.0, 0.0])
    torch.testing.assert_close(turned, torch.tensor([[0.0, 1.0]]))


# --- colours ------------------------------------------------------------------------------------


def colored(pictures, **changed):
    neutral = {"brightness": 0.0, "contrast": 1.0, "luma_flips": 1.0, "hue": 0.0, "saturation": 1.0}
    values = {name: torch.full((len(pictures),), v) for name, v in (neutral | changed).items()}
    return recolor(pictures, **values)


@pytest.mark.parametrize("channels", [1, 3])
def test_brightness_adds_then_contrast_multiplies(channels):
    pictures = noise(2, channels, 4, 4)
    changed = colored(pictures, brightness=0.3, contrast=1.5)
    torch.testing.assert_close(changed, 1.5 * (pictures + 0.3))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_luma_flip_is_a_householder_reflection(channels):
    pictures = noise(2, channels, 4, 4)
    axis = torch.ones(channels) / channels**0.5
    reflection = torch.eye(channels) - 2 * axis.outer(axis)
    expected = torch.einsum("ij,njhw->nihw", reflection, pictures)
    torch.testing.assert_close(colored(pictures, luma_flips=-1.0), expected)


def test_a_third_of_a_circle_of_hue_permutes_the_channels():
    pictures = noise(2, 3, 4, 4)
    turned = colored(pictures, hue=2 * pi / 3)
    torch.testing.assert_close(turned, pictures.roll(1, 1))


def test_saturation_multiplies_the_distance_from_gray():
    pictures = noise(2, 3, 4, 4)
    gray = pictures.mean(1, keepdim=True).expand_as(pictures)
    torch.testing.assert_close(colored(pictures, saturation=0.0), gray)
    torch.testing.assert_close(colored(pictures, saturation=2.0), 2 * pictures - gray)


def test_hue_and_saturation_leave_gray_pictures():
    pictures = noise(2, 1, 4, 4)
    assert torch.equal(colored(pictures, hue=1.0, saturation=3.0), pictures)


# --- gradients ----------------------------------------------------------------------------------


def test_gradients_of_first_and_second_order():
    pictures = noise(2, 3, 7, 8, dtype=torch.float64).requires_grad_()
    angles, values = torch.tensor([0.4, 2.0]), torch.tensor([1.3, 0.6])
    matrix, offset = 1.1 * rotation(angles), torch.tensor([[0.3, 5.0], [-1.0, 0.2]])
    for change in (
        lambda x: turn(x, torch.tensor([0, 1]), torch.tensor([3, 2])),
        lambda x: warp(x, matrix, offset, LOWPASS),
        lambda x: recolor(x, values, values, -values.sign(), angles, values),
    ):
        assert torch.autograd.gradcheck(change, pictures, fast_mode=True)
        assert torch.autograd.gradgradcheck(change, pictures, fast_mode=True)
