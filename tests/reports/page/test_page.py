"""The web page's data: curves and pictures thinned, sizes kept, everything escaped."""

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.runs.pages import Tags
from helpers.runs.sample_runs import PROTOCOL, sample_run

from ganlab.errors import RunError
from ganlab.record.log import read_metrics
from ganlab.reports.comparison.comparison import read_comparison
from ganlab.reports.comparison.groups import tabulate
from ganlab.reports.page import curves as page_curves
from ganlab.reports.page import pictures as page_pictures
from ganlab.reports.page.curves import curves, read_times, thin
from ganlab.reports.page.pictures import pictures
from ganlab.reports.page.write import write_page

HOSTILE = "</script><script>window.hurt=1</script><img src=x onerror=window.hurt=1>"


def page_of(paths, folder, group_by=None, score=None, **changes):
    comparison = replace(read_comparison(paths), **changes)
    write_page(comparison, folder / "page.html", tabulate(comparison, group_by, score))
    return (folder / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("points", [40, 121, 1000])
def test_thinning_keeps_the_ends_and_all_extremes(points):
    chance = random.Random(points)
    x = list(range(100, 100 + 64 * 5000, 64))
    y = [round(chance.gauss(0, 1), 3) for _ in x]
    y[777], y[3210] = 9.5, -9.25
    xs, ys = thin(x, y, points)
    assert len(xs) == len(ys) <= points
    assert (xs[0], ys[0], xs[-1], ys[-1]) == (x[0], y[0], x[-1], y[-1])
    assert xs == sorted(xs)
    for place, extreme in ((777, 9.5), (3210, -9.25)):
        at = xs[ys.index(extreme)]
        assert abs(at - x[place]) <= (x[-1] - x[0]) / (points // 2 - 2)


def test_a_short_curve_stays_as_it_is():
    assert thin([1, 2, 3], [0.5, 0.25, 12345.0], 40) == ([1, 2, 3], [0.5, 0.25, 12345])


def test_a_curve_is_interrupted_where_nothing_was_logged():
    x = [*range(0, 1000, 10), *range(5000, 6000, 10)]
    y = [1.0] * len(x)
    short_x, short_y = thin(x, y, 1000)
    assert short_y.count(None) == 1
    assert short_x[short_y.index(None)] == (990 + 5000) // 2
    long_x, long_y = thin(x, y, 100)
    empty = [at for at, value in zip(long_x, long_y, strict=True) if value is None]
    assert min(empty) > 990
    assert max(empty) < 5000
    assert max(empty) - min(empty) > 3500
    assert thin([1, 2, 3], [1.0, math.nan, 2.0], 40)[1] == [1, None, 2]


def test_times_leave_out_rows_that_a_resumed_run_repeats(tmp_path):
    rows = ["100,1,10.0,1", "200,2,20.0,1", "300,3,30.0,1", "200,2,45.0,1", "300,3,55"]
    text = "\n".join(["examples_seen,batches_seen,seconds,examples_per_second", *rows, "4"])
    (tmp_path / "timing.csv").write_text(text)
    times = read_times(tmp_path, 400, 4, 65.0)
    assert times == [(0, 0, 0.0), (100, 1, 10.0), (200, 2, 45.0), (300, 3, 55.0), (400, 4, 65.0)]
    assert read_times(tmp_path / "none", None, None, None) == []


def test_two_hundred_runs_stay_within_the_page(tmp_path):
    """The worst case: long logs of many quantities, and pictures of noise."""
    folder = sample_run(tmp_path / "run", rows=3000, pictures=12, side=460, extra=40)
    text = json.dumps(curves(read_metrics(folder), [], 200), separators=(",", ":"))
    assert len(text) <= 1.2 * page_curves.BYTES / 200
    shown, notes = pictures(folder, 200)
    assert sum(len(p["data"]) for p in shown) <= 1.01 * page_pictures.BYTES / 200
    assert not notes
    assert (shown[0]["examples"], shown[-1]["examples"]) == (0, 3200 * 3000)
    assert 1.2 * page_curves.BYTES + 1.01 * page_pictures.BYTES <= 14.6e6


def test_damaged_pictures_are_noted(tmp_path):
    folder = sample_run(tmp_path / "run", pictures=3)
    (folder / "samples" / "000000000000.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    text = page_of([folder], tmp_path)
    data = Tags(text).data
    assert len(data["pictures-0"]) == 2
    assert any("000000000000.png cannot be read" in note for note in data["comparison"]["notes"])


def test_text_of_a_run_never_becomes_markup(tmp_path):
    plain = Tags(page_of([sample_run(tmp_path / "plain")], tmp_path))
    name = "<img src=x onerror=alert(1)>"
    more = f"note: {json.dumps(HOSTILE)}\n{json.dumps(HOSTILE)}: 1"
    run = sample_run(
        tmp_path / name,
        name=HOSTILE,
        error=HOSTILE,
        status="failed",
        sweep={"name": HOSTILE},
        more=more,
    )
    text = page_of([run], tmp_path, notes=(HOSTILE, "{{script}} {{data}}"))
    hostile = Tags(text)
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    assert hostile.data["comparison"]["settings"]["note"]["values"] == [HOSTILE]
    assert hostile.data["comparison"]["notes"][1:3] == [HOSTILE, "{{script}} {{data}}"]


def test_the_page_requests_nothing(tmp_path):
    tags = Tags(page_of([sample_run(tmp_path / "run")], tmp_path)).tags
    links = [v for _, given in tags for k, v in given.items() if k in ("src", "href", "action")]
    assert all(link.startswith(("#", "data:")) for link in links)
    policy = next(given["content"] for _, given in tags if "http-equiv" in given)
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")


def test_remote_damaged_and_silent_runs_are_shown(tmp_path):
    healthy = sample_run(tmp_path / "runs" / "healthy", 0)
    damaged = sample_run(tmp_path / "runs" / "damaged", 1)
    (damaged / "metrics.csv").write_text("examples_seen,a\nnonsense,2\n")
    silent = sample_run(tmp_path / "runs" / "silent", 2, rows=1)
    (silent / "metrics.csv").unlink()
    comparison = read_comparison([tmp_path / "runs"])
    remote = replace(comparison.runs[0], label="remote", folder=None, peak_memory_mib=math.nan)
    comparison = replace(comparison, runs=(*comparison.runs, remote))
    write_page(comparison, tmp_path / "page.html", tabulate(comparison))
    data = Tags((tmp_path / "page.html").read_text(encoding="utf-8")).data
    runs = {Path(run["label"]).name: run for run in data["comparison"]["runs"]}
    assert runs["healthy"]["doctor"]["findings"]
    assert "damaged" in runs["damaged"]["doctor"]["why"]
    assert "logged nothing" in runs["silent"]["doctor"]["why"]
    assert "Weights & Biases" in runs["remote"]["remote"]
    assert any("metrics.csv cannot be read" in note for note in data["comparison"]["notes"])
    assert healthy.exists()


def test_scores_of_different_protocols_are_of_two_kinds(tmp_path):
    paths = [sample_run(tmp_path / str(n), n) for n in range(2)]
    unlike = {"value": 1.0, "protocol": {**PROTOCOL, "protocol": "fd5k", "generated_samples": 64}}
    paths.append(sample_run(tmp_path / "2", 2, scores={"fd": unlike}))
    data = Tags(page_of(paths, tmp_path)).data["comparison"]
    first, second = data["kinds"]
    assert (first["name"], second["name"]) == ("fd", "fd")
    assert first["unlike"] is None
    assert "generated_samples" in second["unlike"]
    assert [[score["kind"] for score in run["scores"]] for run in data["runs"]] == [[0], [0], [1]]


def test_the_chosen_score_and_keys_come_first(tmp_path):
    names = ("inception_score_std", "coverage", "fid", "recall")
    scores = {name: {"value": 1.0, "protocol": PROTOCOL} for name in names}
    for n in range(4):
        sample_run(tmp_path / "runs" / str(n), n, scores=scores)
    told = {"group_by": ["generator.optimizer.lr", "loss"], "score": "recall"}
    data = Tags(page_of([tmp_path / "runs"], tmp_path, **told)).data["comparison"]
    assert [kind["name"] for kind in data["kinds"]] == ["recall", "fid", "coverage", names[0]]
    assert data["varying"][-1] == "loss"
    assert data["table"]["keys"] == data["varying"]
    assert data["table"]["score"] == "recall"
    ((one, two),) = (part["groups"] for part in data["table"]["parts"])
    assert [one["values"][-1], two["values"][-1]] == ["hinge", "wasserstein"]
    assert [one["runs"], two["runs"]] == [[0, 2], [1, 3]]
    spread = one["scores"]["recall"]
    assert (spread["n"], spread["mean"], spread["interval"]) == (2, 1.0, [1.0, 1.0])


def test_scores_of_unfinished_runs_are_marked(tmp_path):
    paths = [
        sample_run(tmp_path / str(n), n, status=s) for n, s in enumerate(("running", "failed"))
    ]
    data = Tags(page_of([*paths, sample_run(tmp_path / "2", 2)], tmp_path)).data["comparison"]
    assert [run["scores"][0]["counts"] for run in data["runs"]] == [False, False, True]
    assert any("not finished" in note for note in data["notes"])


def test_a_page_is_written_despite_damaged_logs_and_pictures(tmp_path, monkeypatch):
    paths = [sample_run(tmp_path / str(n), n) for n in range(2)]
    for name in ("metrics.csv", "timing.csv"):
        (paths[0] / name).write_text(f"examples_seen,a\n1,{'9' * 200_000}\n")
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 100)
    data = Tags(page_of(paths, tmp_path)).data
    assert data["curves-1"]["series"]
    assert data["curves-0"]["series"] == {}
    notes = " ".join(data["comparison"]["notes"])
    assert "metrics.csv is damaged: field larger than field limit" in notes
    assert "000000000000.png cannot be read" in notes
    assert data["pictures-0"] == []


def test_equal_lists_count_as_one_value_of_a_setting(tmp_path):
    mores = ("widths: [128, 128]", "widths: [128.0, 128.0]", "widths: [64, 64]")
    paths = [sample_run(tmp_path / str(n), 0, more=more) for n, more in enumerate(mores)]
    settings = Tags(page_of(paths, tmp_path)).data["comparison"]["settings"]
    assert settings["widths"] == {"values": ["[128, 128]", "[64, 64]"], "of": [0, 0, 1]}


def test_a_page_that_cannot_be_written_raises(tmp_path):
    comparison = read_comparison([sample_run(tmp_path / "run")])
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        write_page(comparison, tmp_path / "file" / "page.html", tabulate(comparison))
