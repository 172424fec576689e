"""ADA: how often and how much it changes pictures."""

from math import exp, log, pi, sqrt

import pytest
import torch

from ganlab.augment import ADA
from ganlab.errors import ConfigError

NONE = {"blitting": False, "geometry": False, "color": False}


def fixed(p, *groups):
    return ADA(examples=None, p=p, **(NONE | dict.fromkeys(groups, True)))


# --- what changes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("group", "channels", "unchanged"),
    [
        # of 5 × 5 equal ranges of shifts, rounded: (0, 0) has 1/4 × 1/4
        ("blitting", 1, (1 - 0.3 / 2) * (1 - 0.3 * 3 / 4) * (1 - 0.3 * 15 / 16)),
        ("geometry", 1, (1 - 0.3) ** 4),  # two scalings, rotations, translation
        ("color", 3, (1 - 0.3) ** 4 * (1 - 0.3 / 2)),
        ("color", 1, (1 - 0.3) ** 2 * (1 - 0.3 / 2)),  # brightness, contrast, reflection
    ],
)
def test_how_many_pictures_stay_unchanged(group, channels, unchanged):
    torch.manual_seed(0)
    pictures = torch.rand(3000, channels, 16, 16) * 2 - 1
    differences = (fixed(0.3, group)(pictures) - pictures).abs().amax((1, 2, 3))
    share = (differences < 1e-4).double().mean().item()
    assert share == pytest.approx(unchanged, abs=4 * sqrt(unchanged * (1 - unchanged) / 3000))


def test_brightness_acts_with_probability_p_and_its_deviation():
    """A black picture becomes brightness × contrast; E[contrast²] = exp(2 (0.5 ln 2)²)."""
    torch.manual_seed(0)
    changed = fixed(0.3, "color")(torch.zeros(20_000, 1, 7, 7))[:, 0, 0, 0]
    assert (changed != 0).double().mean().item() == pytest.approx(0.3, abs=4 * sqrt(0.21 / 20_000))
    variance = 0.3 * 0.04 * (0.7 + 0.3 * exp(2 * (0.5 * log(2)) ** 2))
    assert changed.std().item() == pytest.approx(sqrt(variance), rel=0.04)


def test_contrast_saturation_and_hue_have_their_deviations():
    """A colour (2, −1, −1), of mean 0, is scaled by 2ˢ and turned by a uniform angle."""
    torch.manual_seed(0)
    color = torch.tensor([2.0, -1.0, -1.0]).view(1, 3, 1, 1).expand(10_000, 3, 7, 7)
    changed = fixed(1.0, "color")(color)[:, :, 0, 0]
    plane = changed - changed.mean(1, keepdim=True)
    scales = (plane.norm(dim=1) / 6**0.5).log2()
    assert scales.mean().item() == pytest.approx(0, abs=0.05)
    assert scales.std().item() == pytest.approx(sqrt(0.5**2 + 1), rel=0.03)
    angles = torch.atan2((plane[:, 1] - plane[:, 2]) / 3**0.5, plane[:, 0])
    assert angles.std().item() == pytest.approx(2 * pi / sqrt(12), rel=0.03)


def test_geometry_has_its_deviations():
    """Each map is read off a picture of its own coordinates: its values are the source."""
    torch.manual_seed(0)
    axis = torch.arange(32) - 15.5
    coordinates = torch.stack(torch.meshgrid(axis, axis, indexing="xy"))
    source = fixed(1.0, "geometry")(coordinates.expand(1500, -1, -1, -1))[:, :, 15:17, 15:17]
    matrix = torch.stack(
        ((source[..., 1] - source[..., 0]).mean(2), (source[:, :, 1] - source[:, :, 0]).mean(2)), 2
    )
    shift = -torch.linalg.solve(matrix, source.mean((2, 3)))
    assert shift.std(0).tolist() == pytest.approx([4, 4], rel=0.06)
    big, small = torch.linalg.svdvals(matrix).log2().unbind(1)
    assert ((big + small) / 2).std().item() == pytest.approx(0.2, rel=0.06)  # both axes
    assert ((big - small) / 2).square().mean().sqrt().item() == pytest.approx(0.2, rel=0.06)
    angles = torch.atan2(matrix[:, 1, 0] - matrix[:, 0, 1], matrix[:, 0, 0] + matrix[:, 1, 1])
    assert angles.std().item() == pytest.approx(2 * pi / sqrt(12), rel=0.06)


