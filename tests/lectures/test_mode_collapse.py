"""The lesson on mode collapse: its numbers, and (slow) that the remedies help."""

import pytest
import torch

from ganlab.data import Ring
from ganlab.errors import ConfigError
from ganlab.families import GAN
from ganlab.lectures.mode_collapse import TITLES, lesson


def test_short_lesson():
    made = lesson(batches=6, width=8, snapshots=2)
    assert set(made.numbers) == {f"{n}/{k}" for n in TITLES for k in ("modes", "high_quality")}
    assert len(made.figure.axes) == 2 * len(TITLES)


def test_numbers_come_from_the_last_snapshot_of_each_training(monkeypatch):
    """Faked samples lie on a given number of modes, in equal parts, and at one far point."""
    covered, modes, calls = iter([8, 3, 0, 1, 8, 0, 1, 8]), Ring(samples=8).means, []

    def sample(self, n, *, seed):
        calls.append((n, seed))
        centres = torch.cat([modes[: next(covered)], torch.full((1, 2), 100.0)])
        return centres.repeat(n // len(centres) + 1, 1)[:n]

    monkeypatch.setattr(GAN, "sample", sample)
    made = lesson(batches=4, width=8, snapshots=2, seed=3)
    assert calls == 8 * [(10_000, 3)]
    for name, count in zip(TITLES, (3, 1, 0, 8), strict=True):
        assert made.numbers[f"{name}/modes"] == count
        assert made.numbers[f"{name}/high_quality"] == pytest.approx(count / (count + 1), abs=1e-3)
    labels = [axes.get_xlabel() for axes in made.figure.axes[-len(TITLES) :]]
    assert [text.partition(" ")[0] for text in labels] == ["3", "1", "0", "8"]


def test_training_does_not_depend_on_the_other_remedies():
    alone = lesson(remedies=["minibatch_std"], batches=4, width=8, snapshots=1).numbers
    both = lesson(remedies=["baseline", "minibatch_std"], batches=4, width=8, snapshots=1).numbers
    assert alone.items() <= both.items()


def test_unknown_remedy():
    with pytest.raises(ConfigError, match="remedies"):
        lesson(remedies=["prayer"])


@pytest.mark.slow
def test_full_lesson():
    numbers = lesson().numbers
    assert numbers["baseline/modes"] <= 2
    for remedy in ("wgan_gp", "unrolled", "minibatch_std"):
        assert numbers[f"{remedy}/modes"] >= 7
        assert numbers[f"{remedy}/high_quality"] > numbers["baseline/high_quality"] + 0.1
