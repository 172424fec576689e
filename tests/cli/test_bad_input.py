"""Every likely mistake gives one clear message and a non-zero exit code, and loses nothing."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from ganlab.cli import main
from ganlab.core.load import load_module
from ganlab.record.run import write_config

pytestmark = pytest.mark.usefixtures("no_curves")

LR = "model.players.generator.optimizer.lr"
RAMP = "{_target_: ganlab.core.Ramp, start: 0, end: 1, examples: 9}"
RING = ["experiment=ring_non_saturating", "data.samples=500", "data.batch_size=16", "log_every=1"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, no_curves):
    """Folder with a finished run of four batches in `run`, a relative path in its config.yaml."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["train", *RING, "budget.batches=4", "run_dir=run"]) == 0
    return folder


@pytest.fixture
def ring_run(trained, tmp_path, monkeypatch):
    """Copy of the finished run, which a test may damage."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained / "run", tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["experiment=quickstrat"], ["experiment=quickstrat", "'quickstart'"]),
        (["mdel=dcgan"], ["mdel", "'model'"]),
        (["model=dcgn"], ["model=dcgn", "'dcgan'"]),
        (["loss=wgan_pg"], ["loss=wgan_pg", "'wgan_gp'"]),
        (["protocol=modes10"], ["protocol=modes10", "'modes10k'"]),
        (["~model"], ["model._target_: missing"]),
        (["model=null"], ["model=null", "leave it out"]),
        (["~seed"], ["'seed'", "Leave out the argument that removes the key"]),
        (["model.players.generator.optimizer.lr=-1"], ["players.generator.optimizer", "-1"]),
        (["model.players.generator.optimizer.lr=a"], ["players.generator.optimizer", "'<='"]),
        ([f"{LR}={{_target_: ganlab.core.Ramp, start: 1e-3, end: -1, examples: 9}}"], ["-1", "A"]),
        ([f"{LR}={{_target_: ganlab.core.Ramp, start: 1, end: 0, examples: -9}}"], [f"{LR}.exam"]),
        (
            [
                "regularizer=[diff_augment]",
                f"loss.regularizers.diff_augment.probability={RAMP}",
            ],
            ["loss.regularizers.diff_augment.probability: received a schedule"],
        ),
        ([f"{LR}=[1e-3,1e-4]"], ["model.players.generator.optimizer", "list"]),
        ([f"budget.examples={RAMP}"], ["budget.examples: received a schedule; needs a whole"]),
        ([f"budget.minutes={RAMP}"], ["budget.minutes: received a schedule; needs a number"]),
        ([f"data.batch_size={RAMP}"], ["data.batch_size: received a schedule"]),
        (["precision=32", "trainer.precision=bf16-mixed"], ["precision=32 and trainer.precision"]),
        (["~threads"], ["~threads", "null already"]),
        (["metrics_memory=512MB"], ["metrics_memory: received '512MB'", "such as 512MiB"]),
        (["+protocol.sampls=9"], ["protocol.sampls", "'samples'"]),
        (["~trainer"], ["trainer.accelerator: missing"]),
        (["model.generator.featurs=8"], ["model.generator", "'features'"]),
        (["+model.generator.featurs=8"], ["model.generator.featurs", "'features'"]),
        (["budget.example=8"], ["budget", "'examples'"]),
        (["seed=one"], ["seed", "'one'", "whole number"]),
        (["data.batch_size=many"], ["data.batch_size", "'many'", "whole number"]),
        (["model.players.generator.every=0"], ["every", "0", "1 or more"]),
        (["model.generator._target_=ganlab.networks.DCGAN"], ["_target_", "DCGANGenerator"]),
        (["model.generator._target_=ganlap.networks.X"], ["ganlap", "no module"]),
        (["data.size=30"], ["size", "30", "28", "32"]),
        (["data.channels=7"], ["channels", "7"]),
        (["model=cdcgan", "data=celeba64"], ["conditional", "classes"]),
        (["model=mlp"], ["data.dimensions", "model=mlp"]),
        (["data=ring"], ["data.size", "model=mlp"]),
        (
            ["loss=wgan", "+model.players.generator.optimizer.nesterov=true"],
            ["nesterov", "RMSprop"],
        ),
        (["budget.minutes=null"], ["budget", "budget.examples"]),
        (["budget=5"], ["budget: received 5", "budget.KEY"]),
        (["callbacks.evaluation=5"], ["callbacks.evaluation: received 5"]),
        (["loss.regularizers=5"], ["loss.regularizers: received 5"]),
        (["callbacks.samples=abc"], ["callbacks.samples: received 'abc'"]),
        (["model.players=5"], ["model.players: received 5"]),
        (["model.players.generator=5"], ["model.players.generator: received 5"]),
        (["model.players.generator.optimizer=5"], ["model.players.generator.optimizer: received"]),
        (["budget.minutes=-3"], ["budget.minutes", "-3"]),
        (["callbacks.ema.half_life=0"], ["half_life", "0"]),
        (["memory_format=nhwc"], ["memory_format", "nhwc", "channels_last"]),
        (["trainer=cpu", "trainer.precision=16-mixed"], ["16-mixed", "bf16-mixed"]),
        (["precision=8"], ["precision", "32-true"]),
        (["model=digit_classifier"], ["loss.adversarial", "loss=none"]),
        (
            ["+loss.regularizers.x={_target_: ganlab.losses.Hinge}"],
            ["loss.regularizers.x", "Hinge"],
        ),
        (["protocol=modes10k", "model=mlp", "data=two_moons"], ["evaluation", "TwoMoons"]),
        (["protocol=fd10k_test_mnist"], ["MNIST5k", "test split"]),
        (["protocol=accuracy"], ["accuracy", "GAN"]),
        (
            ["protocol=none", "callbacks.evaluation.every_examples=9"],
            ["callbacks.evaluation.every_examples=9", "no protocol", "protocol=NAME"],
        ),
        (
            ["model=cyclegan", "data=shapes_unpaired", "discriminator_norm=layer"],
            ["model=cyclegan does not read it", "Give model.discriminator_a.norm=layer"],
        ),
        (["model=mlp", "data=ring", "discriminator_norm=none"], ["model=mlp", "Leave this out"]),
        (["protocol=null"], ["protocol=null", "protocol=none"]),
        (["callbacks.evaluation.protocol=modes10k"], ["protocol=modes10k"]),
        (["protocol=none", "protocol.samples=9"], ["protocol.samples=9", "no settings"]),
        (["model=mlp", "data=two_moons", "protocol=two_moons"], ["there is no such protocol"]),
        (["experiment=ring_hinge", "base=ring_small"], ["base=ring_small", "leave this out"]),
        (["experiment=cyclegan_shapes", "schedule=linear_decay"], ["learning rates of its own"]),
        (["lesson=5"], ["lesson", "experiment=lecture/dirac"]),
        (["evaluation=none"], ["evaluation=none", "renamed", "Write protocol=none"]),
        (["budget={exmples: 9}"], ["'budget'", "Key 'exmples' does not exist"]),
        (["budget.images=9"], ["budget.images=9", "renamed", "Write budget.examples=9"]),
        (["experiment=features_mnist", "data=mnist_5k"], ["MNIST5k", "test split"]),
        (["callbacks.evaluation.protocol.samples=1"], ["samples", "2 or more"]),
        (["callbacks.checkpoints.monitor=frechet"], ["monitor", "'frechet_distance_digits'"]),
        (["protocol=none", "callbacks.checkpoints.monitor=modes"], ["monitor", "no scores"]),
        (
            ["experiment=features_mnist", "budget.examples=null"],
            ["optimizer.lr.examples: received None", "budget.examples"],
        ),
        (["loss=hinge,wgan"], ["loss", "ganlab train -m"]),
        (["-m", "experiment=quikstart"], ["quikstart", "'quickstart'"]),
        (["-m", "loss=hinge,wgn"], ["wgn", "'wgan'"]),
        (["-m", "model.generator.featurs=1,2"], ["'features'"]),
        (["run=outputs/x"], ["run", "resume=true"]),
        (["run=outputs/x", "resume=true"], ["outputs/x", "config.yaml"]),
        (["model=[dcgan"], ["model=[dcgan", "key=value"]),
        (["+foo=1"], ["+foo=1", "nothing reads foo"]),
        (["+dat=1"], ["+dat=1", "nothing reads dat", "'data'"]),
        (["+callbacks.mine={_target_: ganlab.callbacks.EMA}"], ["callbacks", "'mine'", "ema"]),
        (["loss=[hinge,lsgan]"], ["loss=[hinge,lsgan]", "ganlab train -m loss=hinge,lsgan"]),
        (["model=[dcgan]"], ["model=[dcgan]", "takes one choice"]),
        (
            ["experiment=dirac", "budget.examples=9"],
            ["budget.examples=9", "lesson", "leave it out"],
        ),
        (["experiment=dirac", "trainer=cpu"], ["trainer=cpu", "lesson"]),
        (["budget.minutes=nan"], ["budget.minutes: received nan"]),
        (["budget.minutes=inf"], ["budget.minutes: received inf", "finite"]),
        (["budget.minutes=nan", "dry_run=true"], ["budget.minutes: received nan"]),
        (["model.players.generator.optimizer.lr=nan"], ["optimizer.lr: received nan"]),
        (["seed=99999999999999999999"], ["seed: received 99999999999999999999", "64 bits"]),
        (["data.batch_size=99999999999999999999"], ["data.batch_size: received 9999", "64 bits"]),
        (["seed=-1"], [" seed: received -1; needs 0 …"]),
        (["seed=null"], [" seed: received None; needs 0 …"]),
        (["name=${oc.env:UNSET_IN_TESTS}"], ["name:", "'UNSET_IN_TESTS' not found", "name=…"]),
        (["run_dir=${oc.env:UNSET_IN_TESTS}"], ["run_dir:", "not found", "run_dir=…"]),
        (["name=../../x"], ["name: received '../../x'", "plain name", "run_dir=DIR"]),
        (["name=/abs"], ["name: received '/abs'", "plain name"]),
        (["name=a/../../b"], ["name: received", "plain name"]),
        (["name=''"], ["name: received ''", "plain name"]),
        (["data.size=33"], ["model.generator.size: DCGAN cannot make 33", "data.size=…"]),
        (["model.generator.latent=-1"], ["model.generator.latent: received -1"]),
        (["+loss.adversarial.smoothing=3"], ["loss.adversarial.smoothing: received 3"]),
        (["+loss.adversarial.smoothing='0.1'"], ["loss.adversarial.smoothing: received '0.1'"]),
        (["loss.adversarial={a: 1}"], ["'loss.adversarial'", "'a'"]),
        (["callbacks.samples.n=0"], ["callbacks.samples.n: received 0"]),
        (["model=dcgan", "data=folder", "data.root=/nowhere"], ["data.root", "/nowhere"]),
        (["experiment=quickstart", "data=folder"], ["data.classes", "model=dcgan"]),
        (
            ["model=pix2pix", "data=shapes", "loss=none", "model.generator.size=abc"],
            ["model.generator.size: received 'abc'"],
        ),
        (["-m", "seed=1,1"], ["seed=1,1", "has 1 twice"]),
        (["-m", "seed=1,2", "run_dir=a,b"], ["run_dir: received 'a,b'", "one folder"]),
        (["-m", "seed=1,2", "name=../x"], ["name: received '../x'", "plain name"]),
    ],
)
def test_config_mistake(arguments, words, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, printed = cli("train", *arguments)
    assert code != 0
    for word in words:
        assert word in printed
    assert "Traceback" not in printed
    assert not list(tmp_path.iterdir())  # no half-made run is left behind


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_accelerator_that_is_not_available(cli):
    code, printed = cli("validate", "trainer=gpu")
    assert code != 0
    assert "trainer=cpu" in printed


def test_unknown_command(cli):
    code, printed = cli("trian")
    assert code != 0
    assert "'train'" in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["n=0"], ["n", "1 or more"]),
        (["sed=3"], ["sed=3", "'seed'"]),
        (["labels=3"], ["labels", "unconditional"]),
        (["out=x.jpg"], ["x.jpg", ".npz"]),
        (["checkpoint=best"], ["best"]),
        (["truncation=0"], ["truncation", "0.05"]),
        (["n=99999999999"], ["n: received 99,999,999,999 samples", "1,000,000"]),
        (["seeds=99999999999999999999"], ["seeds: received 99999999999999999999", "4294967295"]),
        (["labels=99999999999999999999"], ["labels: received 99999999999999999999"]),
        (["seeds=7,4294967296"], ["seeds: received 4294967296", "4294967295"]),
        (["out=/dev/null"], ["out: /dev/null is a file; name a folder"]),
    ],
)
def test_sample_mistake(arguments, words, cli, ring_run):
    code, printed = cli("sample", f"run={ring_run}", *arguments)
    assert code != 0
    assert all(word in printed for word in words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sample", "run="], ["run: received no value"]),
        (["sample", "run=digit"], ["digit is not a run's folder", "Did you mean 'digits'?"]),
        (["report", "run=digits"], ["digits is a trained model", "ganlab sample run=digits"]),
        (["evaluate", "run=digits"], ["ganlab sample run=digits"]),
        (["train", "run=digits", "resume=true"], ["ganlab sample run=digits"]),
    ],
)
def test_no_run(arguments, words, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, printed = cli(*arguments)
    assert code != 0
    assert all(word in printed for word in words)
    assert not list(tmp_path.iterdir())


def test_batch_larger_than_the_data(cli, tmp_path):
    code, printed = cli("train", *RING, "data.samples=8", f"run_dir={tmp_path / 'run'}")
    assert code != 0
    assert "16" in printed
    assert "8" in printed
    assert not (tmp_path / "run").exists()


def test_data_root_without_the_files(cli, tmp_path):
    arguments = ["data=mnist", f"data.root={tmp_path}", "data.download=false"]
    code, printed = cli("train", *arguments, f"run_dir={tmp_path / 'run'}")
    assert code != 0
    assert "train-images-idx3-ubyte" in printed
    assert "missing" in printed


def test_finished_run(cli, ring_run):
    code, printed = cli("train", f"run={ring_run}", "resume=true")
    assert code != 0
    assert "has finished" in printed
    assert "budget." in printed


def test_budget_that_a_finished_run_has_used_already(cli, ring_run):
    """A budget in another unit is compared with what was trained, not with the old budget."""
    code, printed = cli("train", f"run={ring_run}", "resume=true", "budget.examples=64")
    assert code != 0
    assert "has finished (64 examples" in printed
    code, printed = cli("train", f"run={ring_run}", "resume=true", "budget.minutes=1e-4")
    assert code != 0
    assert "budget.minutes: received 0.0001, but the run has been trained for" in printed
    assert "Give a longer budget, e.g. budget.minutes=" in printed
    code, printed = cli("train", f"run={ring_run}", "resume=true", "budget.examples=80")
    assert code == 0
    assert "Resuming after 64 examples. No longer in force: budget.batches=4" in printed


def test_resume_into_a_changed_config(cli, ring_run):
    code, printed = cli("train", f"run={ring_run}", "resume=true", "model.generator.latent=3")
    assert code != 0
    assert "model.generator.latent: 16 → 3" in printed
    code, printed = cli(
        "train", *RING, "budget.batches=9", "seed=5", f"run_dir={ring_run}", "resume=true"
    )
    assert code != 0
    assert "seed: 0 → 5" in printed


@pytest.mark.parametrize("budget", ["budget.examples=abc", "budget.examples=[", "budget=null"])
def test_resume_with_a_bad_value(budget, cli, ring_run):
    code, printed = cli("train", f"run={ring_run}", "resume=true", budget)
    assert code != 0
    assert "budget" in printed


def test_run_that_was_moved(cli, ring_run, tmp_path):
    """The run is resumed in its new folder; nothing is written to its old folder."""
    moved = ring_run.rename(tmp_path / "moved")
    code, printed = cli("train", f"run={moved}", "resume=true", "budget.batches=6")
    assert code == 0, printed
    assert not ring_run.exists()
    assert load_module(moved).batches_seen == 6
    assert (moved / "metrics.csv").read_text().count("\n") == 7


def test_regularizer_that_an_experiment_tunes_can_be_left_out(cli):
    assert cli("validate", "experiment=quickstart", "regularizer=[]")[0] == 0
    assert cli("validate", "experiment=ring_wgan_gp", "loss=hinge")[0] == 0


def test_folder_that_holds_a_run(cli, ring_run):
    before = (ring_run / "run.json").read_bytes()
    code, printed = cli("train", *RING, "budget.batches=4", f"run_dir={ring_run}")
    assert code != 0
    assert "resume=true" in printed
    assert (ring_run / "run.json").read_bytes() == before


def test_folder_that_another_process_writes(cli, ring_run):
    hold = (
        "import sys, time; from pathlib import Path; from ganlab.record.run import RunRecord; "
        f"r = RunRecord(Path({str(ring_run)!r})); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline().strip() == "held"
        code, printed = cli("train", f"run={ring_run}", "resume=true", "budget.batches=6")
    finally:
        holder.kill()
        holder.wait()
    assert code != 0
    assert "another process" in printed


def test_checkpoint_cut_short(cli, ring_run):
    """The previous checkpoint is used, and the run continues to its end."""
    code, printed = cli("train", f"run={ring_run}", "resume=true", "budget.batches=6")
    assert code == 0, printed
    last = ring_run / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.warns(UserWarning, match="cut short"):
        assert load_module(ring_run).batches_seen == 4
    code, printed = cli("train", f"run={ring_run}", "resume=true", "budget.batches=8")
    assert code == 0, printed
    assert "last.ckpt is damaged" in printed
    assert load_module(ring_run).batches_seen == 8


def test_resuming_from_a_checkpoint_of_another_model_is_refused(cli, ring_run, tmp_path):
    other = tmp_path / "other"
    arguments = [*RING, "model.generator.hidden=[8]", "budget.batches=2", f"run_dir={other}"]
    assert cli("train", *arguments)[0] == 0
    last = ring_run / "checkpoints" / "last.ckpt"
    last.write_bytes((other / "checkpoints" / "last.ckpt").read_bytes())
    code, printed = cli("train", f"run={ring_run}", "resume=true", "budget.batches=6")
    assert code != 0
    assert "another model" in printed
    assert "hidden" in printed


def test_loss_that_is_not_finite(cli, tmp_path):
    """The message names term, player and batch; a checkpoint and samples are written."""
    folder = tmp_path / "run"
    arguments = ["loss=lsgan", "model.players.discriminator.optimizer.lr=1e30", "budget.batches=50"]
    code, printed = cli("train", *RING, *arguments, f"run_dir={folder}")
    assert code != 0
    assert "'adversarial'" in printed
    assert "discriminator" in printed or "generator" in printed
    assert "batch" in printed
    assert (folder / "checkpoints" / "failed.ckpt").exists()
    assert list((folder / "samples").glob("*.png"))
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "failed"
    assert "NonFiniteLossError" in record["error"]


def test_folder_that_cannot_be_made(cli, tmp_path):
    """The path is below a file, so that even root cannot make the folder."""
    (tmp_path / "file").write_text("")
    code, printed = cli("train", *RING, "budget.batches=2", f"run_dir={tmp_path / 'file' / 'run'}")
    assert code != 0
    assert "cannot be written" in printed


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounting needs root")
def test_full_disk(cli, tmp_path):
    """Training stops with a message; the checkpoint that was saved before stays valid."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], check=False)
    if mounted.returncode:
        pytest.skip("tmpfs cannot be mounted here")
    folder = disk / "run"
    try:
        cadence = ["callbacks.checkpoints.every_examples=16", "callbacks.checkpoints.keep_every=16"]
        code, printed = cli("train", *RING, *cadence, "budget.batches=200", f"run_dir={folder}")
        assert code != 0
        assert "cannot be written" in printed
        assert "Traceback" not in printed
        assert load_module(folder).batches_seen >= 1
        assert not list(Path(folder).rglob("*.part"))
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_folder_with_the_users_own_files_is_refused(tmp_path, cli):
    (tmp_path / "config.yaml").write_text("mine: 1\n")
    code, printed = cli("train", *RING, "budget.batches=2", f"run_dir={tmp_path}")
    assert code == 1
    assert "holds config.yaml" in printed
    assert (tmp_path / "config.yaml").read_text() == "mine: 1\n"