def test_eight_orientations_are_equally_likely():
    """Read off the quadrants' values, whose middles keep them when the picture moves."""
    torch.manual_seed(0)
    quadrants = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).repeat_interleave(8, 0)
    pictures = quadrants.repeat_interleave(8, 1).expand(2000, 1, 16, 16)
    seen = fixed(1.0, "blitting")(pictures)[:, 0, [4, 4, 11, 11], [4, 11, 4, 11]].round()
    _, counts = seen.unique(dim=0, return_counts=True)
    assert counts.tolist() == pytest.approx([250] * 8, abs=4 * 250**0.5)


def test_blitting_moves_by_at_most_an_eighth():
    torch.manual_seed(0)
    picture = torch.zeros(1000, 1, 16, 16)
    picture[..., 7:9, 7:9] = 1  # the four pixels at the centre, which turns keep
    moved = fixed(1.0, "blitting")(picture)[:, 0] > 0.5
    for axis in (1, 2):
        seen = moved.any(3 - axis)
        assert seen.sum(1).eq(2).all()
        assert sorted(set(seen.int().argmax(1).tolist())) == [5, 6, 7, 8, 9]


def test_at_p_0_pictures_do_not_change():
    pictures = torch.rand(4, 3, 32, 24) * 2 - 1
    torch.testing.assert_close(ADA()(pictures), pictures, rtol=0, atol=1e-5)
    assert torch.equal(fixed(1.0)(pictures), pictures)  # no group


def test_constant_pictures_stay_constant():
    """Nothing enters a picture from beyond its borders."""
    torch.manual_seed(0)
    ones = torch.ones(64, 2, 16, 16)
    torch.testing.assert_close(fixed(1.0, "blitting", "geometry")(ones), ones)


# --- parts, precision, gradients ----------------------------------------------------------------


def test_all_pictures_of_a_sample_change_alike():
    torch.manual_seed(0)
    pictures, latents = torch.rand(8, 3, 16, 16), torch.randn(8, 5)
    one, same, other = fixed(1.0, "blitting", "geometry", "color")((pictures, latents, pictures))
    assert torch.equal(one, other)
    assert same is latents
    assert not one.isclose(pictures, atol=0.01).all((1, 2, 3)).any()


def test_translations_are_relative_to_the_size_of_each_part():
    torch.manual_seed(0)
    parts = []
    for size in (32, 64):
        axis = (torch.arange(size) - (size - 1) / 2) / size
        parts.append(torch.stack(torch.meshgrid(axis, axis, indexing="xy")).expand(16, -1, -1, -1))
    small, large = fixed(1.0, "geometry")(tuple(parts))
    centers = small[..., 15:17, 15:17].mean((2, 3)), large[..., 31:33, 31:33].mean((2, 3))
    torch.testing.assert_close(*centers, rtol=0, atol=0.005)
    assert centers[0].abs().mean() > 0.05


def test_autocast_and_half_precision_change_no_position():
    pictures, ada = torch.rand(4, 3, 32, 32), fixed(1.0, "blitting", "geometry", "color")
    torch.manual_seed(0)
    expected = ada(pictures)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ada(pictures), expected)
    torch.manual_seed(0)
    half = ada(pictures.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), expected, rtol=0.01, atol=0.05)


def test_a_penalty_differentiates_through_it():
    """D(x) = ½‖A x‖² of a linear map A has the gradient AᵀA x, and so a second one AᵀA."""
    ada = fixed(1.0, "blitting", "geometry", "color")
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)

    def change(samples):
        torch.manual_seed(4)
        return ada(samples)

    assert torch.autograd.gradgradcheck(change, x, fast_mode=True)
    (gradient,) = torch.autograd.grad(0.5 * change(x).square().sum(), x, create_graph=True)
    direction = torch.randn_like(x)
    (second,) = torch.autograd.grad((gradient * direction).sum(), x)
    moved = change(direction) - change(torch.zeros_like(x))
    torch.testing.assert_close((second * direction).sum(), moved.square().sum())


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: ADA(target=1.5), ["ADA.target", "1.5", "from -1 to 1"]),
        (lambda: ADA(examples=0), ["ADA.examples", "0", "more than 0"]),
        (lambda: ADA(interval=0), ["ADA.interval", "0", "1 or more"]),
        (lambda: ADA(p=-0.1), ["ADA.p", "-0.1", "from 0 to 1"]),
        (lambda: ADA()(torch.zeros(4, 2)), ["ADA", "(4, 2)", "(N, C, H, W)"]),
        (lambda: ADA()(torch.zeros(4, 5, 8, 8)), ["ADA.color", "5", "1 or 3", "color=false"]),
        (lambda: ADA()(torch.zeros(4, 3, 6, 8)), ["ADA", "6 × 8", "7 × 7"]),
    ],
)
def test_errors_name_argument_value_and_allowed(build, words):
    with pytest.raises(ConfigError) as error:
        build()
    assert all(word in str(error.value) for word in words)
