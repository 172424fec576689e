"""`ganlab evaluate`: scores of a run and of two folders, and messages for likely mistakes."""

import json

import pytest
import torch

from ganlab.cli import main
from ganlab.metrics import SampleProtocol
from ganlab.modalities.grid import save_png
from ganlab.record.old_names import SEEN

pytestmark = pytest.mark.usefixtures("no_curves")

RUN = [
    "model=cgan",
    "data=mnist_5k",
    "model.generator.network.hidden=[8]",
    "model.discriminator.network.hidden=[8]",
    "budget.batches=2",
    "protocol=none",
    "callbacks.progress.enabled=false",
    "trainer=cpu",
]
SMALL = ["protocol.samples=300", "protocol.real_samples=300"]


@pytest.fixture(scope="module")
def run(tmp_path_factory, no_curves):
    """Folder of a finished run of a conditional model, trained with protocol=none."""
    folder = tmp_path_factory.mktemp("evaluate") / "run"
    assert main(["train", *RUN, f"run_dir={folder}"]) == 0
    return folder


@pytest.fixture
def cli(capsys):
    """Function that runs the command; returns its exit code, stdout and stderr."""

    def call(*argv):
        code = main(["evaluate", *map(str, argv)])
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return call


def images(folder, n=120, size=(28, 28), channels=1, seed=0):
    """Write `n` random images, and return the folder."""
    pixels = torch.randint(
        256, (n, channels, *size), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8
    )
    for index, image in enumerate(pixels):
        save_png(image, folder / f"{index:03}.png")
    return folder


def read(path):
    return json.loads((path / "scores.json").read_text())["evaluations"]


def test_run_is_scored_and_a_repeated_protocol_replaces_its_entry(cli, run):
    """Scores are printed and written with their protocol; other settings add an entry."""
    (run / "scores.json").unlink(missing_ok=True)
    arguments = [f"run={run}", "protocol=fd5k_train_mnist_5k", *SMALL]
    code, printed, _ = cli(*arguments)
    assert code == 0
    assert "frechet_distance_digits" in printed
    assert str(run / "scores.json") in printed
    (entry,) = read(run)
    score = entry["scores"]["frechet_distance_digits"]
    assert score["protocol"]["generated_samples"] == 300
    assert score["protocol"]["weights"] == "ema"
    assert entry["checkpoint"] == "last"
    assert entry[SEEN] == 128
    assert cli(*arguments)[0] == 0
    (repeated,) = read(run)
    assert repeated["scores"] == entry["scores"]
    assert cli(*arguments, "protocol.ema=false")[0] == 0
    assert len(read(run)) == 2
    assert entry["protocol"] == "fd5k_train_mnist_5k (changed)"


def test_metric_setting_that_the_protocol_file_does_not_name(cli, run, tmp_path):
    arguments = [
        "protocol=folders_digits",
        *SMALL,
        "protocol.metrics.kernel_distance.subset_size=50",
    ]
    code, _, error = cli(f"run={run}", *arguments, f"out={tmp_path / 'scores.json'}")
    assert code == 0, error
    score = read(tmp_path)[0]["scores"]["kernel_distance_digits"]
    assert score["protocol"]["subset_size"] == 50


def test_the_bound_of_memory_is_no_part_of_a_score(cli, run, tmp_path, monkeypatch):
    bounds = []
    evaluate = SampleProtocol.evaluate

    def recorded(self, module, data, work):
        bounds.append(work.memory)
        return evaluate(self, module, data, work)

    monkeypatch.setattr(SampleProtocol, "evaluate", recorded)
    for size in ("64MiB", "2GiB"):
        arguments = ["protocol=fd5k_train_mnist_5k", *SMALL, f"metrics_memory={size}"]
        assert cli(f"run={run}", *arguments, f"out={tmp_path / 'scores.json'}")[0] == 0
    assert bounds == [2**26, 2**31]
    (entry,) = read(tmp_path)  # the second score replaced the first: it has the same protocol
    assert "metrics_memory" not in json.dumps(entry)


def test_several_seeds_give_mean_and_standard_deviation(cli, run, tmp_path):
    arguments = ["protocol=fd5k_train_mnist_5k", *SMALL, "seeds=0,1,2"]
    code, printed, _ = cli(f"run={run}", *arguments, f"out={tmp_path / 'scores.json'}")
    assert code == 0
    assert "± " in printed
    assert "over 3 seeds" in printed
    values = [e["scores"]["frechet_distance_digits"]["value"] for e in read(tmp_path)]
    assert len(set(values)) == 3


def test_checkpoint_can_be_given_by_path(cli, run, tmp_path):
    path = run / "checkpoints" / "last.ckpt"
    arguments = ["protocol=fd5k_train_mnist_5k", *SMALL, f"checkpoint={path}"]
    assert cli(f"run={run}", *arguments, f"out={tmp_path / 'scores.json'}")[0] == 0
    assert read(tmp_path)[0]["checkpoint"] == str(path)


