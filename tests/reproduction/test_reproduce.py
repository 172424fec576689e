"""`ganlab reproduce`: training, scoring and verdict, with interruptions and mistakes."""

import json
import math

import pytest

from ganlab.cli import main
from ganlab.cli.reproduce import ARGUMENTS
from ganlab.errors import ConfigError
from ganlab.record.run import RunRecord
from ganlab.reproduction import seeds
from ganlab.reproduction.ledger import baseline_named
from ganlab.reproduction.seed_run import SeedRun

pytestmark = pytest.mark.usefixtures("no_curves")

TINY = [
    "trainer=cpu",
    "data.samples=200",
    "data.batch_size=8",
    "model.generator.hidden=[8]",
    "model.discriminator.hidden=[8]",
    "callbacks.progress.enabled=false",
    "callbacks.samples.every_examples=null",
    "protocol.samples=100",
]
NAME = "ring_wgan_gp"


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def call(*argv):
        code = main(["reproduce", *map(str, argv)])
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return call


@pytest.fixture
def trained(monkeypatch):
    """List of the names of the trained folders; run 1 raises the exception in `trained.fail`."""

    class Trained(list):
        fail = None

    seen, real = Trained(), seeds.run_planned

    def run_planned(folder, *arguments, **options):
        if seen.fail and folder.name == "1":
            raise seen.fail
        seen.append(folder.name)
        return real(folder, *arguments, **options)

    monkeypatch.setattr(seeds, "run_planned", run_planned)
    return seen


def read(folder, name="verdict.json"):
    return json.loads((folder / name).read_text())


def test_scaled_reproduction_is_marked_everywhere_and_gets_no_verdict(cli, tmp_path):
    code, printed, _ = cli(NAME, "--scale", "0.0005", *TINY)
    assert code == 0
    assert "scaled to 0.05 %: no verdict" in printed
    (folder,) = (tmp_path / "outputs" / "reproduce" / NAME).iterdir()
    verdict, run = read(folder), read(folder / "0", "run.json")
    assert verdict["verdict"] == "no verdict"
    assert verdict["scale"] == 0.0005
    assert run["counters"]["batches_seen"] == 10  # 20,000 × 0.0005
    assert run["name"] == f"{NAME}_scaled_0.0005"
    assert run["baseline"]["scale"] == 0.0005
    assert run["sweep"]["name"] == f"reproduce/{NAME}"
    code, printed, _ = cli("list")
    assert code == 0
    assert f"\n{NAME} " in printed


def test_verdict_file_holds_all_settings_and_names_changes_of_the_recipe(cli, tmp_path):
    _, printed, _ = cli(NAME, f"out={tmp_path / 'r'}", "--seeds=5,7", "budget.batches=10", *TINY)
    verdict = read(tmp_path / "r")
    assert verdict["verdict"] == "not comparable"
    assert "budget.batches: 20000 → 10" in verdict["changed"]
    assert any("protocol.samples=100" in text for text in verdict["changed"])
    assert "not comparable: " in printed
    assert verdict["command"][:3] == ["ganlab", "reproduce", NAME]
    assert verdict["overrides"] == ["budget.batches=10", *TINY[:-1], TINY[-1], TINY[-1]]
    assert verdict["seeds"] == [5, 7]
    assert verdict["mean"] == pytest.approx(sum(verdict["values"]) / 2)
    assert len(verdict["data_hash"]) == 16
    assert read(tmp_path / "r", "sweep.json")["data_hash"] == verdict["data_hash"]
    for run, seed in zip(verdict["runs"], (5, 7), strict=True):
        assert run["seed"] == seed
        assert {"torch", "ganlab"} <= set(run["versions"])
        assert run["score"]["protocol"]["generated_samples"] == 100
        assert run["hardware"]["cpu_cores"]
        assert (tmp_path / "r" / run["config"]).exists()


def test_interrupted_reproduction_can_be_resumed(cli, trained, tmp_path):
    """Finished seeds are neither trained nor scored again, and further seeds can be added."""
    folder = tmp_path / "r"
    trained.fail = KeyboardInterrupt()
    code, _, error = cli(NAME, "--seeds", "2", f"out={folder}", "budget.batches=10", *TINY)
    assert code == 130
    assert f"ganlab reproduce {NAME} out={folder}" in error
    assert not (folder / "verdict.json").exists()
    trained.fail = None
    assert cli(NAME, f"out={folder}")[0] == 0
    assert trained == ["0", "1"]
    before = read(folder)
    assert cli(NAME, f"out={folder}")[0] == 0
    assert trained == ["0", "1"]
    assert read(folder)["runs"] == before["runs"]
    assert cli(NAME, f"out={folder}", "--seeds=3")[0] == 0
    assert trained == ["0", "1", "2"]
    assert read(folder)["seeds"] == [0, 1, 2]
    assert read(folder)["values"][:2] == before["values"]


