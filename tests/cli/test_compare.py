"""`ganlab compare`: its table, its JSON file, its web page, and its error messages."""

import json
import time

import pytest
from helpers.runs.written_runs import score, write_run

from ganlab.cli import main

LR = "model.players.generator.optimizer.lr"


@pytest.fixture
def sweep(tmp_path):
    for i, (loss, value) in enumerate((("hinge", 0.2), ("wgan_gp", 0.8))):
        for seed in range(2):
            folder = tmp_path / "losses" / str(2 * i + seed)
            write_run(folder, seed=seed, loss=loss, scores=value + 0.1 * seed)
    return tmp_path / "losses"


def test_table_ranks_groups_by_the_mean_score(sweep, capsys):
    assert main(["compare", str(sweep)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "4 runs in 2 groups: loss"
    assert lines[1] == "Score: high_quality, higher is better."
    assert lines[2] == "Ranked, the best mean first."
    start = next(i for i, line in enumerate(lines) if line.startswith("loss "))
    assert lines[start].split() == [
        *("loss", "n", "mean", "sd", "95", "%", "interval"),
        *("minutes", "examples", "MiB", "status"),
    ]
    best, worst = lines[start + 1 : start + 3]
    # sd of two values that are 0.1 apart is 0.1 / √2, and the interval ± 12.706 · 0.05
    assert best.split()[:7] == ["wgan_gp", "2", "0.85", "0.071", "0.2147", "…", "1.485"]
    assert worst.split()[:7] == ["hinge", "2", "0.25", "0.071", "-0.3853", "…", "0.8853"]
    assert best.split()[7:] == ["1.00", "51.2k", "800", "2", "finished"]
    assert all(len(line) <= 100 for line in lines)


def test_table_has_a_column_for_gpu_memory_if_a_run_recorded_it(tmp_path, capsys):
    write_run(tmp_path / "0", loss="hinge", scores=0.5, peak_gpu_memory_mib=1234.0)
    write_run(tmp_path / "1", loss="lsgan", scores=0.4)
    assert main(["compare", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "MiB  GPU MiB" in printed
    assert "800    1,234" in printed


def test_table_leaves_out_scores_that_do_not_fit_into_100_columns(sweep, tmp_path, capsys):
    names = ["precision_digits", "recall_digits", "coverage_digits", "density_digits"]
    for i in range(2):
        scores = {name: score(0.123456, True) for name in names}
        write_run(tmp_path / "wide" / str(i), seed=i, scores=scores)
    assert main(["compare", str(tmp_path / "wide")]) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= 100 for line in out.splitlines())
    assert "more with --score)" in out
    assert "Score: coverage_digits" in out


def test_json_file_holds_groups_and_runs(sweep, tmp_path, capsys):
    file = tmp_path / "new" / "table.json"
    assert main(["compare", str(sweep), "--json", str(file), "--group-by", "loss"]) == 0
    data = json.loads(file.read_text())
    assert data["score"] == "high_quality"
    best = data["parts"][0]["groups"][0]
    assert best["settings"] == {"loss": "wgan_gp"}
    assert best["runs"] == ["losses/2", "losses/3"]
    assert best["scores"]["high_quality"]["mean"] == pytest.approx(0.85)
    assert len(data["runs"]) == 4


def test_json_file_is_valid_with_infinite_and_nan_settings(tmp_path):
    write_run(tmp_path / "a", settings={"model.bound": float("inf"), "model.x": [float("nan")]})
    assert main(["compare", str(tmp_path / "a"), "--json", str(tmp_path / "table.json")]) == 0
    data = json.loads((tmp_path / "table.json").read_text(), parse_constant=pytest.fail)
    settings = data["runs"][0]["settings"]
    assert (settings["model.bound"], settings["model.x"]) == ("inf", ["nan"])


@pytest.mark.parametrize("key", ["json", "html"])
def test_impossible_output_path_is_refused_before_runs_are_read(sweep, key, monkeypatch, capsys):
    monkeypatch.setattr("ganlab.reports.comparison.comparison.read_comparison", pytest.fail)
    path = sweep / "0" / "run.json" / "table"
    assert main(["compare", str(sweep), f"--{key}={path}"]) == 1
    assert f"{key}: {path.parent} is a file" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["json", "html"])
def test_full_disk_error_advises_another_output_file(sweep, key, tmp_path, monkeypatch, capsys):
    def full(*given, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganlab.files.sync", full)
    assert main(["compare", str(sweep), f"--{key}={tmp_path / 'file'}"]) == 1
    error = capsys.readouterr().err
    assert f"No space left on device. Make room, or give another file with --{key} FILE" in error
    assert "run_dir" not in error


def test_web_page_is_written_to_the_given_path(sweep, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        "ganlab.reports.page.write.write_page", lambda *given: written.append(given)
    )
    html = f"--html={tmp_path / 'report.html'}"
    assert main(["compare", str(sweep), html, "--metrics-memory", "1GiB"]) == 0
    ((comparison, path, table, memory),) = written
    assert (len(comparison.runs), path) == (4, tmp_path / "report.html")
    assert memory == 2**30
    assert table.keys == ("loss",)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "FOLDER: missing"),
        (["SWEEP", "--group-by=los"], "Did you mean 'loss'?"),
        (["SWEEP", "--group-by", "loss,"], "group_by: received 'loss,'"),
        (["SWEEP", "--group-by="], "group_by: needs a value"),
        (["SWEEP", "--score", ""], "score: needs a value"),
        (["SWEEP", "--score", "high_qualty"], "Did you mean 'high_quality'?"),
        (["SWEEP", "--scor=x"], "Did you mean 'score'?"),
        (["SWEEP", "--html", "SWEEP"], "is a folder; name a file"),
        (["nowhere"], "nowhere: there is no such folder."),
        (["wandb:me"], "needs wandb:ENTITY/PROJECT"),
    ],
)
def test_wrong_arguments_give_one_message_without_traceback(sweep, arguments, words, capsys):
    arguments = [text.replace("SWEEP", str(sweep)) for text in arguments]
    assert main(["compare", *arguments]) == 1
    streams = capsys.readouterr()
    assert words in streams.err
    assert "Traceback" not in streams.err