def test_sampling_from_a_checkpoint_of_another_model_is_refused(tmp_path, cli, ring_run):
    other = tmp_path / "other"
    small = ["model.generator.hidden=[8]", "budget.batches=2", f"run_dir={other}"]
    assert cli("train", *RING, *small)[0] == 0
    code, printed = cli("sample", f"run={ring_run}", f"checkpoint={other}/checkpoints/last.ckpt")
    assert code == 1
    assert "belongs to another model" in printed


def test_a_checkpoint_that_holds_code_is_not_read(tmp_path, cli, ring_run):
    path = tmp_path / "code.ckpt"
    torch.save({"ganlab": Path("/")}, path)  # a class that is no plain container
    code, printed = cli("sample", f"run={ring_run}", f"checkpoint={path}")
    assert code == 1
    assert "could run its code" in printed
    assert "weights_only" not in printed


def test_a_setting_that_is_given_twice_is_named(cli):
    code, err = cli("validate", *RING, "seed=1", "seed=2")
    assert (code, err.splitlines()[0]) == (0, "ganlab: seed is given twice; seed=2 counts.")


def test_a_run_is_not_written_where_compare_would_not_find_it(tmp_path, cli, ring_run):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "sweep.json").write_text("{}")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / ".study").write_text("")
    places = {"sweep": "holds a sweep", "study": "holds a sweep", "run/inner": "is inside the run"}
    for place, words in places.items():
        code, printed = cli("train", *RING, "budget.batches=2", f"run_dir={place}")
        assert (code, words in printed) == (1, True), printed
        assert not (tmp_path / place / "run.json").exists()


