"""Files in sub-folders of a config group are chosen by their bare names."""

import os
import shutil
from collections import Counter
from functools import cache

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.errors import MissingConfigException

import ganlab.config.groups as groups_module
from ganlab.config.compose import compose
from ganlab.config.groups import CONF, check_choice, describe, file_of, files, groups, options
from ganlab.config.protocols import named_protocol
from ganlab.errors import ConfigError
from ganlab.reproduction.ledger import baselines
from ganlab.sweeps.plan import expand


@pytest.mark.parametrize("group", groups())
def test_bare_names_are_unique(group):
    names = Counter(path.stem for path in (CONF / group).rglob("*.yaml"))
    assert {name: n for name, n in names.items() if n > 1} == {}
    assert options(group) == sorted(names)


@pytest.mark.parametrize("group", groups())
def test_no_folder_has_more_than_fifteen_files(group):
    folders = Counter(path.parent for path in files(group).values())
    assert {str(folder): n for folder, n in folders.items() if n > 15} == {}


@pytest.mark.parametrize("choice", ["lecture/dirac", "dirac"])
def test_a_choice_may_be_written_with_its_folder(choice):
    config = compose([f"experiment={choice}"])
    assert config.name == config.choices.experiment == "dirac"
    assert file_of("experiment", choice) == CONF / "experiment" / "lecture" / "dirac.yaml"
    check_choice("experiment", choice)


@pytest.mark.parametrize("choice", ["gan/dirac", "lecture/ring_hinge", "lecture", "ring", ""])
def test_wrong_folders_and_bare_folders_are_refused(choice):
    assert file_of("experiment", choice) is None
    with pytest.raises(ConfigError, match="there is no such experiment"):
        check_choice("experiment", choice)


def test_names_and_choices_are_bare_in_every_folder():
    config = compose(["model=mlp", "data=ring", "loss=hinge", "protocol=modes10k"])
    assert config.name == "mlp_ring_hinge"
    assert (config.choices.model, config.choices.data) == ("mlp", "ring")
    assert config.callbacks.evaluation.protocol.name == "modes10k"
    assert file_of("model", "mlp").parent != CONF / "model"


def test_a_file_may_extend_another_file_of_its_group():
    """Hydra and the ledger both resolve `- cyclegan` in a defaults list."""
    assert compose(["experiment=cyclegan_maps"]).loss == compose(["experiment=cyclegan"]).loss
    baseline = baselines()["cyclegan_maps"]
    assert (baseline.model, baseline.data) == ("cyclegan", "maps_unpaired")


def test_globs_match_bare_names():
    jobs = expand(["experiment=glob(ring_h*)", "seed=1,2"])
    assert jobs == [["experiment=ring_hinge", f"seed={seed}"] for seed in (1, 2)]
    names = [job[0].partition("=")[2] for job in expand(["experiment=glob(*)"])]
    assert names == options("experiment")


def test_protocols_are_found_by_name():
    assert named_protocol("studiogan_cifar10")["name"] == "studiogan_cifar10"


def test_the_nearest_name_is_suggested():
    with pytest.raises(ConfigError, match=r"data=mnist5k.*Did you mean 'mnist_5k'\?"):
        compose(["data=mnist5k"])


def test_every_file_has_a_description():
    for group in ("experiment", "model", "data", "protocol", "loss", "sweep"):
        for name in options(group):
            assert len(describe(group, name)) > 10, (group, name)


def test_new_and_changed_files_are_found(tmp_path, monkeypatch):
    """A new file and a changed file are found within one process, such as a notebook."""
    shutil.copytree(CONF, tmp_path / "conf")
    monkeypatch.setattr("ganlab.config.groups.CONF", tmp_path / "conf")
    monkeypatch.setattr("ganlab.config.source.CONF", tmp_path / "conf")
    monkeypatch.setattr("ganlab.config.groups.files", cache(files.__wrapped__))
    monkeypatch.setattr("ganlab.config.source.files", groups_module.files)
    mine = tmp_path / "conf" / "experiment" / "mine.yaml"
    text = "# @package _global_\ndefaults:\n  - ring_hinge\nlog_every: {}\n"
    mine.write_text(text.format(7))
    assert compose(["experiment=mine"]).log_every == 7
    mine.write_text(text.format(8))
    os.utime(mine, ns=(1, 1))
    assert compose(["experiment=mine"]).log_every == 8
    (tmp_path / "conf" / "experiment" / "cut" / "mine.yaml").write_text(text.format(9))
    with pytest.raises(ConfigError, match=r"experiment=mine: is both .*; rename one"):
        compose(["experiment=mine"])
    groups_module.files.cache_clear()


@pytest.mark.parametrize("choice", ["images/mnist_5k", "mnist_5k"])
def test_a_data_set_chosen_with_its_folder_has_its_protocol(choice):
    """The data set's file names the protocol."""
    config = compose([f"data={choice}"])
    assert config.choices.data == "mnist_5k"
    assert config.callbacks.evaluation.protocol.name == "fd5k_train_mnist_5k"


def test_protocols_and_jobs_of_sweeps_may_be_written_with_their_folders():
    assert named_protocol("samples/modes10k") == named_protocol("modes10k")
    assert expand(["experiment=lecture/dirac,ring_hinge"]) == [
        ["experiment=dirac"],
        ["experiment=ring_hinge"],
    ]


def test_other_hydra_programs_do_not_see_ganlabs_configs(tmp_path):
    (tmp_path / "config.yaml").write_text("defaults:\n  - model: munit\n")
    compose(["experiment=ring_hinge"])
    with (
        initialize_config_dir(str(tmp_path), version_base="1.3"),
        pytest.raises(MissingConfigException),
    ):
        hydra_compose("config")