def test_missing_and_repeated_folders_give_notes_and_the_others_a_table(sweep, tmp_path, capsys):
    assert main(["compare", str(sweep), str(tmp_path / "nowhere"), str(sweep / "0")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"{tmp_path / 'nowhere'}: there is no such folder." in out
    assert f"{sweep / '0'}: it is given more than once" in out


def test_folder_with_an_equals_sign_is_no_option(tmp_path, monkeypatch, capsys):
    write_run(tmp_path / "outputs" / "lr=0.1")
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "outputs/lr=0.1"]) == 0
    assert "1 run in 1 group" in capsys.readouterr().out


def test_five_hundred_runs_are_compared_in_seconds(tmp_path):
    """The command must take less than 5 s of CPU time, without the start of Python."""
    for i in range(500):
        folder = tmp_path / "sweep" / str(i)
        write_run(folder, seed=i // 5, loss=f"loss{i % 5}", scores=i / 500, settings={LR: i % 3})
    started = time.process_time()
    assert main(["compare", str(tmp_path)]) == 0
    assert time.process_time() - started < 5


def test_with_many_different_settings_the_table_shows_some_and_names_runs(tmp_path, capsys):
    for i in range(3):
        settings = {f"model.part_{letter}.width": 64 + i for letter in "abcdefgh"}
        write_run(tmp_path / "runs" / f"r{i}", seed=i, scores=0.5, settings=settings)
    assert main(["compare", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= 100 for line in out.splitlines())
    assert "more settings (shown by --html FILE and --json FILE)" in " ".join(out.split())
    assert "runs/r2" in out
