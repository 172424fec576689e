"""Two processes that communicate by gloo train the same model as one process.

Three processes (one alone, two together) play all games of tests/helpers/processes/game.py in
float64. tests/core/test_two_processes.py plays one of these games.
"""

import json
from types import SimpleNamespace

import pytest
import torch
from helpers.processes.families import FAMILIES
from helpers.processes.game import free_port, start

from ganlab.core.load import read_checkpoint

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def games(tmp_path_factory):
    """Return the states and notes of the three processes."""
    folder, port = tmp_path_factory.mktemp("games"), free_port()
    names = [(0, 1), (0, 2), (1, 2)]
    processes = [start(folder, rank, ranks, port) for rank, ranks in names]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=240)
            assert process.returncode == 0, errors[-3000:]
    finally:
        for process in processes:
            process.kill()

    def states(game):
        files = [folder / f"{game}.{rank}of{ranks}.pt" for rank, ranks in names]
        return [torch.load(file) if file.exists() else None for file in files]

    notes = [json.loads((folder / f"notes.{r}of{n}.json").read_text()) for r, n in names]
    return SimpleNamespace(folder=folder, states=states, notes=notes)


def assert_equal(one, other, tolerance=0.0):
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=0, atol=tolerance)


@pytest.mark.parametrize("game", [*FAMILIES, "synchronised"])
def test_two_processes_equal_one_on_the_joint_batch(games, game):
    """A mean over both processes' losses or gradients is the mean over the joint batch.

    With synchronised batch norm, running statistics are equal too.
    """
    joint, first, second = games.states(game)
    assert any(name.startswith("averaged.") for name in joint)
    assert_equal(first, second)
    assert_equal(joint, first, 1e-12)
    assert games.notes[0][game]["change"] > 1e-3


def test_a_synchronised_layer_equals_batch_norm_of_the_joint_batch(games):
    """Compares output, first and second derivative and running statistics, for unequal parts."""
    for note in games.notes[1:]:
        assert len(note["layer"]) == 6
        assert max(note["layer"]) < 1e-12


def test_counters_count_over_all_processes(games):
    counters = [6, 24, {"discriminator": 3, "generator": 3}]
    assert [note["gan"]["counters"] for note in games.notes] == [counters] * 3


def test_each_process_samples_different_latents(games):
    draws = [json.dumps(draw) for note in games.notes[1:] for draw in note["own"]["draws"]]
    assert len(draws) == len(set(draws)) == 12


def test_batch_norm_without_synchronisation_leaves_equal_states(games):
    """Scores that all processes compute together thus belong to a single model."""
    _, first, second = games.states("own_statistics")
    assert any("running_mean" in name for name in first)
    assert_equal(first, second)
    with pytest.raises(AssertionError):
        assert_equal(first, games.states("synchronised")[1], 1e-3)


def test_a_time_budget_stops_all_processes_at_the_same_batch(games):
    """One process runs out of time long before the other, but both must stop together."""
    one, other = (note["clocks"] for note in games.notes[1:])
    assert one["counters"] == other["counters"]
    batches = one["counters"][0]
    assert batches > 0
    assert batches % 2 == 0  # at a log row, where the processes communicate
    assert one["saved"] == batches


def test_resumed_equals_uninterrupted(games):
    """Equal bit for bit: each process restores its own picture pool from the checkpoint."""
    whole, resumed = games.states("whole"), games.states("resumed")
    for rank in (1, 2):
        assert_equal(whole[rank], resumed[rank])
    checkpoint = read_checkpoint(games.folder / "parts" / "checkpoints" / "last.ckpt")
    one, other = (pools["a"]["pictures"] for pools in checkpoint["ganlab"]["pools"])
    assert one.shape == other.shape
    assert not torch.equal(one, other)


def test_a_run_resumes_with_and_without_synchronised_batch_norm(games):
    """The names in the state are the same, so a game can be resumed with the other setting."""
    joint = games.states("synchronised")[0]
    for name in ("there", "back"):
        before, after = games.states(f"{name}_1"), games.states(f"{name}_2")
        assert before[1].keys() == after[1].keys() == joint.keys()
        assert_equal(after[1], after[2])
        counters = [games.notes[1][f"{name}_{part}"]["counters"][0] for part in (1, 2)]
        assert counters == [6, 7]