@pytest.mark.parametrize("has_figure", [True, False])
@pytest.mark.parametrize(
    "command",
    ["doctor", "sample", "evaluate", "export format=pth", "translate input=x.png output=x"],
)
def test_commands_for_models_say_that_a_run_is_a_lesson(
    command, has_figure, tmp_path, cli, monkeypatch
):
    folder = tmp_path / "lesson"
    config = {
        "name": "dirac",
        "choices": {"experiment": "dirac"},
        "lesson": {"_target_": "ganlab.lectures.dirac.lesson"},
    }
    write_config(folder, config)
    (folder / "run.json").write_text('{"status": "finished", "name": "dirac"}')
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (32, 32)).save("x.png")
    if has_figure:
        (folder / "figure.png").write_bytes(b"")
    name, *arguments = command.split()
    code, printed = cli(name, f"run={folder}", *arguments)
    assert code == 1
    advice = f"Look at {folder / 'figure.png'}." if has_figure else "ganlab train experiment=dirac."
    assert f"run: {folder} holds a lesson, which trains no model." in printed
    assert advice in printed


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("evaluate run=run evaluation=none", "renamed. Write protocol=none"),
        ("sweep resume run budget.images=5", "budget.images=5: sweep resume takes folders and"),
        ("data check . out=x.txt", "out: received x.txt; needs a name that ends in .png"),
        ("data check ~nosuchuser/x", "~nosuchuser/x"),
        ("sample run=run n=1000000000000", "at most 1,000,000 in all"),
        (f"sample run=run checkpoint={'x' * 300}", "File name too long. Give a shorter name."),
        (f"train experiment=ring_hinge run_dir={'x' * 300}", "Give a shorter name."),
    ],
)
def test_argument_mistake(command, words, cli, ring_run):
    code, printed = cli(*command.split())
    assert code == 1
    assert words in printed