def test_resuming_with_other_settings_is_refused(cli, tmp_path):
    folder = tmp_path / "r"
    assert cli(NAME, f"out={folder}", "budget.batches=10", *TINY)[0] == 0
    for other in ("budget.batches=20", "scale=0.5"):
        code, _, error = cli(NAME, f"out={folder}", other)
        assert code == 1
        assert "was started with" in error
    code, _, error = cli("ring_wgan", f"out={folder}")
    assert code == 1
    assert f"holds {NAME}, not a reproduction of ring_wgan" in error


def test_failed_seed_is_recorded_as_missing(cli, trained, tmp_path, monkeypatch):
    folder = tmp_path / "r"

    def fails(path, **_):
        RunRecord(path).end("failed", "DataError: the disk is gone")

    monkeypatch.setattr(seeds, "run_planned", fails)
    code, _, error = cli(NAME, f"out={folder}", "budget.batches=10", *TINY)
    assert code == 1
    assert read(folder)["missing"] == ["seed 0 is failed: DataError: the disk is gone"]
    assert f"ganlab reproduce {NAME} out={folder}" in error


def test_scores_are_taken_once(cli, tmp_path, monkeypatch):
    """During training, or after training if the run has no evaluation; never twice."""
    calls, real = [], seeds.evaluate_run

    def evaluate_run(*arguments, **options):
        calls.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(seeds, "evaluate_run", evaluate_run)
    assert cli(NAME, f"out={tmp_path / 'a'}", "budget.batches=10", *TINY)[0] == 0
    assert not calls  # the evaluation during training uses the baseline's protocol
    rest = ["callbacks.evaluation=null", *TINY[:-1]]
    for _ in range(2):
        assert cli(NAME, f"out={tmp_path / 'b'}", "budget.batches=10", *rest)[0] == 0
        assert len(calls) == 1
    assert read(tmp_path / "b")["runs"][0]["score"]["protocol"]["generated_samples"] == 10_000


def test_diverged_run_counts_as_trained_and_scored(tmp_path):
    """A run that failed with a non-finite loss is neither trained nor scored again."""
    record = {"status": "failed", "error": "NonFiniteLossError: discriminator/loss at step 3"}
    (tmp_path / "run.json").write_text(json.dumps(record))
    run = SeedRun(tmp_path, 0, baseline_named(NAME), {"name": "modes10k"})
    assert run.is_trained
    assert run.is_scored
    assert run.score() is None
    (tmp_path / "run.json").write_text(json.dumps(record | {"error": "DataError: x"}))
    assert not run.is_trained


def test_run_that_was_trained_with_other_settings_is_not_comparable(cli, tmp_path):
    """The configurations of the runs count, including their seeds, not the command's overrides."""
    folder = tmp_path / "r"
    assert cli(NAME, f"out={folder}", "--seeds=0,1", "budget.batches=10", *TINY)[0] == 0
    assert read(folder)["recipe_hash"]
    assert not [text for text in read(folder)["changed"] if text.startswith("seed ")]
    assert main(["train", f"run={folder / '1'}", "resume=true", "budget.batches=12"]) == 0
    path = folder / "0" / "config.yaml"
    path.write_text(path.read_text().replace("\nseed: 0\n", "\nseed: 3\n"))
    assert cli(NAME, f"out={folder}")[0] == 0
    verdict = read(folder)
    assert verdict["verdict"] == "not comparable"
    run_changes = [text for text in verdict["changed"] if text.startswith("seed ")]
    assert run_changes == ["seed 0: seed: 0 → 3", "seed 1: budget.batches: 10 → 12"]
    assert verdict["recipe_hash"] is None


def test_scores_of_evaluate_do_not_count(cli, tmp_path):
    """`ganlab evaluate` may use other data or latents with the same protocol."""
    folder = tmp_path / "r"
    assert (
        cli(NAME, f"out={folder}", "budget.batches=10", "callbacks.evaluation=null", *TINY[:-1])[0]
        == 0
    )
    (value,) = read(folder)["values"]
    path = folder / "0" / "scores.json"
    foreign = json.loads(path.read_text())
    for entry in foreign["evaluations"]:
        for score in entry["scores"].values():
            score["value"] = 0.123
    path.write_text(json.dumps(foreign))
    (folder / "0" / "reproduction.json").unlink()
    assert cli(NAME, f"out={folder}")[0] == 0
    assert read(folder)["values"] == [value]


