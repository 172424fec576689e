"""Phases: when each is due, and how a configuration changes them."""

import pytest
from helpers.tiny import sgd

from ganlab.core import Phase, Player
from ganlab.core.phase import changed_phases
from ganlab.errors import ConfigError


@pytest.mark.parametrize("every", range(1, 8))
def test_a_phase_is_due_in_every_nth_batch(every):
    due = [batch for batch in range(60) if Phase("d", every=every).is_due(0, batch)]
    assert due == list(range(every - 1, 60, every))


def test_a_generator_is_trained_after_each_fifth_critic_step():
    """WGAN, algorithm 1: five critic steps come first."""
    critic, generator = Phase("critic"), Phase("generator", every=5)
    due = [batch for batch in range(20) if generator.is_due(0, batch)]
    assert [critic.due_batches(batch + 1, 8) for batch in due] == [5, 10, 15, 20]
    assert [generator.due_batches(batch + 1, 8) for batch in due] == [1, 2, 3, 4]


@pytest.mark.parametrize("every", [1, 3, 4])
@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"start": 20},
        {"until": 41},
        {"start": 20, "until": 72},
        {"start_batches": 5},
        {"until_batches": 9},
        {"start_batches": 5, "until_batches": 6},
        {"start": 17, "until_batches": 13},
        {"start_batches": 2, "until": 40},
    ],
)
def test_the_number_of_due_batches_is_a_count(limits, every):
    phase, size = Phase("x", every=every, **limits), 4
    due = [phase.is_due(batch * size, batch) for batch in range(40)]
    assert [phase.due_batches(n, size) for n in range(41)] == [sum(due[:n]) for n in range(41)]


def test_start_counts_and_until_does_not():
    phase = Phase("x", start=8, until=16)
    assert [n for n in range(0, 24, 4) if phase.is_active(n, 0)] == [8, 12]
    assert [n for n in range(0, 24, 4) if phase.is_over(n, 0)] == [16, 20]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"every": 0}, ["model.phases.x.every", "received 0", "1 or more"]),
        ({"every": 1.5}, ["model.phases.x.every", "received 1.5"]),
        ({"every": True}, ["model.phases.x.every", "received True"]),
        ({"start_batches": 2.5}, ["model.phases.x.start_batches", "received 2.5"]),
        ({"until_batches": 2.5}, ["model.phases.x.until_batches", "received 2.5"]),
        ({"start": -1}, ["model.phases.x.start", "received -1"]),
        ({"start": "5"}, ["model.phases.x.start", "received '5'"]),
        ({"start": 9, "until": 9}, ["model.phases.x.until", "received 9", "more than start (9)"]),
        ({"start_batches": 3, "until_batches": 2}, ["model.phases.x.until_batches", "received 2"]),
        ({"start": 1, "start_batches": 1}, ["model.phases.x.start", "give only one"]),
        ({"until": 1, "until_batches": 1}, ["model.phases.x.until", "give only one"]),
    ],
)
def test_errors_name_key_value_and_allowed(options, words):
    with pytest.raises(ConfigError) as error:
        Phase("x", **options)
    assert all(word in str(error.value) for word in words)


def test_changes_of_a_configuration():
    phases = Phase("a"), Phase("b", players=("a",), every=4)
    players = {"a": Player(sgd(), every=3)}
    a, b = changed_phases(phases, {"b": {"start": 10}}, players)
    assert (a.every, b.every, b.start, b.players) == (3, 4, 10, ("a",))
    for changes, words in (
        ({"c": {"every": 2}}, "received 'c'; the phases are a, b"),
        ({"b": {"evry": 2}}, "no such key.*Did you mean 'every'"),
        (
            {"a": {"every": 2}},
            "model.phases.a.every: model.players.a.every is 3 and means the same",
        ),
        ({"b": 5}, "model.phases.b: received 5"),
    ):
        with pytest.raises(ConfigError, match=words):
            changed_phases(phases, changes, players)
    with pytest.raises(ConfigError, match="no phase has this name; the phases are b"):
        changed_phases(phases[1:], {}, players)
