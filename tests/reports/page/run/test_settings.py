"""Differences from the defaults, and the command that repeats a run."""

import json
import shlex

import pytest

from ganlab.config.compose import compose, to_plain
from ganlab.record.run import read_config, write_config
from ganlab.record.stored import differences, placed
from ganlab.reports.page.run.command import TRUST, repetition
from ganlab.reports.page.run.settings import defaults_of, tree_of

LISTED = "model.generator.hidden=[8,8]"
NAMED = 'name="it\'s `5`, \\"x\\" & *"'


def written(folder, overrides, **record):
    """Write a run's configuration as training does, and return it with its record."""
    tree = compose(overrides)
    tree.run_dir = str(folder)
    write_config(folder, to_plain(tree))
    command = ["/usr/bin/ganlab", "train", *overrides, f"run_dir={folder}"]
    return placed(read_config(folder), folder), {"command": command} | record


def changed(tree, path=""):
    for entry in tree:
        if "inner" in entry:
            yield from changed(entry["inner"], f"{path}{entry['key']}.")
        elif entry.get("changed"):
            yield f"{path}{entry['key']}", entry["text"], entry.get("default")


def test_settings_that_differ_from_the_experiments_own_are_marked(tmp_path):
    overrides = ["experiment=ring_hinge", "loss=lsgan", "seed=7", "name=x", "data.batch_size=64"]
    config, _ = written(tmp_path, [*overrides, "callbacks.doctor=null", "+data.extra=1"])
    defaults = defaults_of(config, tmp_path)
    assert defaults.overrides == ["experiment=ring_hinge"]
    tree, is_complete = tree_of(config, defaults.config)
    found = {key: (text, default) for key, text, default in changed(tree)}
    assert is_complete
    assert found["data.batch_size"] == ("64", "256")
    assert found["choices.loss"] == ("lsgan", "hinge")
    assert found["data.extra"] == ("1", None)
    assert found["callbacks.doctor"][0] == "null"
    assert not {"seed", "name", "run_dir", "data.seed"} & {*found}


def test_a_run_without_an_experiment_is_compared_with_its_choices(tmp_path):
    overrides = ["model=dcgan", "data=folder", "data.root=my/pictures", "loss=wgan_gp"]
    config, _ = written(tmp_path, [*overrides, "budget.minutes=2"])
    defaults = defaults_of(config, tmp_path)
    assert defaults.overrides == ["model=dcgan", "data=folder", "loss=wgan_gp"]
    tree, _ = tree_of(config, defaults.config)
    assert list(changed(tree)) == [("budget.minutes", "2", "3")]


@pytest.mark.parametrize(
    "choice", ["gone", "../../secret", "ring_hinge,x", ["a"], "${oc.env:HOME}"]
)
def test_choices_that_do_not_exist_give_no_marks_and_a_reason(choice, tmp_path):
    config, record = written(tmp_path, ["experiment=ring_hinge"], sweep={"name": "s"})
    config["choices"]["experiment"] = choice
    defaults = defaults_of(config, tmp_path)
    assert defaults.config is None
    assert "This version of ganlab has no experiment=" in defaults.why
    assert list(changed(tree_of(config, None)[0])) == []
    repeated = repetition(tmp_path, record, config, defaults)
    assert repeated.command is None
    assert defaults.why in repeated.notes[0]


@pytest.mark.parametrize(
    ("overrides", "record"),
    [
        (["experiment=ring_hinge", "budget.batches=5", LISTED, NAMED], {}),
        (["experiment=ring_hinge", "loss=wgan_gp", NAMED, "seed=3"], {"sweep": {"job": 1}}),
        (
            ["model=cdcgan", "regularizer=[r1,lecam]", "~callbacks.progress"],
            {"command": ["x", "train", "-m"]},
        ),
        (["experiment=lecture/dirac"], {"command": ["x", "train", "run=a", "resume=true"]}),
    ],
)
def test_the_command_gives_the_same_configuration_again(overrides, record, tmp_path):
    """As typed, or made from config.yaml if the recorded command is not that of this run alone."""
    config, record = written(tmp_path, overrides, **record)
    repeated = repetition(tmp_path, record, config, defaults_of(config, tmp_path))
    assert repeated.command, repeated.notes
    program, command, *words = shlex.split(repeated.command)
    assert (program, command) == ("ganlab", "train")
    assert not any(word.startswith("run_dir=") for word in words)
    again, _ = written(tmp_path / "again", words)
    config = placed(json.loads(json.dumps(config)), tmp_path / "again")
    assert [key for key, _ in differences(config, again) if key != "run_dir"] == []


def test_a_command_made_from_settings_leaves_out_what_follows_from_others(tmp_path):
    config, record = written(tmp_path, ["experiment=quickstart", "budget.examples=6400"])
    record["command"] = ["ganlab", "train", "run=x", "resume=true"]
    repeated = repetition(tmp_path, record, config, defaults_of(config, tmp_path))
    assert repeated.command == "ganlab train experiment=quickstart budget.examples=6400"


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("hydra.run.dir=/tmp", "changes Hydra itself"),
        ("+x=${oc.env:HOME}", "would read other settings"),
        ("model=gone", "there is no such model"),
        ("name='a\nb'", "name"),
        ("callbacks.samples.folder=/tmp/elsewhere", None),
        ("model.generator._target_=os.system", None),
    ],
)
def test_commands_of_strangers_are_refused_or_come_with_a_warning(word, reason, tmp_path):
    config, record = written(tmp_path, ["experiment=ring_hinge"])
    record["command"].append(word)
    repeated = repetition(tmp_path, record, config, defaults_of(config, tmp_path))
    if reason:
        assert repeated.command is None
        assert reason in repeated.notes[0]
    else:
        assert TRUST in repeated.notes
        assert shlex.split(repeated.command)[-1] == word


def test_a_command_that_no_longer_gives_the_runs_settings_says_so(tmp_path):
    config, record = written(tmp_path, ["experiment=ring_hinge", "data.batch_size=64"])
    record["command"].remove("data.batch_size=64")
    repeated = repetition(tmp_path, record, config, defaults_of(config, tmp_path))
    assert repeated.command == "ganlab train experiment=ring_hinge"
    assert any("data.batch_size" in note for note in repeated.notes)