@pytest.mark.parametrize("name", ["run.json", "config.yaml", "metrics.csv", "scores.json", "."])
@pytest.mark.parametrize(
    "command",
    [
        *("doctor run=run", "report run=run", "compare run", "sample run=run", "evaluate run=run"),
        "train run=run",
    ],
)
def test_unreadable_files_give_no_trace(command, name, cli, ring_run, monkeypatch):
    """As for a user who may not read them; root, who runs the tests in a container, may."""
    denied = os.path.abspath(ring_run / name)
    (ring_run / "scores.json").write_text('{"evaluations": []}')

    def deny(function):
        def called(path, *arguments, **options):
            full = os.path.abspath(path) if isinstance(path, (str, Path)) else ""
            if full.startswith(f"{denied}/") if name == "." else full == denied:
                raise PermissionError(13, "Permission denied", str(path))
            return function(path, *arguments, **options)

        return called

    for module, function in ((io, "open"), (os, "stat"), (os, "lstat"), (os, "scandir")):
        monkeypatch.setattr(module, function, deny(getattr(module, function)))
    arguments = command.split() + ["resume=true"] * command.startswith("train")
    _, printed = cli(*arguments)
    assert "Traceback" not in printed
    if name == "run.json" and "sample" not in command and "evaluate" not in command:
        assert "Permission denied" in printed
