"""Two processes that talk by gloo are one game."""

import json

import pytest
import torch
from tiny import REPOSITORY, run_python


def train(folder, devices, batch_size, accumulate=1, budget="batches=6", game="gan"):
    folder.mkdir()
    script = str(REPOSITORY / "tests" / "distributed_game.py")
    arguments = [script, str(folder), str(devices), str(batch_size), str(accumulate), budget, game]
    done = run_python(arguments, timeout=150)
    assert done.returncode == 0, done.stderr[-3000:]
    states = [torch.load(folder / f"state{rank}.pt") for rank in range(devices)]
    notes = [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(devices)]
    return states, notes


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return train(tmp_path_factory.mktemp("runs") / "two", 2, 4, accumulate=2)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return train(tmp_path_factory.mktemp("runs") / "one", 1, 8, accumulate=2)


def test_ranks_stay_equal(two):
    (first, second), _ = two
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_two_processes_equal_one_on_the_joint_batch(one, two):
    """Losses, R1 and gradients are means over samples, so the mean over ranks is the joint one."""
    (joint,), (first, _) = one[0], two[0]
    assert any(name.startswith("averaged.") for name in joint)
    for name, value in joint.items():
        torch.testing.assert_close(first[name], value, rtol=0, atol=1e-6)


@pytest.mark.parametrize("game", ["pix2pix", "cyclegan"])
def test_translators_in_two_processes_equal_one(game, tmp_path):
    """Crops, mirrorings, partners and losses are those of the joint batch."""
    first, second = train(tmp_path / "two", 2, 1, game=game)[0]
    (joint,) = train(tmp_path / "one", 1, 2, game=game)[0]
    for name, value in joint.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], value, rtol=0, atol=1e-5)


def test_counters_count_over_all_ranks(one, two):
    counters = [6, 48, {"discriminator": 3, "generator": 3}]
    assert [note[0] for note in (*one[1], *two[1])] == [counters] * 3


def test_each_rank_draws_its_own_latents(two):
    draws = [json.dumps(draw) for _, drawn in two[1] for draw in drawn]
    assert len(draws) == len(set(draws)) == 12


def test_clocks_that_differ_stop_all_ranks_at_the_same_batch(tmp_path):
    """One rank's minutes are over long before the other's; both must leave together."""
    _, notes = train(tmp_path / "clocks", 2, 4, budget="minutes=60")
    assert notes[0][0] == notes[1][0]
    assert notes[0][0][0] % 2 == 0  # at a row of the log, where ranks agree
    assert notes[0][0][0] > 0
