"""The ring study: what it records, and in full that the remedies help where the baseline fails."""

import pytest

from ganlab.errors import ConfigError
from ganlab.lectures.mode_collapse import TITLES, study


def test_short_study():
    lesson = study(batches=6, width=8, snapshots=2)
    assert set(lesson.numbers) == {f"{n}/{k}" for n in TITLES for k in ("modes", "high_quality")}
    assert all(0 <= lesson.numbers[f"{n}/modes"] <= 8 for n in TITLES)
    assert len(lesson.figure.axes) == 2 * len(TITLES)


def test_a_game_does_not_depend_on_the_others():
    alone = study(remedies=["minibatch_std"], batches=4, width=8, snapshots=1).numbers
    among = study(remedies=["baseline", "minibatch_std"], batches=4, width=8, snapshots=1).numbers
    assert alone.items() <= among.items()


def test_unknown_remedy():
    with pytest.raises(ConfigError, match="remedies"):
        study(remedies=["prayer"])


@pytest.mark.slow
def test_full_study():
    numbers = study().numbers
    assert numbers["baseline/modes"] <= 2
    for remedy in ("wgan_gp", "unrolled", "minibatch_std"):
        assert numbers[f"{remedy}/modes"] >= 7
        assert numbers[f"{remedy}/high_quality"] > numbers["baseline/high_quality"] + 0.1
