"""Groups of runs: the spread over seeds, ranking, and invalid arguments."""

from statistics import fmean, stdev

import pytest
from helpers.runs.written_runs import score, write_evaluations, write_run

from ganlab.errors import ConfigError
from ganlab.reports.comparison.comparison import read_comparison
from ganlab.reports.comparison.groups import tabulate
from ganlab.reports.comparison.table import Spread
from ganlab.reports.comparison.text import render

LR = "model.players.generator.optimizer.lr"


def rows(table, name="high_quality"):
    """Return (values of the keys, the score's mean) of each group, one list for each part."""
    return [
        [
            (*group.values.values(), spread.mean if (spread := group.scores.get(name)) else None)
            for group in part.groups
        ]
        for part in table.parts
    ]


# --- statistics --------------------------------------------------------------------------------


def test_the_interval_of_known_numbers():
    """1 … 5 have sd √2.5 and standard error √0.5; Student's t of 4 degrees is 2.776445."""
    spread = Spread.of([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (spread.n, spread.mean) == (5, 3.0)
    assert spread.deviation == pytest.approx(2.5**0.5, abs=1e-12)
    assert spread.interval == pytest.approx((3 - 2.776445 * 0.5**0.5, 3 + 2.776445 * 0.5**0.5))


def test_with_two_values_the_interval_is_that_of_a_cauchy_distribution():
    """t with one degree of freedom is Cauchy's, whose quantile is tan(π (p − ½)): 12.7062."""
    spread = Spread.of([0.0, 2.0])
    assert spread.interval == pytest.approx((1 - 12.7062047, 1 + 12.7062047))


def test_one_value_has_no_interval():
    assert Spread.of([4.0]) == Spread(1, 4.0, None, None)
    assert Spread.of([]) is None


# --- groups ------------------------------------------------------------------------------------


@pytest.fixture
def sweep(tmp_path):
    """Two losses, two learning rates and three seeds; wgan_gp and the smaller rate are better."""
    for loss in ("hinge", "wgan_gp"):
        for lr in (1e-3, 1e-4):
            for seed in range(3):
                value = 0.1 * seed + (loss == "wgan_gp") * 0.4 + (lr < 1e-3) * 0.2
                place = tmp_path / "sweep" / f"{loss}_{lr}_{seed}"
                write_run(place, seed=seed, loss=loss, scores=value, settings={LR: lr})
    return tmp_path / "sweep"


def test_groups_differ_in_more_than_the_seed_and_are_ranked(sweep):
    table = tabulate(read_comparison([sweep]))
    assert table.keys == ("loss", LR)
    assert table.score == "high_quality"
    (part,) = table.parts
    assert [tuple(group.values.values()) for group in part.groups] == [
        ("wgan_gp", 1e-4),
        ("wgan_gp", 1e-3),
        ("hinge", 1e-4),
        ("hinge", 1e-3),
    ]
    best = part.groups[0].scores["high_quality"]
    assert best.n == 3
    assert best.mean == pytest.approx(0.7)
    assert best.deviation == pytest.approx(0.1)
    assert table.unlike is None
    assert not table.notes


def test_group_by_pools_over_other_keys_with_a_note(sweep):
    table = tabulate(read_comparison([sweep]), ["loss"])
    (part,) = table.parts
    assert [group.values for group in part.groups] == [{"loss": "wgan_gp"}, {"loss": "hinge"}]
    values = [0.0, 0.1, 0.2, 0.2, 0.3, 0.4]
    spread = part.groups[1].scores["high_quality"]
    assert (spread.n, spread.mean) == (6, pytest.approx(fmean(values)))
    assert spread.deviation == pytest.approx(stdev(values))
    assert LR in table.notes[0]


@pytest.mark.parametrize(
    ("word", "keys"), [("lr", (LR,)), ("seed", ("seed",)), ("name", ("name",)), (LR, (LR,))]
)
def test_group_by_accepts_the_end_of_a_key(sweep, word, keys):
    assert tabulate(read_comparison([sweep]), [word]).keys == keys


def test_group_by_refuses_unknown_and_ambiguous_keys(sweep):
    read = read_comparison([sweep])
    with pytest.raises(ConfigError, match="Did you mean 'loss'"):
        tabulate(read, ["lss"])
    with pytest.raises(ConfigError, match=r"generator\.every or model.players.discriminator"):
        tabulate(read, ["every"])


def test_lower_is_better_where_the_record_says_so(tmp_path):
    for loss, value in (("hinge", 30.0), ("wgan_gp", 20.0), ("minimax", 25.0)):
        write_run(tmp_path / loss, loss=loss, scores={"fid": score(value, False)})
    table = tabulate(read_comparison([tmp_path]))
    assert rows(table, "fid") == [[("wgan_gp", 20.0), ("minimax", 25.0), ("hinge", 30.0)]]


def test_without_a_direction_nothing_is_ranked(tmp_path):
    for loss, value in (("a", 2.0), ("b", 3.0), ("c", 1.0)):
        write_run(tmp_path / loss, loss=loss, scores={"edge_sharpness": score(value, None)})
    read = read_comparison([tmp_path])
    table = tabulate(read)
    assert rows(table, "edge_sharpness") == [[("a", 2.0), ("b", 3.0), ("c", 1.0)]]
    assert "Not ranked: it is unknown whether higher or lower is better." in render(read, table)


def test_sweeps_of_one_name_are_two_groups(tmp_path):
    for job, day in enumerate(("2026-11-22", "2026-11-23")):
        told = {"name": "losses", "group": f"losses/{day}", "job": job}
        write_run(tmp_path / day, seed=job, scores=0.5, sweep=told)
    table = tabulate(read_comparison([tmp_path]), ["sweep"])
    values = [group.values["sweep"] for group in table.parts[0].groups]
    assert values == ["losses/2026-11-22", "losses/2026-11-23"]


def test_runs_whose_data_seed_follows_the_run_form_one_group(tmp_path):
    for seed in range(4):
        write_run(tmp_path / str(seed), seed=seed, settings={"data.seed": 7} if seed == 3 else None)
    read = read_comparison([tmp_path])
    assert read.varying == ("data.seed",)
    groups = [group for part in tabulate(read).parts for group in part.groups]
    assert [(group.values["data.seed"], len(group.runs)) for group in groups] == [
        ("the run's seed", 3),
        (7, 1),
    ]
    for seed in range(3):  # fixed for all; run 0 has the same seed itself
        write_run(tmp_path / "fixed" / str(seed), seed=seed, settings={"data.seed": 0})
    assert read_comparison([tmp_path / "fixed"]).varying == ()


@pytest.mark.parametrize(
    ("seeds", "line"),
    [
        ((0,), "1 run in 1 group"),
        ((0, 1), "2 runs in 1 group: the seed alone differs"),
        ((0, 0), "2 runs in 1 group: no setting is known to differ"),
    ],
)
def test_the_title_says_what_differs(tmp_path, seeds, line):
    for place, seed in enumerate(seeds):
        write_run(tmp_path / str(place), seed=seed, seconds=2.0)
    read = read_comparison([tmp_path])
    lines = render(read, tabulate(read)).splitlines()
    assert lines[0] == line
    assert any("0.0333" in row for row in lines)  # minutes


def test_a_left_out_score_is_noted_once(tmp_path):
    for place, (fid, samples) in enumerate(((5000, 10), (5000, 20), (9000, 10), (9000, 20))):
        scores = {
            "fid": score(1.0, False, generated_samples=fid),
            "recall": score(0.5, samples=samples),
        }
        write_run(tmp_path / str(place), seed=place, scores=scores)
    notes = tabulate(read_comparison([tmp_path])).notes
    assert sum("recall is left out" in note for note in notes) == 1


# --- scores ------------------------------------------------------------------------------------


def test_the_best_judge_of_quality_that_all_runs_have_is_the_main_score(tmp_path):
    both = {"modes": score(8.0), "fid": score(9.0, False), "recall": score(0.4)}
    write_run(tmp_path / "a", scores=both)
    write_run(tmp_path / "b", seed=1, scores={k: both[k] for k in ("modes", "recall")})
    table = tabulate(read_comparison([tmp_path]))
    assert (table.score, table.others) == ("recall", ("modes",))
    table = tabulate(read_comparison([tmp_path]), score="fid")
    assert table.score == "fid"
    (group,) = table.parts[0].groups
    assert (group.scores["fid"].n, len(group.runs)) == (1, 2)


def test_an_unknown_score_is_refused_with_the_nearest(tmp_path):
    write_run(tmp_path / "a", scores=0.5)
    with pytest.raises(ConfigError, match="Did you mean 'high_quality'"):
        tabulate(read_comparison([tmp_path]), score="hi_quality")


def test_scores_of_different_protocols_are_not_ranked_together(tmp_path):
    for loss, value, n in (("a", 0.1, 10000), ("b", 0.9, 10000), ("c", 0.5, 5000)):
        scores = {"high_quality": score(value, generated_samples=n)}
        write_run(tmp_path / loss, loss=loss, scores=scores)
    read = read_comparison([tmp_path])
    table = tabulate(read)
    assert table.unlike == "generated_samples: 10000 against 5000"
    assert rows(table) == [[("b", 0.9), ("a", 0.1)], [("c", 0.5)]]
    text = render(read, table, width=200)
    assert "Not ranked against each other" in text
    assert "generated_samples: 10000 against 5000" in text


def test_seeds_are_not_pooled_over_different_protocols(tmp_path):
    for seed, n in enumerate((10000, 10000, 5000)):
        scores = {"high_quality": score(0.1 * seed, generated_samples=n)}
        write_run(tmp_path / str(seed), seed=seed, scores=scores)
    table = tabulate(read_comparison([tmp_path]))
    assert [part.groups[0].scores["high_quality"].n for part in table.parts] == [2, 1]


def test_a_further_score_of_different_protocols_is_left_out(tmp_path):
    for seed, n in enumerate((10000, 5000)):
        scores = {"high_quality": score(0.5), "modes": score(8.0, generated_samples=n)}
        write_run(tmp_path / str(seed), seed=seed, scores=scores)
    table = tabulate(read_comparison([tmp_path]))
    (group,) = table.parts[0].groups
    assert set(group.scores) == {"high_quality"}
    assert "modes is left out" in table.notes[0]


def test_runs_without_a_common_score_are_compared_by_cost_and_status(tmp_path):
    write_run(tmp_path / "a", scores=0.5)
    translator = {"model": "cyclegan", "data": "shapes", "loss": "lsgan"}
    write_run(
        tmp_path / "b", choices=translator, scores={"fid/a_to_b": score(60.0, False)}, seconds=120.0
    )
    read = read_comparison([tmp_path])
    table = tabulate(read)
    assert table.score is None
    assert "No score is shared" in table.notes[0]
    assert [group.seconds for group in table.parts[0].groups] == [60.0, 120.0]
    assert table.others == ("high_quality",)
    (row,) = (line for line in render(read, table).splitlines() if "ring" in line)
    assert " 0.5 " in row


MIXED = (("r0", "hinge", 0.5), ("r1", "lsgan", 0.6), ("r2", "wgan", 0.7))


def mixed(tmp_path, *translators):
    """Write three runs on the ring and translators, which have other scores."""
    for name, loss, value in MIXED:
        write_run(tmp_path / name, loss=loss, scores=value)
    choices = {"model": "cyclegan", "data": "shapes", "loss": "lsgan"}
    for index, name in enumerate(translators):
        scores = {"psnr": score(20.0), f"fid_{name}": score(3.0, False)}
        write_run(tmp_path / name, seed=index, choices=choices, scores=scores)
    return read_comparison([tmp_path])


def test_the_score_of_most_runs_ranks_them_and_the_others_stand_apart(tmp_path):
    read = mixed(tmp_path, "t0")
    table = tabulate(read)
    values = [[row[-1] for row in part] for part in rows(table)]
    assert values == [[0.7, 0.6, 0.5], [None]]
    assert table.score == "high_quality"
    assert "Runs without high_quality (1 of the 4 " in table.notes[0]
    assert "fid_t0" in table.notes[0]
    text = render(read, table)
    assert "Without high_quality:" in text


def test_scores_that_most_runs_have_come_first(tmp_path):
    table = tabulate(mixed(tmp_path, "t0", "t1", "t2"))
    assert table.score is None
    assert table.others[:2] == ("high_quality", "psnr")
    spreads = [group.scores for group in table.parts[0].groups]
    assert [scores["high_quality"].mean for scores in spreads[:3]] == [0.5, 0.6, 0.7]
    assert spreads[3]["psnr"].n == 3


def test_settings_that_are_equal_in_a_part_are_named_once(tmp_path):
    read = mixed(tmp_path, "t0")
    lines = render(read, tabulate(read)).splitlines()
    heading, other = (line for line in lines if line.startswith("run "))
    assert "loss" in heading
    assert "model" not in heading
    assert "model" in other
    assert "Equal in all: model mlp, data ring" in lines
    chosen = render(read, tabulate(read, ["model", "loss"]))
    assert "Equal in all" not in chosen
    assert sum("model" in line and "mean" in line for line in chosen.splitlines()) == 1


# --- unfinished and failed runs ----------------------------------------------------------------


def test_only_finished_or_evaluated_runs_count_but_the_status_lists_all(tmp_path):
    states = ["finished", "finished", "failed", "interrupted", "running", "pruned"]
    for seed, state in enumerate(states):
        write_run(tmp_path / str(seed), seed=seed, scores=0.1 * (seed + 1), status=state)
    write_evaluations(tmp_path / "3", ({"high_quality": score(0.6)}, {}))
    table = tabulate(read_comparison([tmp_path]))
    ((group,),) = [part.groups for part in table.parts]
    assert group.scores["high_quality"].n == 3
    assert group.scores["high_quality"].mean == pytest.approx((0.1 + 0.2 + 0.6) / 3)
    assert group.states == {"finished": 2, "failed": 1, "interrupted": 1, "killed": 1, "pruned": 1}
    assert "1 failed, 1 killed, 1 pruned" in table.notes[0]


def test_runs_without_scores_join_the_group_of_their_settings(tmp_path):
    write_run(tmp_path / "0", seed=0, scores=0.5, peak_gpu_memory_mib=300.0)
    write_run(tmp_path / "1", seed=1, status="failed")
    ((group,),) = [part.groups for part in tabulate(read_comparison([tmp_path])).parts]
    assert group.states == {"finished": 1, "failed": 1}
    assert (group.peak_gpu_memory_mib, group.peak_memory_mib) == (300.0, 800.0)


def test_equal_reasons_of_failed_runs_are_printed_once(tmp_path):
    write_run(tmp_path / "0", scores=0.5)
    for seed in (1, 2):
        write_run(tmp_path / str(seed), seed=seed, status="failed", error="ValueError: no\nmore")
    read = read_comparison([tmp_path])
    text = render(read, tabulate(read))
    assert "1 finished, 2 failed" in text
    assert text.count("ValueError: no") == 1
    assert "and 1 more" in text


def test_a_seed_twice_in_a_group_is_noted(tmp_path):
    for name in ("a", "b"):
        write_run(tmp_path / name, scores=0.5)
    assert "same seed" in tabulate(read_comparison([tmp_path])).notes[0]


def test_a_group_without_a_score_comes_after_ranked_groups(tmp_path):
    write_run(tmp_path / "a", loss="a", status="failed", error="ValueError: x")
    write_run(tmp_path / "b", loss="b", scores=0.5)
    table = tabulate(read_comparison([tmp_path]))
    assert rows(table) == [[("b", 0.5), ("a", None)]]


def test_a_run_of_unknown_settings_joins_no_group(tmp_path):
    write_run(tmp_path / "a", scores=0.5)
    write_run(tmp_path / "b", seed=1, scores=0.6)
    (tmp_path / "b" / "config.yaml").unlink()
    table = tabulate(read_comparison([tmp_path]))
    assert [len(group.runs) for group in table.parts[0].groups] == [1, 1]
