"""Edge sharpness: closed forms of steps and ramps, and the mean over images."""

import pytest
import torch

from ganlab.errors import ConfigError
from ganlab.metrics import EdgeSharpness
from ganlab.metrics.pairs.sharpness import gradient_magnitude


def images(n=6, size=16, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, size, size), generator=rng, dtype=torch.uint8)


def score(samples, targets):
    metric = EdgeSharpness()
    metric.update(samples, targets)
    return metric.compute().item()


def test_a_slope_has_its_own_gradient_everywhere():
    """The gradient magnitude of 3 x + 4 y is √(9 + 16)."""
    line = torch.arange(10.0)
    slope = 3 * line.view(1, 1, 1, -1) + 4 * line.view(1, 1, -1, 1)
    assert gradient_magnitude(slope).item() == pytest.approx(5)


def test_a_step_has_its_height_over_the_width():
    """A step of height h between two of W columns has gradient h on one of W − 1 columns."""
    step = torch.zeros(1, 2, 8, 9)
    step[..., 4:] = 80
    assert gradient_magnitude(step).item() == pytest.approx(10)


def test_equal_images_are_as_sharp_and_half_the_contrast_halves_the_score():
    targets = images() // 2 * 2
    assert score(targets, targets) == pytest.approx(1)
    assert score(targets // 2, targets) == pytest.approx(0.5)
    assert score(torch.zeros_like(targets), targets) == 0


def test_it_ignores_brightness_and_where_the_edges_are():
    targets = images() // 2
    assert score(targets + 100, targets) == pytest.approx(1)
    assert score(targets.flip(0), targets) == pytest.approx(1)


def test_blurred_images_score_below_one_and_noisy_images_above():
    targets = images().float()
    smooth = torch.nn.functional.avg_pool2d(targets, 3, 1, 1)
    assert score(smooth.byte(), targets.byte()) < 0.7
    assert score(targets.byte(), smooth.byte()) > 1.4


def test_the_ratio_is_of_means_over_all_images_for_any_batches():
    """The gradients of a sharp pair and a flat pair are averaged, not their two ratios."""
    targets, samples = images(8), images(8, seed=1)
    targets[4:] = 7
    whole, parts = EdgeSharpness(), EdgeSharpness()
    whole.update(samples, targets)
    for start in (0, 3, 6):
        parts.update(samples[start : start + 3], targets[start : start + 3])
    expected = gradient_magnitude(samples.float()).sum() / gradient_magnitude(targets.float()).sum()
    assert whole.compute().item() == pytest.approx(expected.item(), rel=1e-6)
    assert parts.compute().item() == pytest.approx(expected.item(), rel=1e-6)


def test_targets_without_any_edge_raise():
    flat = torch.full((2, 3, 8, 8), 9, dtype=torch.uint8)
    with pytest.raises(ConfigError, match="without any edge"):
        score(images(2, 8), flat)


def test_the_explanation_states_the_number():
    assert "0.30 times" in EdgeSharpness().explain({"edge_sharpness": 0.3})["edge_sharpness"]