def test_failed_evaluation_is_reported_and_the_other_seeds_are_scored(cli, tmp_path, monkeypatch):
    """A score of NaN counts as diverged."""
    real = seeds.evaluate_run

    def evaluate_run(folder, *arguments, **options):
        if folder.name == "0":
            raise ConfigError("protocol: no such weights.")
        entry = real(folder, *arguments, **options)
        entry["scores"]["high_quality"]["value"] = math.nan
        return entry

    monkeypatch.setattr(seeds, "evaluate_run", evaluate_run)
    rest = ["budget.batches=10", "callbacks.evaluation=null", *TINY[:-1]]
    code, printed, _ = cli(NAME, f"out={tmp_path / 'r'}", "--seeds=2", *rest)
    assert code == 1
    verdict = read(tmp_path / "r")
    assert verdict["missing"] == ["seed 0 could not be scored: protocol: no such weights."]
    assert verdict["values"] == [None]
    assert verdict["mean"] is None
    assert verdict["runs"][1]["score"]["value"] is None
    assert "1 of 1 diverged" in printed


def test_dry_run_describes_the_scaled_run_and_writes_nothing(cli, tmp_path):
    code, printed, _ = cli(NAME, "dry_run=true", "--scale=0.001", "--seeds=2", *TINY)
    assert code == 0
    assert f"{NAME}, scaled to 0.1 %, seeds 0, 1. Each seed:" in printed
    assert "20 batches" in printed
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("name", ["2026", "a(1),b=c"])
def test_folders_may_have_any_name(cli, tmp_path, name):
    assert cli(NAME, f"out={name}", "--scale=0.0005", *TINY)[0] == 0
    assert read(tmp_path / name)["verdict"] == "no verdict"


@pytest.mark.parametrize("content", ["[]", "{", "SEEDS"])
def test_damaged_plans_are_named(cli, tmp_path, content):
    bad = {"jobs": [{"overrides": []}], "kind": "reproduce", "experiment": NAME, "seeds": 3}
    (tmp_path / "sweep.json").write_text(content.replace("SEEDS", json.dumps(bad)))
    code, _, error = cli(NAME, f"out={tmp_path}", *TINY)
    assert code == 1
    assert "sweep.json is damaged" in error


def test_missing_data_and_weights_are_reported_together_before_training(cli, tmp_path):
    code, _, error = cli(
        "wgan_gp_cifar10",
        "trainer=cpu",
        f"data.root={tmp_path}",
        "data.download=false",
        f"features.weights={tmp_path / 'inception.pth'}",
    )
    assert code == 1
    assert "no complete CIFAR-10 under" in error
    assert f"{tmp_path / 'inception.pth'} cannot be read" in error
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["wgan_gp_cifa"], "Did you mean 'wgan_gp_cifar10'?"),
        (["ring_hinge"], "'ring_hinge' has no baseline"),
        ([NAME, "quickstart"], "give the name of one experiment, or the word list"),
        ([NAME, "--seeds", "x"], "seeds: received 'x'"),
        ([NAME, "--seeds", "0"], "seeds: received 0"),
        ([NAME, "--seeds", "1,1"], "different whole numbers"),
        ([NAME, "--scale", "2"], "scale: received 2"),
        ([NAME, "seed=3"], "whose arguments are seeds="),
        ([NAME, "++seed=3"], "whose arguments are seeds="),
        ([NAME, "+name=x"], "is set by ganlab reproduce"),
        ([NAME, "resume=true"], "is set by ganlab reproduce"),
        ([NAME, "++dry_run=true"], "dry_run=true"),
        ([NAME, "out=/etc/passwd"], "out: /etc/passwd is a file"),
        ([NAME, "protocol=accuracy"], "the baseline's protocol is modes10k"),
        ([NAME, "bugdet.batches=1"], "Did you mean 'budget'?"),
        (["list", "--scale", "0.1"], "takes no arguments"),
    ],
)
def test_mistakes(cli, tmp_path, argv, message):
    code, _, error = cli(*argv)
    assert code == 1
    assert message in error
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3", [0, 1, 2]), ("[3]", [0, 1, 2]), ("7,", [7]), ("7, ", [7]), ("[0, 2]", [0, 2])],
)
def test_seeds_can_be_a_number_or_a_list(text, expected):
    assert ARGUMENTS["seeds"].parse(text) == expected