def test_scores_of_two_folders(cli, tmp_path):
    real, generated = images(tmp_path / "real"), images(tmp_path / "generated", 110, seed=1)
    code, _, error = cli(f"real={real}", f"generated={generated}", "protocol=folders_pixels")
    assert code == 0, error
    scores = read(generated)[0]["scores"]
    assert scores["pairwise_distance_ratio"]["value"] == pytest.approx(1, abs=0.05)
    protocol = scores["pairwise_distance_ratio"]["protocol"]
    assert (protocol["real_samples"], protocol["generated_samples"]) == (120, 110)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["run", "real=DIR"]),
        (["real=x"], ["generated"]),
        (["run={run}"], ["protocol", "ganlab list protocols"]),
        (["run={run}", "protocol=fd10k_test_mnst"], ["'fd10k_test_mnist'"]),
        (["run={run}", "protocol=fd5k_train_mnist_5k", "features=digit"], ["'digits'"]),
        (["run={run}", "protocol=fd5k_train_mnist_5k", "protocol.sampels=3"], ["'samples'"]),
        (["run={run}", "protocol=fd5k_train_mnist_5k", "protocol.samples=1"], ["2 or more"]),
        (["run={run}", "protocol=fd5k_train_mnist_5k", "protocol.samples=x"], ["whole number"]),
        (["run={run}", "protocol=fd5k_train_mnist_5k", "protocol.samples=20"], ["too few"]),
        (["run={run}", "protocol=fd10k_test_mnist"], ["MNIST5k", "test split"]),
        (["run={run}", "protocol=modes10k"], ["modes", "MNIST5k"]),
        (["run={run}", "protocol=accuracy"], ["accuracy", "GAN"]),
        (["run={run}", "protocol=fd5k_train_mnist_5k", "checkpoint=best"], ["best"]),
        (["run={run}", "protocol=fd5k_train_mnist_5k", "device=cdua"], ["cdua", "'cuda'"]),
        (["run={run}", "real=x"], ["run="]),
        (["run={run}", "sead=1"], ["'seeds'"]),
        (["run={run}", "protocol=modes10k", "seeds=0,0"], ["seeds", "different"]),
        (["run={run}", "protocol=modes10k", "protocol=accuracy"], ["twice"]),
        (["run={run}", "protocol=modes10k", "features.weights=x"], ["features=NAME"]),
        (["run={run}", "protocol=modes10k", "skip_corrupt=true"], ["skip_corrupt"]),
        (["run={run}", "protocol=fd5k_train_mnist_5k", "protocol.features=digits"], ["features="]),
        (["run={run}", "protocol=folders_digits"], ["protocol.samples=10000"]),
        (
            ["run={run}", "protocol=digits5k_train_mnist_5k", "protocol.metrics.bins.bons=3"],
            ["metrics.bins", "bons"],
        ),
        (["real=x", "generated=y", "data.root=z"], ["data.root", "trained model"]),
        (["real=x", "generated=y", "protocol.ema=false"], ["protocol.ema", "trained model"]),
        (["run={run}", "protocol=fd5k_train_mnist_5k", "out={run}"], ["out", "out=FILE"]),
        (
            ["run={run}", "protocol=fd5k_train_mnist_5k", "out={run}/config.yaml"],
            ["config.yaml", "holds no scores"],
        ),
        (["run=nowhere", "protocol=modes10k"], ["nowhere"]),
        (
            ["run={run}", "protocol=modes10k", "data.batch_size=[a"],
            ["data.batch_size=[a", "cannot be read"],
        ),
        (
            ["run={run}", "protocol=modes10k", "data.batch_size=${{foo}}"],
            ["data.batch_size", "foo"],
        ),
        (
            ["run={run}", "protocol=fid50k_train_inception_clean", "features.weights=nowhere.pth"],
            ["nowhere.pth"],
        ),
    ],
)
def test_mistakes(arguments, words, cli, run):
    code, _, error = cli(*(text.format(run=run) for text in arguments))
    assert code != 0
    assert "Traceback" not in error
    for word in words:
        assert word in error


def test_mistakes_with_folders(cli, tmp_path):
    real = images(tmp_path / "real")

    def refused(generated, *words, more=()):
        code, _, error = cli(f"real={real}", f"generated={generated}", *more)
        assert code != 0
        assert "Traceback" not in error
        for word in words:
            assert word in error, error
        assert not (generated / "scores.json").exists()

    pixels = ("protocol=folders_pixels",)
    refused(images(tmp_path / "one", 1), "too few", more=pixels)
    uneven = images(tmp_path / "uneven")
    images(uneven / "more", 3, size=(20, 20))
    refused(uneven, "20", "28", more=pixels)
    corrupt = images(tmp_path / "corrupt")
    (corrupt / "broken.png").write_bytes(b"not a picture")
    refused(corrupt, "broken.png", "skip_corrupt=true", more=pixels)
    code, _, error = cli(f"real={real}", f"generated={corrupt}", *pixels, "skip_corrupt=true")
    assert code == 0, error
    protocol = read(corrupt)[0]["scores"]["pairwise_distance_ratio"]["protocol"]
    assert protocol["generated_samples"] == 120
    refused(tmp_path / "absent", "absent", more=pixels)
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"not weights")
    refused(images(tmp_path / "made"), "weights.pth", more=(f"features.weights={weights}",))
    refused(images(tmp_path / "large", size=(32, 32)), "32", "28", more=pixels)
    refused(images(tmp_path / "fine"), "trained model", more=("protocol=accuracy",))
