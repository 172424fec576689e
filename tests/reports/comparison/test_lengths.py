"""Runs that saw unlike numbers of examples, or ended in unlike states, are not averaged unseen."""

import pytest
from helpers.runs.written_runs import score, write_evaluations, write_run

from ganlab.reports.comparison.comparison import read_comparison
from ganlab.reports.comparison.groups import tabulate
from ganlab.reports.comparison.text import render


def written(tmp_path, *lengths, **record):
    """Write runs 0, 1, …, whose scores are 0.1, 0.2, …, and return their comparison."""
    for seed, examples in enumerate(lengths):
        counters = {"counters": {"examples_seen": examples, "batches_seen": 1, "steps": {}}}
        scores = 0.1 * (seed + 1)
        write_run(tmp_path / str(seed), seed=seed, scores=scores, **counters, **record)
    return read_comparison([tmp_path])


def test_runs_of_unlike_length_are_not_averaged(tmp_path):
    written(tmp_path, 20_000, 345_600, 340_000)
    write_run(tmp_path / "failed", seed=3, status="failed")
    read = read_comparison([tmp_path])
    table = tabulate(read)
    groups = [group for part in table.parts for group in part.groups]
    means = [(g.scores["high_quality"].n, round(g.scores["high_quality"].mean, 9)) for g in groups]
    assert means == [(2, 0.25), (1, 0.1)]
    assert [len(group.runs) for group in groups] == [3, 1]  # the failed run enters no mean
    assert [group.examples_seen for group in groups] == [342_800, 20_000]
    (note,) = table.notes
    for words in ("(20,000 examples)", "(340,000 examples), ", "(345,600 examples)"):
        assert words in note
    lines = render(read, table).splitlines()
    assert lines[0] == "4 runs in 2 groups: examples seen"
    assert sum("342.8k" in line or " 20k" in line for line in lines) == 2


@pytest.mark.parametrize(("longer", "groups"), [(109_000, 1), (111_000, 2)])
def test_lengths_within_ten_percent_are_alike(tmp_path, longer, groups):
    table = tabulate(written(tmp_path, 100_000, longer))
    assert sum(len(part.groups) for part in table.parts) == groups
    assert len(table.notes) == groups - 1


def test_group_by_mixes_lengths_and_says_so(tmp_path):
    table = tabulate(written(tmp_path, 20_000, 345_600), ["model"])
    ((group,),) = [part.groups for part in table.parts]
    assert group.scores["high_quality"].n == 2
    assert "mix runs" in table.notes[0]
    assert "0 (20,000 examples)" in table.notes[0]


def test_runs_without_a_common_score_are_split_too(tmp_path):
    for number, (loss, name) in enumerate((("a", "x"), ("a", "x"), ("b", "y"), ("b", "y"))):
        counters = {"examples_seen": 1000 * 2**number, "batches_seen": 1, "steps": {}}
        scores = {name: score(0.5)}
        place = tmp_path / str(number)
        write_run(place, seed=number, loss=loss, scores=scores, counters=counters)
    table = tabulate(read_comparison([tmp_path]))
    assert table.score is None
    assert [len(group.runs) for part in table.parts for group in part.groups] == [1] * 4
    assert "2 (4,000 examples), " in " ".join(table.notes)


def test_an_evaluated_run_that_did_not_finish_is_named(tmp_path):
    for seed, status in enumerate(("finished", "interrupted", "interrupted")):
        write_run(tmp_path / str(seed), seed=seed, scores=0.5, status=status)
    write_evaluations(tmp_path / "1", ({"high_quality": score(0.6)}, {}))
    notes = tabulate(read_comparison([tmp_path])).notes
    (note,) = [note for note in notes if "did not finish" in note]
    assert note.endswith("/1 (interrupted, 51,200 examples).")


def test_runs_of_one_seed_are_named(tmp_path):
    for name in ("a", "b", "c"):
        write_run(tmp_path / name, seed=int(name == "c"), scores=0.5)
    (note,) = tabulate(read_comparison([tmp_path])).notes
    assert note.count("(seed 0)") == 2
    assert note.endswith("/b (seed 0).")
