"""PatchNCE and the KL term, compared with closed forms and an independent computation."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import normalize

from ganlab.errors import ConfigError
from ganlab.losses import PatchNCE, kl_to_standard_normal


def _unit(*shape, seed=0):
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_value_for_queries_equal_to_orthonormal_keys():
    """The query's key has logit 1/τ, the S − 1 others 0: the loss is log(1 + (S − 1)·exp(−1/τ))."""
    features = torch.eye(5).expand(2, 5, 5)
    for temperature in (0.07, 0.5, 2.0):
        expected = math.log1p(4 * math.exp(-1 / temperature))
        assert float(PatchNCE(temperature)(features, features)) == pytest.approx(
            expected, rel=1e-4, abs=1e-6
        )


def test_value_for_equal_keys():
    """If the keys of all S positions are equal, the loss is log S at any temperature."""
    keys = _unit(2, 1, 8).expand(2, 6, 8)
    for temperature in (0.07, 1.0):
        loss = PatchNCE(temperature)(_unit(2, 6, 8, seed=1), keys)
        assert float(loss) == pytest.approx(math.log(6), rel=1e-5)


def test_equals_an_explicit_loop_over_positions():
    queries, keys, temperature = _unit(3, 4, 8), _unit(3, 4, 8, seed=1), 0.3
    losses = []
    for q, k in zip(queries, keys, strict=True):
        for s in range(4):
            weights = torch.exp(k @ q[s] / temperature)
            losses.append(-torch.log(weights[s] / weights.sum()))
    loss = PatchNCE(temperature)(queries, keys)
    torch.testing.assert_close(loss, torch.stack(losses).mean())


def test_negatives_come_only_from_the_same_image():
    """The loss of a batch is the mean of the losses of its images."""
    queries, keys, loss = _unit(3, 4, 8), _unit(3, 4, 8, seed=1), PatchNCE()
    alone = [loss(queries[i : i + 1], keys[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(loss(queries, keys), torch.stack(alone).mean())


def test_keys_get_no_gradient():
    queries, keys = _unit(1, 4, 8).requires_grad_(), _unit(1, 4, 8, seed=1).requires_grad_()
    PatchNCE()(queries, keys).backward()
    assert keys.grad is None
    assert float(queries.grad.abs().sum()) > 0


def test_is_computed_in_full_precision_under_autocast():
    queries, keys = _unit(1, 32, 16), _unit(1, 32, 16, seed=1)
    with torch.autocast("cpu", torch.bfloat16):
        loss = PatchNCE()(queries, keys)
    assert torch.equal(loss, PatchNCE()(queries, keys))


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(ConfigError, match=r"PatchNCE.temperature: received"):
        PatchNCE(temperature)


def test_kl_agrees_with_torch():
    rng = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 6, 3, generator=rng)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected.sum(1).mean())


def test_kl_of_a_shifted_normal_is_half_the_squared_shift():
    mean = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert float(kl_to_standard_normal(mean, torch.zeros(2, 2))) == pytest.approx(25 / 2 / 2)


def test_kl_of_half_precision_inputs_is_computed_in_float32():
    """Near the prior the terms cancel; in bfloat16 the result would be negative."""
    mean, log_variance = torch.full((2, 8), 0.02), torch.full((2, 8), 0.03)
    exact = kl_to_standard_normal(mean.bfloat16().float(), log_variance.bfloat16().float())
    half = kl_to_standard_normal(mean.bfloat16(), log_variance.bfloat16())
    assert half == exact > 0
