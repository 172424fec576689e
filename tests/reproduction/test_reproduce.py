"""`ganlab reproduce`: from the name to the verdict, with interruptions and mistakes."""

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
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def trained(monkeypatch):
    """The folders that are trained, in order; put an exception in `trained.fail` to be raised."""

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


def test_scaled_is_marked_everywhere_and_gets_no_verdict(cli, tmp_path):
    code, said, _ = cli(NAME, "--scale", "0.0005", *TINY)
    assert code == 0
    assert "scaled to 0.05 %: no verdict" in said
    (folder,) = (tmp_path / "outputs" / "reproduce" / NAME).iterdir()
    verdict, run = read(folder), read(folder / "0", "run.json")
    assert verdict["verdict"] == "no verdict"
    assert verdict["scale"] == 0.0005
    assert run["counters"]["batches_seen"] == 10  # 20,000 × 0.0005
    assert run["name"] == f"{NAME}_scaled_0.0005"
    assert run["baseline"]["scale"] == 0.0005
    assert run["sweep"]["name"] == f"reproduce/{NAME}"
    code, said, _ = cli("list")
    assert code == 0
    assert f"\n{NAME} " in said


def test_record_is_enough_to_repeat_it(cli, tmp_path):
    """And a changed recipe is told apart, by name."""
    _, said, _ = cli(NAME, f"out={tmp_path / 'r'}", "--seeds=5,7", "budget.batches=10", *TINY)
    verdict = read(tmp_path / "r")
    assert verdict["verdict"] == "not comparable"
    assert "budget.batches: 20000 → 10" in verdict["changed"]
    assert any("protocol.samples=100" in text for text in verdict["changed"])
    assert "not comparable: " in said
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


def test_goes_on_after_an_interruption(cli, trained, tmp_path):
    """Finished seeds are not trained again, nor scored, and further seeds can be asked for."""
    folder = tmp_path / "r"
    trained.fail = KeyboardInterrupt()
    code, _, complaint = cli(NAME, "--seeds", "2", f"out={folder}", "budget.batches=10", *TINY)
    assert code == 130
    assert f"ganlab reproduce {NAME} out={folder}" in complaint
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


def test_goes_on_as_it_began(cli, tmp_path):
    folder = tmp_path / "r"
    assert cli(NAME, f"out={folder}", "budget.batches=10", *TINY)[0] == 0
    for other in ("budget.batches=20", "scale=0.5"):
        code, _, complaint = cli(NAME, f"out={folder}", other)
        assert code == 1
        assert "was begun with" in complaint
    code, _, complaint = cli("ring_wgan", f"out={folder}")
    assert code == 1
    assert f"holds {NAME}, not a reproduction of ring_wgan" in complaint


def test_a_failed_seed_leaves_no_verdict(cli, trained, tmp_path, monkeypatch):
    folder = tmp_path / "r"

    def fails(path, *_):
        RunRecord(path).end("failed", "DataError: the disk is gone")

    monkeypatch.setattr(seeds, "run_planned", fails)
    code, _, complaint = cli(NAME, f"out={folder}", "budget.batches=10", *TINY)
    assert code == 1
    assert read(folder)["missing"] == ["seed 0 is failed: DataError: the disk is gone"]
    assert f"ganlab reproduce {NAME} out={folder}" in complaint


def test_scores_are_taken_once(cli, tmp_path, monkeypatch):
    """After training where that has not taken them; never twice."""
    calls, real = [], seeds.evaluate_run

    def evaluate_run(*arguments):
        calls.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(seeds, "evaluate_run", evaluate_run)
    assert cli(NAME, f"out={tmp_path / 'a'}", "budget.batches=10", *TINY)[0] == 0
    assert not calls  # the experiment's own evaluation is by the baseline's protocol
    rest = ["callbacks.evaluation=null", *TINY[:-1]]
    for _ in range(2):
        assert cli(NAME, f"out={tmp_path / 'b'}", "budget.batches=10", *rest)[0] == 0
        assert len(calls) == 1
    assert read(tmp_path / "b")["runs"][0]["score"]["protocol"]["generated_samples"] == 10_000


def test_divergence_is_a_result(tmp_path):
    """A run that ended with a loss that is not finite is neither trained nor scored again."""
    record = {"status": "failed", "error": "NonFiniteLossError: discriminator/loss at step 3"}
    (tmp_path / "run.json").write_text(json.dumps(record))
    run = SeedRun(tmp_path, 0, baseline_named(NAME), {"name": "modes10k"})
    assert run.is_trained
    assert run.is_scored
    assert run.score() is None
    (tmp_path / "run.json").write_text(json.dumps(record | {"error": "DataError: x"}))
    assert not run.is_trained


