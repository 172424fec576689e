"""Every command of the README runs, shortened, in the README's order."""

import json
import shlex

import pytest
from helpers.readme import COMMANDS

from ganlab.cli import main
from ganlab.config.compose import compose
from ganlab.config.sweeps import merge_sweep
from ganlab.data import MNIST5k, Shapes
from ganlab.modalities.grid import save_png
from ganlab.sweeps.plan import expand

pytestmark = pytest.mark.contract

SHORT = ["budget.batches=2", "log_every=1"]
SMALL_SCORES = ["protocol.samples=200"]
# experiment or data set whose files this machine may lack: overrides with other data
OFFLINE = {"cifar10": ["data=synthetic"], "dcgan_celeba64": ["data=synthetic", "data.batch_size=2"]}


def _shortened(words):
    """Return a training command's words with two batches, on the CPU, without downloads."""
    words = [*words, "regularizer=[]"] if "sweep=ring_losses" in words else words
    composed = [word for word in words if word != "-m" and not word.startswith("hydra/")]
    config = compose(expand(merge_sweep(composed)[1])[0] if "-m" in words else composed)
    if config.get("lesson"):
        return words
    if "PairedImages" in config.data._target_ or "UnpairedImages" in config.data._target_:
        name = "generator" if "generator" in config.model else "generator_ab"
        words = [*words, "data.size=32", f"model.{name}.features=8", "protocol.samples=2"]
    if "test_samples" in config.data:  # generated data: enough for every score
        words = [*words, "data.test_samples=200"]
        words += ["data.samples=40"] if "samples" in config.data else []
    if config.callbacks.evaluation.get("protocol") and "protocol.samples=2" not in words:
        per_class = "class_frechet_distance" in config.callbacks.evaluation.protocol.metrics
        words = [word for word in words if "protocol.samples" not in word]
        words += ["protocol.samples=1300"] if per_class else SMALL_SCORES
    replaced = ("trainer=", "budget.", "compile=")
    words = [word for word in words if not word.startswith(replaced)]
    words += ["trainer=cpu", *SHORT]
    for name, replacement in OFFLINE.items():
        if any(word.endswith(f"={name}") for word in words):
            words = [word for word in words if word != f"data={name}"] + replacement
            if "batch_size" not in str(replacement):
                words.append("data.batch_size=2")
            words = [word for word in words if "protocol.samples" not in word]
            return [*words, "protocol=none", "data.size=32"] if name == "cifar10" else words
    return words


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Working directory of all commands: later commands use the runs of earlier commands."""
    folder = tmp_path_factory.mktemp("readme")
    my = folder / "my"
    for index, image in enumerate(MNIST5k().train["example"][::40]):
        save_png(image, my / "images" / f"{index:03}.png")
        save_png(image, my / "classes" / ("odd" if index % 2 else "even") / f"{index:03}.png")
    pairs = Shapes(size=64, samples=20, test_samples=4).train
    for index, (source, target) in enumerate(zip(pairs["source"], pairs["target"], strict=True)):
        save_png(source, my / "pairs" / "A" / f"{index}.png")
        save_png(target, my / "pairs" / "B" / f"{index}.png")
        save_png(source, my / "maps" / f"{index}.png")
        save_png(source, my / "two_sets" / "trainA" / f"{index}.png")
        save_png(target, my / "two_sets" / "trainB" / f"{index + 1}.png")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command, folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("WANDB_MODE", "offline")
    if "pip install" in command:
        command = command.partition("&&")[2].strip()
        if command == "pytest":
            return  # it would run this test again
    program, subcommand, *words = shlex.split(command)
    assert program == "ganlab"
    if "resume=true" in words:
        words = [word for word in words if not word.startswith("budget.")] + ["budget.batches=4"]
    elif subcommand == "train":
        words = _shortened(words)
    elif subcommand == "evaluate" and "_mnist" in command:
        words += ["protocol.samples=1300"]  # the fewest samples that all metrics accept
    elif subcommand == "evaluate" and "protocol=hidden" in command:
        words += ["protocol.samples=20"]
    elif subcommand == "bench":
        words += ["batches=2", "blocks=2"]
    elif subcommand == "tune":
        words = ["trials=2" if word.startswith("trials=") else word for word in words]
        words += ["budget.examples=128", "protocol.samples=600", "trainer=cpu"]
    elif subcommand == "reproduce" and "list" not in words:
        scale = words.index("--scale") if "--scale" in words else len(words)
        words = [*words[:scale], "--scale", "0.0001", "trainer=cpu"]
    assert main([subcommand, *words]) == 0


def test_runs_that_the_readme_names(folder):
    """After all commands of the README, the runs and files that it names exist."""
    record = json.loads((folder / "outputs" / "first" / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["counters"]["batches_seen"] == 4
    for name in (
        "generated.png",
        "scores.json",
        "neighbours.png",
        "samples.npz",
        "contact_sheet.png",
        "curves.png",
        "timing.csv",
    ):
        assert (folder / "outputs" / "first" / name).exists()
    assert len(list((folder / "outputs" / "some").glob("*_3.png"))) == 200
