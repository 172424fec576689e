"""DiffAugment: its changes against closed forms, and the ranges that it draws them from."""

import pytest
import torch

from ganlab.augment import DiffAugment
from ganlab.augment.diff_augment import change_color, cut_out, translate
from ganlab.errors import ConfigError

LARGEST = 1 - 2**-24  # of the numbers that torch.rand draws


def uniform(*values):
    """One sample's numbers (3, 1)."""
    return torch.tensor([*values, 0.5])[:3, None]


def noise(*shape):
    return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 1


# --- colour -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("u", "shift"), [(0.0, -0.5), (0.75, 0.25), (LARGEST, 0.5)])
def test_brightness_shifts(u, shift):
    picture = noise(1, 3, 8, 8)
    torch.testing.assert_close(change_color(picture, uniform(u, 0.5, 0.5)), picture + shift)


@pytest.mark.parametrize(("u", "factor"), [(0.0, 0.0), (0.25, 0.5), (LARGEST, 2.0)])
def test_saturation_keeps_the_mean_of_the_channels(u, factor):
    picture = noise(1, 3, 8, 8)
    gray = picture.mean(1, keepdim=True)
    changed = change_color(picture, uniform(0.5, u, 0.5))
    torch.testing.assert_close(changed, gray + factor * (picture - gray))


@pytest.mark.parametrize(("u", "factor"), [(0.0, 0.5), (0.25, 0.75), (LARGEST, 1.5)])
def test_contrast_keeps_the_mean_of_the_picture(u, factor):
    picture = noise(1, 3, 8, 8)
    changed = change_color(picture, uniform(0.5, 0.5, u))
    torch.testing.assert_close(changed, picture.mean() + factor * (picture - picture.mean()))


def test_saturation_leaves_gray_pictures():
    picture = noise(1, 1, 8, 8)
    torch.testing.assert_close(change_color(picture, uniform(0.5, 0.0, 0.5)), picture)


# --- translation and cutout ---------------------------------------------------------------------


def test_translation_fills_with_zeros():
    picture = noise(1, 3, 16, 24)
    moved = translate(picture, uniform(0.0, LARGEST))  # two rows up, three columns right
    expected = torch.zeros_like(picture)
    expected[..., :-2, 3:] = picture[..., 2:, :-3]
    assert torch.equal(moved, expected)
    assert torch.equal(translate(picture, uniform(0.5, 0.5)), picture)


def test_translations_are_equally_likely_up_to_an_eighth():
    torch.manual_seed(0)
    picture = torch.zeros(5000, 1, 16, 32)
    picture[..., 8, 16] = 1
    moved = DiffAugment(["translation"])(picture)[:, 0]
    assert (moved.sum((1, 2)) == 1).all()
    for axis, middle, most in ((2, 8, 2), (1, 16, 4)):
        shifts = moved.sum(axis).argmax(1) - middle
        counts = torch.bincount(shifts + most, minlength=2 * most + 1)
        assert len(counts) == 2 * most + 1
        assert (counts - 5000 / len(counts)).abs().max() < 4 * (5000 / len(counts)) ** 0.5


@pytest.mark.parametrize(
    ("u", "rows"),
    [(0.0, range(4)), (0.5, range(4, 12)), (LARGEST, range(12, 16))],
)
def test_a_cut_is_half_as_long_as_the_picture_and_centred_within(u, rows):
    """Of 16 rows 8 are cut; the cut's middle is before row 0 to behind row 15."""
    kept = cut_out(torch.ones(1, 3, 16, 12), uniform(u, 0.5))
    expected = torch.ones(16, 12)
    expected[rows.start : rows.stop, 3:9] = 0
    assert torch.equal(kept, expected.expand(1, 3, -1, -1))


def test_a_cut_of_odd_length():
    """Of 5 rows 3 are cut, around a row of the picture."""
    rows = [cut_out(torch.ones(1, 1, 5, 5), uniform(u, 0.5))[0, 0, :, 2] for u in (0.0, LARGEST)]
    assert [row.tolist() for row in rows] == [[0, 0, 1, 1, 1], [1, 1, 1, 0, 0]]


def test_cuts_have_a_sixteenth_to_a_quarter_of_the_area():
    torch.manual_seed(0)
    areas = (DiffAugment(["cutout"])(torch.ones(2000, 1, 16, 16)) == 0).sum((1, 2, 3))
    assert areas.min() == 16
    assert areas.max() == 64
    # along each axis the middle is one of 17 positions, 9 of which cut 8 rows, and 2 each 4 to 7
    assert areas.double().mean().item() == pytest.approx(((9 * 8 + 2 * 22) / 17) ** 2, rel=0.03)


# --- all together -------------------------------------------------------------------------------


def test_the_policy_acts_in_its_order():
    """Colour before cutout leaves zeros; after it, it changes them."""
    torch.manual_seed(0)
    ones = torch.ones(64, 3, 8, 8)
    assert (DiffAugment(["color", "cutout"])(ones) == 0).flatten(1).any(1).all()
    assert not (DiffAugment(["cutout", "color"])(ones) == 0).any()
    with pytest.raises(ConfigError, match="policy: received none"):
        DiffAugment([])


def test_samples_differ_and_parts_of_a_sample_change_alike():
    torch.manual_seed(0)
    pictures, latents = noise(1, 3, 16, 16).expand(8, -1, -1, -1), torch.randn(8, 5)
    one, same, other = DiffAugment()((pictures, latents, pictures))
    assert torch.equal(one, other)
    assert same is latents
    assert len({tuple(sample.flatten().tolist()) for sample in one}) == 8


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_dtypes_are_kept(dtype):
    torch.manual_seed(0)
    expected = DiffAugment()(noise(4, 3, 8, 8).to(dtype).float())
    torch.manual_seed(0)
    changed = DiffAugment()(noise(4, 3, 8, 8).to(dtype))
    assert changed.dtype == dtype
    torch.testing.assert_close(changed.float(), expected, rtol=0, atol=0.05)


def test_gradients_of_first_and_second_order():
    def change(x):
        torch.manual_seed(0)
        return DiffAugment()(x)

    x = noise(2, 3, 8, 8).double().requires_grad_()
    assert torch.autograd.gradcheck(change, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(change, x, fast_mode=True)


@pytest.mark.parametrize("policy", [["color", "blur"], "colour", [True]])
def test_an_unknown_policy(policy):
    with pytest.raises(ConfigError, match=r"DiffAugment.policy: received .*; allowed color, "):
        DiffAugment(policy)


def test_samples_without_pictures():
    with pytest.raises(ConfigError, match=r"DiffAugment: received .*\(4, 2\).*\(N, C, H, W\)"):
        DiffAugment()(torch.zeros(4, 2))


def test_a_sample_is_changed_with_the_given_probability_and_parts_alike():
    torch.manual_seed(0)
    first, second = noise(2000, 1, 8, 8), noise(2000, 2, 8, 8)
    augment = DiffAugment(["color"], probability=0.3)
    is_changed = [
        (a != b).flatten(1).any(1)
        for a, b in zip(augment((first, second)), (first, second), strict=True)
    ]
    assert torch.equal(*is_changed)
    assert is_changed[0].float().mean().item() == pytest.approx(0.3, abs=0.04)
    with pytest.raises(ConfigError, match="probability: received 0"):
        DiffAugment(probability=0)
