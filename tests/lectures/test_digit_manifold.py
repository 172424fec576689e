"""The lesson on the manifold of digits: its helpers and its numbers."""

import pytest
import torch
from helpers.tiny import tiny_gan

from ganlab.errors import ConfigError
from ganlab.lectures.digit_manifold import (
    blend,
    distance_to,
    lesson,
    shuffle_pixels,
    spherical,
    step_ratio,
)


def test_spherical_interpolation():
    """The path has the given ends, equal angles between steps, and unit vectors throughout."""
    rng = torch.Generator().manual_seed(0)
    a, b = torch.nn.functional.normalize(torch.randn(2, 1, 16, generator=rng), dim=-1)
    walk = spherical(a, b, torch.linspace(0, 1, 5)[:, None])
    torch.testing.assert_close(walk[[0]], a)
    torch.testing.assert_close(walk[[4]], b)
    torch.testing.assert_close(walk.norm(dim=1), torch.ones(5))
    cosines = (walk[1:] * walk[:-1]).sum(1)
    torch.testing.assert_close(cosines, cosines[:1].expand(4))


def test_shuffled_pixels_come_from_the_same_position():
    images = torch.randint(0, 256, (20, 1, 4, 4), dtype=torch.uint8)
    shuffled = shuffle_pixels(images, 50, torch.Generator().manual_seed(0))
    assert shuffled.shape == (50, 1, 4, 4)
    for column, known in zip(shuffled.flatten(1).T, images.flatten(1).T, strict=True):
        assert set(column.tolist()) <= set(known.tolist())


def test_blend():
    a, b = (
        torch.full((1, 2, 2), 0, dtype=torch.uint8),
        torch.full((1, 2, 2), 200, dtype=torch.uint8),
    )
    assert (blend(a, b, torch.tensor(0.25)) == 50).all()


def test_distances():
    known = torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    torch.testing.assert_close(distance_to(known, known), torch.zeros(3))
    torch.testing.assert_close(distance_to(known, known, itself=True), torch.full((3,), 5.0))


def test_step_ratio():
    """Steps of 1, 1 and 4 have the mean 2, so that the ratio is 2."""
    walk = torch.tensor([0, 1, 2, 6], dtype=torch.uint8).view(4, 1, 1, 1)
    assert step_ratio(walk) == 2


def test_short_lesson():
    numbers = lesson(images=640, features=8, judged=200, steps=8).numbers
    assert numbers["recognised/real"] > 0.85
    assert numbers["recognised/uniform_noise"] < 0.01
    assert numbers["recognised/pixel_statistics"] < 0.1


def test_run_with_samples_of_another_shape_is_refused(monkeypatch):
    monkeypatch.setattr("ganlab.core.load.load_module", lambda run: tiny_gan())
    with pytest.raises(ConfigError, match=r"shape \(2,\)"):
        lesson(run="outputs/ring")


@pytest.mark.slow
def test_full_lesson():
    numbers = lesson().numbers
    assert numbers["recognised/samples"] > 5 * numbers["recognised/pixel_statistics"]
    assert numbers["recognised/latent_midpoints"] > 2 * numbers["recognised/pixel_midpoints"]
    assert numbers["largest_to_mean_step"] < 3
