"""Two processes that talk by gloo are one game.

Three processes (one alone, two together) play all games of tests/helpers/processes/game.py, in
float64: see there. tests/core/test_two_processes.py plays one of them.
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
def played(tmp_path_factory):
    """The states and notes of all three."""
    folder, port = tmp_path_factory.mktemp("games"), free_port()
    names = [(0, 1), (0, 2), (1, 2)]
    processes = [start(folder, rank, ranks, port) for rank, ranks in names]
    try:
        for process in processes:
            _, said = process.communicate(timeout=240)
            assert process.returncode == 0, said[-3000:]
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
def test_two_processes_equal_one_on_the_joint_batch(played, game):
    """Losses and gradients are means over samples, so the mean over processes is the joint one.

    With synchronised batch norm, running statistics and all.
    """
    joint, first, second = played.states(game)
    assert any(name.startswith("averaged.") for name in joint)
    assert_equal(first, second)
    assert_equal(joint, first, 1e-12)
    assert played.notes[0][game]["change"] > 1e-3


def test_a_synchronised_layer_is_that_of_all_samples(played):
    """Shares of unlike size: output, first and second derivative, running statistics."""
    for note in played.notes[1:]:
        assert len(note["layer"]) == 6
        assert max(note["layer"]) < 1e-12


def test_counters_count_over_all_processes(played):
    counters = [6, 24, {"discriminator": 3, "generator": 3}]
    assert [note["gan"]["counters"] for note in played.notes] == [counters] * 3


def test_each_process_draws_its_own_latents(played):
    draws = [json.dumps(draw) for note in played.notes[1:] for draw in note["own"]["draws"]]
    assert len(draws) == len(set(draws)) == 12


def test_batch_norm_of_its_own_samples_leaves_equal_states(played):
    """Scores that all processes take together are those of one model."""
    _, first, second = played.states("own_statistics")
    assert any("running_mean" in name for name in first)
    assert_equal(first, second)
    with pytest.raises(AssertionError):
        assert_equal(first, played.states("synchronised")[1], 1e-3)


def test_clocks_that_differ_stop_all_processes_at_the_same_batch(played):
    """The time of one is over long before the other's; both must leave together."""
    one, other = (note["clocks"] for note in played.notes[1:])
    assert one["counters"] == other["counters"]
    batches = one["counters"][0]
    assert batches > 0
    assert batches % 2 == 0  # at a row of the log, where processes agree
    assert one["saved"] == batches


def test_resumed_equals_uninterrupted(played):
    """Bit for bit: each process finds its own earlier pictures in the checkpoint."""
    whole, resumed = played.states("whole"), played.states("resumed")
    for rank in (1, 2):
        assert_equal(whole[rank], resumed[rank])
    checkpoint = read_checkpoint(played.folder / "parts" / "checkpoints" / "last.ckpt")
    one, other = (pools["a"]["pictures"] for pools in checkpoint["ganlab"]["pools"])
    assert one.shape == other.shape
    assert not torch.equal(one, other)


def test_checkpoints_do_not_tell_whether_batch_norm_was_synchronised(played):
    """A game goes on with the other kind, and its state has the same names."""
    joint = played.states("synchronised")[0]
    for name in ("there", "back"):
        before, after = played.states(f"{name}_1"), played.states(f"{name}_2")
        assert before[1].keys() == after[1].keys() == joint.keys()
        assert_equal(after[1], after[2])
        counters = [played.notes[1][f"{name}_{part}"]["counters"][0] for part in (1, 2)]
        assert counters == [6, 7]
