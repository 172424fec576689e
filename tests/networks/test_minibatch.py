"""The standard deviation over the batch, compared with closed forms."""

import pytest
import torch

from ganlab.errors import ConfigError
from ganlab.networks import MinibatchStd, MLPDiscriminator


def test_identical_samples_give_zero_and_finite_gradients():
    """Second derivatives, which penalties need, are finite too; zero appears as √ε = 1e-4."""
    x = torch.full((6, 3), 1.5, requires_grad=True)
    feature = MinibatchStd()(x)[:, 3:]
    assert feature.max() < 1.1e-4
    (gradient,) = torch.autograd.grad(feature.square().sum() + feature.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum() + gradient.sum(), x)
    assert gradient.isfinite().all()
    assert second.isfinite().all()


def test_closed_form():
    """If half of the samples are −a and half are a, each feature's standard deviation is its a."""
    a = torch.tensor([0.5, 1.0, 3.0])
    x = torch.cat([a.expand(4, 3), -a.expand(4, 3)])
    y = MinibatchStd()(x)
    torch.testing.assert_close(y[:, :3], x)
    torch.testing.assert_close(y[:, 3], torch.full((8,), 1.5))


def test_images_get_one_constant_map():
    x = torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    y = MinibatchStd()(x)
    assert y.shape == (4, 4, 5, 6)
    expected = x.std(0, correction=0).mean()
    torch.testing.assert_close(y[:, 3], expected.expand(4, 5, 6))


def test_order_of_samples_does_not_matter():
    rng = torch.Generator().manual_seed(0)
    x, order = torch.randn(10, 4, generator=rng), torch.randperm(10, generator=rng)
    y = MinibatchStd()(x)
    torch.testing.assert_close(MinibatchStd()(x[order]), y[order])


@pytest.mark.parametrize(("samples", "size"), [(12, 4), (6, 2), (5, 1), (4, 4)])
def test_groups(samples, size):
    """A group has every (N / size)-th sample; a group of one sample has deviation 0."""
    x = torch.randn(samples, 2, generator=torch.Generator().manual_seed(0))
    y = MinibatchStd(group=4)(x)[:, 2]
    for first in range(samples // size):
        group = slice(first, None, samples // size)
        expected = x[group].std(0, correction=0).mean()
        torch.testing.assert_close(y[group], expected.expand(size), rtol=0, atol=2e-4)


def test_a_group_of_one_is_refused():
    with pytest.raises(ConfigError, match="group"):
        MinibatchStd(1)


def test_minibatch_std_makes_scores_depend_on_the_batch():
    """Only with minibatch_std does a score depend on the other samples of the batch.

    The additional input costs as many weights as the last hidden layer has units.
    """
    x = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    counts = []
    for minibatch_std in (False, True):
        torch.manual_seed(0)
        critic = MLPDiscriminator([2], [16, 12], minibatch_std=minibatch_std)
        counts.append(sum(p.numel() for p in critic.parameters()))
        alone = torch.allclose(critic(x)[:4], critic(x[:4]))
        assert alone is not minibatch_std
    assert counts[1] - counts[0] == 12
