"""ADA: how p adapts to the signs of the scores of real examples."""

import pytest
import torch

from ganlab.augment import ADA


def scores(positive, count=10):
    """`count` scores, of which the first `positive` are above 0."""
    return torch.where(torch.arange(count) < positive, 0.7, -3.0)


@pytest.mark.parametrize(
    ("positive", "expected"),
    [(9, [0.5, 0.6, 0.7]), (7, [0.5, 0.4, 0.3]), (8, [0.5, 0.5, 0.5])],  # mean signs 0.8, 0.4, 0.6
)
def test_p_moves_by_the_share_of_examples_every_fourth_step(positive, expected):
    ada, seen = ADA(target=0.6, examples=400, interval=4, p=0.5), []
    for _ in range(11):
        seen.append(ada.p.item())
        ada.update(scores(positive))
    assert seen == pytest.approx([expected[step // 4] for step in range(11)])
    assert ada.mean_sign.item() == pytest.approx(2 * positive / 10 - 1)


def test_all_steps_of_an_interval_count_by_their_examples():
    """100 positive and 60 negative scores: a mean sign of 0.25."""
    ada = ADA(target=0.2, examples=1600, interval=2, p=0.5)
    ada.update(scores(100, 100))
    ada.update(scores(0, 60))
    assert ada.mean_sign.item() == pytest.approx(0.25)
    assert ada.p.item() == pytest.approx(0.6)


def test_p_stays_between_0_and_1():
    ada = ADA(examples=25, interval=1, p=0.9)
    for positive, expected in ((10, 1.0), (10, 1.0), (0, 0.6), (0, 0.2), (0, 0.0), (0, 0.0)):
        ada.update(scores(positive))
        assert ada.p.item() == pytest.approx(expected, abs=1e-6)


def test_ranks_share_the_mean_sign_and_all_examples(monkeypatch):
    """Another rank has 30 negative scores beside this rank's 10 positive ones."""
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 2)
    others = torch.tensor([-30.0, 30.0])
    monkeypatch.setattr("torch.distributed.all_reduce", lambda total: total.add_(others))
    ada = ADA(examples=400, interval=1, p=0.5)
    ada.update(scores(10))
    assert ada.mean_sign.item() == pytest.approx(-0.5)
    assert ada.p.item() == pytest.approx(0.5 - 40 / 400)


def test_a_copy_from_the_middle_of_an_interval_goes_on_alike():
    ada, resumed = (ADA(examples=997, interval=4) for _ in range(2))
    for positive in (9, 10, 10, 8, 10, 3):
        ada.update(scores(positive))
    resumed.load_state_dict(ada.state_dict())
    for positive in (10, 10, 2, 0, 0, 10):
        ada.update(scores(positive))
        resumed.update(scores(positive))
        for name, buffer in ada.named_buffers():
            assert torch.equal(buffer, resumed.get_buffer(name)), name
    assert ada.p.item() == pytest.approx(40 / 997)  # rose, rose, fell


def test_a_fixed_p_does_not_adapt():
    ada = ADA(examples=None, interval=1, p=0.3)
    ada.update(scores(10))
    assert ada.p.item() == pytest.approx(0.3)
