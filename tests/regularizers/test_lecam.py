"""LeCam regularization against its closed form."""

import pytest
import torch
from torch import nn

from ganlab.regularizers import LeCam, Step


def step(real, fake):
    none = torch.zeros(0)
    return Step(nn.Identity(), None, none, none, torch.tensor(real), torch.tensor(fake), 0)


def test_running_means_have_no_bias_towards_zero():
    """Constant scores have their own means from the first step on."""
    lecam = LeCam(decay=0.9)
    for _ in range(3):
        lecam.term(step([2.0, 4.0], [-1.0, -3.0]))
        assert lecam.real_mean.item() == pytest.approx(3.0)
        assert lecam.fake_mean.item() == pytest.approx(-2.0)
    lecam.term(step([13.0], [-2.0]))
    weights = [0.9**3, 0.9**2, 0.9, 1.0]
    expected = (3.0 * sum(weights[:3]) + 13.0) / sum(weights)
    assert lecam.real_mean.item() == pytest.approx(expected)


@pytest.mark.parametrize("one_sided", [False, True])
def test_the_term_is_the_squared_distance_to_the_other_mean(one_sided):
    """With decay 0 the means are those of the step: α_R = 1, α_F = 2."""
    real, fake = [1.0, 1.0, -3.0, 5.0], [2.0, 6.0, -4.0, 4.0]
    lecam = LeCam(decay=0.0, one_sided=one_sided)
    value = lecam.term(step(real, fake)).item()
    above, below = [r - 2.0 for r in real], [1.0 - f for f in fake]
    keep = (lambda x: max(x, 0.0)) if one_sided else (lambda x: x)
    assert value == pytest.approx(sum(keep(x) ** 2 for x in above + below) / 4)


def test_gradients_reach_the_scores_alone():
    lecam = LeCam()
    known = step([1.0, 2.0], [0.5, 0.0])
    known.real_scores.requires_grad_()
    lecam.term(known).backward()
    expected = known.real_scores.detach() - lecam.fake_mean  # of the mean of two squares
    torch.testing.assert_close(known.real_scores.grad, expected)
    assert not lecam.real_mean.requires_grad