def test_a_run_of_another_recipe_is_not_comparable(cli, tmp_path):
    """Nor one of another seed: what counts is how each run was trained, not what is asked now."""
    folder = tmp_path / "r"
    few = ["budget.batches=10", *TINY]
    assert cli(NAME, f"out={folder}", "--seeds=0,1", *few)[0] == 0
    assert read(folder)["recipe_hash"]
    assert not [text for text in read(folder)["changed"] if text.startswith("seed ")]
    assert main(["train", f"run={folder / '1'}", "resume=true", "budget.batches=12"]) == 0
    path = folder / "0" / "config.yaml"
    path.write_text(path.read_text().replace("\nseed: 0\n", "\nseed: 3\n"))
    assert cli(NAME, f"out={folder}")[0] == 0
    verdict = read(folder)
    assert verdict["verdict"] == "not comparable"
    of_runs = [text for text in verdict["changed"] if text.startswith("seed ")]
    assert of_runs == ["seed 0: seed: 0 → 3", "seed 1: budget.batches: 10 → 12"]
    assert verdict["recipe_hash"] is None


def test_scores_that_a_user_has_taken_do_not_count(cli, tmp_path):
    """`ganlab evaluate` may have had other data or latents, under the same protocol's name."""
    folder = tmp_path / "r"
    assert (
        cli(NAME, f"out={folder}", "budget.batches=10", "callbacks.evaluation=null", *TINY[:-1])[0]
        == 0
    )
    (own,) = read(folder)["values"]
    path = folder / "0" / "scores.json"
    foreign = json.loads(path.read_text())
    for entry in foreign["evaluations"]:
        for score in entry["scores"].values():
            score["value"] = 0.123
    path.write_text(json.dumps(foreign))
    (folder / "0" / "reproduction.json").unlink()
    assert cli(NAME, f"out={folder}")[0] == 0
    assert read(folder)["values"] == [own]


def test_a_score_that_cannot_be_taken_is_named(cli, tmp_path, monkeypatch):
    """The others are taken all the same; one that is no number counts as diverged."""
    real = seeds.evaluate_run

    def evaluate_run(folder, *arguments):
        if folder.name == "0":
            raise ConfigError("protocol: no such weights.")
        entry = real(folder, *arguments)
        entry["scores"]["high_quality"]["value"] = math.nan
        return entry

    monkeypatch.setattr(seeds, "evaluate_run", evaluate_run)
    rest = ["budget.batches=10", "callbacks.evaluation=null", *TINY[:-1]]
    code, said, _ = cli(NAME, f"out={tmp_path / 'r'}", "--seeds=2", *rest)
    assert code == 1
    verdict = read(tmp_path / "r")
    assert verdict["missing"] == ["seed 0 could not be scored: protocol: no such weights."]
    assert verdict["values"] == [None]
    assert verdict["mean"] is None
    assert verdict["runs"][1]["score"]["value"] is None
    assert "1 of 1 diverged" in said


def test_dry_run_leaves_nothing(cli, tmp_path):
    """It says what a shortened run would do."""
    code, said, _ = cli(NAME, "dry_run=true", "--scale=0.001", "--seeds=2", *TINY)
    assert code == 0
    assert f"{NAME}, scaled to 0.1 %, seeds 0, 1. Each seed:" in said
    assert "20 batches" in said
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("name", ["2026", "a(1),b=c"])
def test_folders_may_have_any_name(cli, tmp_path, name):
    assert cli(NAME, f"out={name}", "--scale=0.0005", *TINY)[0] == 0
    assert read(tmp_path / name)["verdict"] == "no verdict"


@pytest.mark.parametrize("content", ["[]", "{", "SEEDS"])
def test_damaged_plans_are_named(cli, tmp_path, content):
    bad = {"jobs": [{"overrides": []}], "kind": "reproduce", "experiment": NAME, "seeds": 3}
    (tmp_path / "sweep.json").write_text(content.replace("SEEDS", json.dumps(bad)))
    code, _, complaint = cli(NAME, f"out={tmp_path}", *TINY)
    assert code == 1
    assert "sweep.json is damaged" in complaint


def test_all_that_is_missing_is_said_before_anything_trains(cli, tmp_path):
    code, _, complaint = cli(
        "wgan_gp_cifar10",
        "trainer=cpu",
        f"data.root={tmp_path}",
        "data.download=false",
        f"features.weights={tmp_path / 'inception.pth'}",
    )
    assert code == 1
    assert "no complete CIFAR-10 under" in complaint
    assert f"{tmp_path / 'inception.pth'} cannot be read" in complaint
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["wgan_gp_cifa"], "Did you mean 'wgan_gp_cifar10'?"),
        (["ring_hinge"], "'ring_hinge' has no baseline"),
        ([NAME, "quickstart"], "give the name of one experiment, or list"),
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
def test_mistakes(cli, tmp_path, argv, said):
    code, _, complaint = cli(*argv)
    assert code == 1
    assert said in complaint
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("text", "found"),
    [("3", [0, 1, 2]), ("[3]", [0, 1, 2]), ("7,", [7]), ("7, ", [7]), ("[0, 2]", [0, 2])],
)
def test_seeds_are_a_number_of_them_or_themselves(text, found):
    assert ARGUMENTS["seeds"].parse(text) == found
