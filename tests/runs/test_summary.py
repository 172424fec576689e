"""What a finished run prints: its folder, what its scores mean, and what to do next."""

import shlex

import pytest
from helpers.tiny import ARGUMENTS

from ganlab.config.compose import compose
from ganlab.files import write_json
from ganlab.record.run import write_config
from ganlab.runs.summary import next_steps, summary
from ganlab.runs.train import prepare, train

PAIRED, UNPAIRED = ("source", "target"), ("a", "b")


def test_a_run_of_a_real_training_names_its_folder_once_and_three_commands(tmp_path, capsys):
    folder = tmp_path / "my run"
    assert train(*prepare([*ARGUMENTS, "budget.batches=3", f"run_dir={folder}"])) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("Finished: 24 examples, ")
    assert printed[1].split(maxsplit=1) == ["folder", str(folder)]
    assert printed[-4:] == [
        "Next:",
        f"  look       ganlab report run='{folder}'",
        f"  compare    ganlab compare '{folder}' OTHER_RUN",
        "  your data  ganlab train model=dcgan_fast data=folder data.size=32 'regularizer=[r1]' "
        "data.root=DIR",
    ]


@pytest.mark.parametrize(
    ("model", "data", "needs"),
    [
        ("dcgan_fast", "MNIST5k", ("example",)),
        ("mlp", "Ring", ("example",)),
        ("digit_classifier", "MNIST", ("example", "label")),
        *((model, "Shapes", PAIRED) for model in ("pix2pix", "pix2pixhd", "bicyclegan")),
        *((m, "ShapesUnpaired", UNPAIRED) for m in ("cyclegan", "discogan", "cut", "munit")),
    ],
)
def test_the_command_for_own_data_fits_the_kind_of_model(tmp_path, model, data, needs):
    """The command composes; its data have the batch keys that its model needs."""
    write_config(
        tmp_path, {"choices": {"model": model}, "data": {"_target_": f"ganlab.data.{data}"}}
    )
    program, command, *overrides = shlex.split(next_steps(tmp_path, needs)[2])[2:]
    assert (program, command) == ("ganlab", "train")
    config = compose(overrides)
    kinds = {PAIRED: "PairedImages", UNPAIRED: "UnpairedImages"}
    assert config.data._target_ == f"ganlab.data.{kinds.get(needs, 'ImageFolder')}"
    assert config.data.root == "DIR"
    if needs in kinds:
        assert config.choices.model == model


@pytest.mark.parametrize(
    ("data", "needs", "command"),
    [
        ("ImageFolder", ("example",), "ganlab sample run={} n=64"),
        ("PairedImages", PAIRED, "ganlab translate run={} input=DIR output=DIR"),
    ],
)
def test_a_run_on_own_data_is_used(tmp_path, data, needs, command):
    write_config(tmp_path, {"data": {"_target_": f"ganlab.data.{data}", "archive": None}})
    assert next_steps(tmp_path, needs)[2] == f"use it     {command.format(tmp_path)}"


def test_a_run_beside_others_is_compared_with_them(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_config(tmp_path / name, {"data": {}})
    write_json(tmp_path / "one" / "run.json", {})
    assert next_steps(tmp_path / "one", ("example",))[1].endswith(f"{tmp_path / 'one'} OTHER_RUN")
    write_json(tmp_path / "two" / "run.json", {})
    assert next_steps(tmp_path / "one", ("example",))[1] == f"compare    ganlab compare {tmp_path}"


def test_a_run_of_a_sweep_leaves_the_advice_to_the_sweep(tmp_path):
    record = {"seconds": 60.0, "counters": {"examples_seen": 5, "batches_seen": 1}, "scores": {}}
    write_json(tmp_path / "run.json", record | {"sweep": {"name": "x", "kind": "sweep"}})
    write_config(tmp_path, {"data": {}})
    assert "Next:" not in summary(tmp_path, ("example",))


@pytest.mark.parametrize(
    ("budget", "is_said"),
    [
        ({"minutes": 1}, True),
        ({"minutes": 1, "examples": 6}, True),
        ({"minutes": 1, "examples": 5, "batches": 9}, False),
        ({"minutes": 1, "batches": 1}, False),
        ({"examples": 5}, False),
    ],
)
def test_a_run_that_the_clock_ended_says_that_it_cannot_be_repeated(tmp_path, budget, is_said):
    limits = dict.fromkeys(("examples", "batches", "epochs", "minutes")) | budget
    record = {"seconds": 60.0, "counters": {"examples_seen": 5, "batches_seen": 1}, "scores": {}}
    write_json(tmp_path / "run.json", record)
    write_config(tmp_path, {"data": {}, "budget": limits})
    assert ("bit for bit" in summary(tmp_path, ("example",))) == is_said
