"""Path length against closed forms of a linear generator."""

import math

import pytest
import torch
from helpers.tiny import sgd
from torch import nn
from torchmetrics.utilities import dim_zero_cat

from ganlab.core import Player
from ganlab.errors import ConfigError
from ganlab.families import GAN
from ganlab.losses import NonSaturating
from ganlab.metrics import ModelSamples
from ganlab.metrics.model.path_length import PerceptualPathLength, SquaredPixels, lerp, slerp
from ganlab.networks import MLPDiscriminator


class Linear(nn.Module):
    """G(z) = Az + b, or with classes G(z, c) = (c + 1) (Az + b)."""

    def __init__(self, latent, values, classes=None, factor=1.0):
        super().__init__()
        self.latent, self.classes = latent, classes
        self.layer = nn.Linear(latent, values)
        self.layer.weight.data.mul_(factor)

    def forward(self, z, label=None):
        output = self.layer(z)
        return output if label is None else output * (label[:, None] + 1)


def gan(latents="uniform", classes=None, factor=1.0):
    torch.manual_seed(0)
    discriminator = MLPDiscriminator([12], [4])
    discriminator.classes = classes
    module = GAN(
        Linear(8, 12, classes, factor),
        discriminator,
        NonSaturating(),
        latents=latents,
    )
    return module.bind({role: Player(sgd()) for role in module.roles})


def measured(module, **options):
    metric = PerceptualPathLength(**{"pairs": 500, **options})
    metric.measure(ModelSamples(module, seed=3), None, None)
    return metric


@torch.no_grad()
def closed_form(module, pairs=500, trim=0.01):
    """Return ‖A(z₁ − z₀)‖² / 12, averaged over pairs without the lowest and highest values."""
    latents, labels = module.draw_inputs(2 * pairs, seed=3)
    start, end = latents.double().chunk(2)
    lengths = ((end - start) @ module.generator.layer.weight.double().T).square().mean(1)
    if labels is not None:
        lengths *= (labels[:pairs] + 1) ** 2
    drop = int(trim * pairs)
    return float(lengths.sort().values[drop : pairs - drop].mean())


# --- the value -----------------------------------------------------------------------------------


@pytest.mark.parametrize("epsilon", [1e-4, 1e-2, 1.0])
def test_a_linear_generator_and_straight_paths(epsilon):
    """The score is exact for every ε, except for float32 rounding: three digits at ε = 10⁻⁴."""
    module = gan()
    result = float(measured(module, epsilon=epsilon).compute())
    assert result == pytest.approx(closed_form(module), rel=1e-3 if epsilon < 1e-3 else 1e-5)


def test_trim_zero_averages_all_values():
    module = gan()
    result = float(measured(module, epsilon=0.1, trim=0.0).compute())
    assert result == pytest.approx(closed_form(module, trim=0.0), rel=1e-5)
    assert result != pytest.approx(closed_form(module), rel=1e-5)


def test_both_ends_of_a_path_have_the_same_label():
    """The score of class c is (c + 1)² times that of class 0; two labels would score higher."""
    module = gan(classes=3)
    result = float(measured(module).compute())
    assert result == pytest.approx(closed_form(module), rel=1e-3)


def test_doubling_the_outputs_multiplies_the_length_by_four():
    one, two = (float(measured(gan(factor=f), epsilon=0.1).compute()) for f in (1, 2))
    assert two == pytest.approx(4 * one, rel=1e-4)


def test_a_constant_generator_has_length_zero():
    assert float(measured(gan(factor=0)).compute()) == 0


def test_paths_between_normal_latents_are_arcs():
    """On the arc, an isometry G has ‖dG/dt‖² = Ω² |z|² with the angle Ω, for ends of equal norm."""
    start = nn.functional.normalize(torch.randn(50, 8, dtype=torch.float64), dim=1) * 3
    end = nn.functional.normalize(torch.randn(50, 8, dtype=torch.float64), dim=1) * 3
    t = torch.rand(50, 1, dtype=torch.float64)
    angle = ((start * end).sum(1) / 9).arccos()
    arc = slerp(start, end, t)
    assert torch.allclose(arc.norm(dim=1), torch.full((50,), 3.0, dtype=torch.float64))
    step = (slerp(start, end, t + 1e-4) - arc).norm(dim=1) / 1e-4
    assert torch.allclose(step, 3 * angle, rtol=1e-6)
    assert torch.allclose(slerp(start, end, t * 0), start)
    assert torch.allclose(slerp(start, end, t * 0 + 1), end)
    assert torch.allclose(slerp(start, 2 * start, t), lerp(start, 2 * start, t))
    module = gan("normal")
    assert float(measured(module).compute()) != pytest.approx(closed_form(module), rel=0.01)


def test_squared_pixels():
    one = torch.zeros(2, 3, 4, 4)
    other = torch.stack([torch.full((3, 4, 4), 0.5), torch.zeros(3, 4, 4)])
    assert SquaredPixels()(one, other).tolist() == [0.25, 0]


# --- the measurement -----------------------------------------------------------------------------


class Half(nn.Module):
    name = "half"

    def forward(self, one, other):
        return (one - other).square().mean(1) / 2


def test_another_distance_names_the_score():
    metric = measured(gan(), distance=Half(), epsilon=0.1)
    assert metric.scores == ("path_length_half",)
    assert float(metric.compute()) == pytest.approx(closed_form(gan()) / 2, rel=1e-5)
    assert "half" in metric.explain({"path_length_half": 1.0})["path_length_half"]
    assert PerceptualPathLength().scores == ("path_length_pixels",)


def test_measuring_does_not_change_the_model_or_global_settings():
    module = gan().train()
    before = torch.random.get_rng_state()
    torch.set_float32_matmul_precision("medium")
    try:
        first = measured(module).compute()
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert torch.equal(before, torch.random.get_rng_state())
    assert module.generator.training
    assert measured(module).compute() == first


def test_autocast_does_not_reach_the_samples():
    """In bfloat16 the difference of two samples would be only rounding error."""
    module = gan()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = float(measured(module).compute())
    assert result == pytest.approx(closed_form(module), rel=1e-3)


def test_two_processes_give_the_score_of_one():
    values = torch.rand(501)
    single, per_rank = PerceptualPathLength(), [PerceptualPathLength() for _ in range(2)]
    single.update(values)
    for metric, part in zip(per_rank, values.tensor_split(2), strict=True):
        metric.update(part)
    assert per_rank[0]._reductions["lengths"] is dim_zero_cat
    per_rank[0].lengths = dim_zero_cat(per_rank[0].lengths + per_rank[1].lengths)
    assert per_rank[0].compute() == single.compute()


# --- errors --------------------------------------------------------------------------------------


def test_unsupported_models_and_values_raise():
    with pytest.raises(ConfigError, match="Linear has none"):
        PerceptualPathLength().check_model(Linear(1, 1), None)
    PerceptualPathLength().check_model(gan(), None)
    with pytest.raises(ConfigError, match="has no name"):
        PerceptualPathLength(distance=torch.dist)
    with pytest.raises(ConfigError, match="pairs=1"):
        PerceptualPathLength(pairs=1)
    with pytest.raises(ConfigError, match=r"epsilon=0.*trim=0\.5"):
        PerceptualPathLength(epsilon=0, trim=0.5)
    with pytest.raises(ConfigError, match="too few"):
        PerceptualPathLength().compute()
    for distances in (torch.tensor([1.0, math.nan]), torch.ones(2, 2)):
        with pytest.raises(ConfigError, match=r"needs finite distances \(N,\)"):
            PerceptualPathLength().update(distances)
