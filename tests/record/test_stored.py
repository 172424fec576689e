"""What a stored configuration may name, and where it may write."""

import importlib
import re
from pathlib import Path

import pytest
import yaml

from ganlab.config.groups import CONF
from ganlab.config.targets import _hints, parameters_of
from ganlab.errors import RunError
from ganlab.record.run import write_config
from ganlab.record.stored import (
    ALLOWED,
    SOURCES,
    WRITTEN,
    absolute,
    check_overrides,
    check_stored,
    may_build,
    needs_trust,
    stored_config,
)

HOSTILE = """
    asyncio.create_subprocess_shell asyncio.run builtins.__import__ builtins.eval builtins.exec
    builtins.open code.interact ctypes.CDLL ganlab.applications.sample_files.write
    ganlab.cli.main ganlab.core.build.make ganlab.core.load.load_module
    ganlab.data.archives.files.download ganlab.data.write_faces ganlab.files.write_text
    ganlab.networks.init ganlab.record.machine.git_commit ganlab.record.run.RunRecord
    ganlab.runs.train.train hydra.utils.call hydra.utils.instantiate importlib.import_module
    io.open lightning.pytorch.Trainer.fit lightning.pytorch.callbacks.LambdaCallback
    lightning.pytorch.utilities.migration.migrate_checkpoint multiprocessing.Process numpy.load
    numpy.save numpy.ctypeslib.load_library omegaconf.OmegaConf.resolve operator.methodcaller
    os.execv os.remove os.system pathlib.Path pathlib.Path.unlink pathlib.Path.write_text
    pdb.set_trace pickle.loads posix.system pty.spawn runpy.run_path
    setuptools._distutils.spawn.spawn shutil.copyfile shutil.rmtree socket.create_connection
    subprocess.Popen subprocess.run sympy.sympify tarfile.open tempfile.mkstemp timeit.timeit
    torch.classes.load_library torch.hub.load torch.hub.load_state_dict_from_url torch.jit.load
    torch.load torch.nn.Module.load_state_dict torch.nn.parallel.DistributedDataParallel
    torch.optim.Adam.load_state_dict torch.optim.lr_scheduler.LambdaLR torch.ops.load_library
    torch.save torch.serialization.load torch.utils.cpp_extension.load
    torchvision.datasets.utils.download_url torchvision.models.get_model torchvision.io.write_file
    urllib.request.urlretrieve wandb.init webbrowser.open yaml.unsafe_load
"""
NOT_PATHS = ("archive", "directions", "direction", "target", "test_folder", "truncation")


def conf_targets():
    texts = [path.read_text(encoding="utf-8") for path in CONF.rglob("*.yaml")]
    return {name for text in texts for name in re.findall(r"_target_: ([\w.]+)", text)}


def test_all_targets_of_the_config_files_may_be_built():
    assert [target for target in sorted(conf_targets()) if not may_build(target)] == []


def test_listed_targets_exist():
    for module, names in ALLOWED.items():
        found = importlib.import_module(module)
        assert [name for name in names.split() if not callable(getattr(found, name, None))] == []


# public classes that are built by ganlab itself, or only by their subclasses
NOT_CONFIGURED = """
    AdversarialLoss AdversarialModule Adversary Augmentation Classifies Crops Direction
    Discriminator Encodes Extractor FolderSamples Generates Generator ImageDataModule LPIPSDistance
    LatentModel Mixture ModelMetric ModelSamples Penalty Phase Points Protocol Regularizer
    Regularizers SampleMetric Schedule ScheduledScalars Score Scores Step TensorBatches
    TensorDataModule Tracking TranslatedSamples Translates TranslationData Translator Work
"""


def test_every_public_class_is_listed_or_not_configured():
    """So a run of such a class, typed on a command line, can be used without trust=true."""
    for module, names in ALLOWED.items():
        found = importlib.import_module(module)
        public = getattr(found, "__all__", []) if module.startswith("ganlab.") else []
        classes = {name for name in public if isinstance(getattr(found, name), type)}
        assert classes - {*names.split(), *NOT_CONFIGURED.split()} == set(), module


def test_arguments_that_are_paths_are_known():
    """Every argument of a listed target whose type or name tells a path is written or read."""
    for module, names in ALLOWED.items():
        if module.startswith("ganlab."):
            for name in names.split():
                target = getattr(importlib.import_module(module), name)
                hints = _hints(target)
                for argument in parameters_of(target):
                    text = "Path" in str(hints.get(argument)) or (
                        "str" in str(hints.get(argument))
                        and re.search("dir|folder|path|file|root|weights|url|archive|run", argument)
                    )
                    known = (*WRITTEN, *SOURCES, *NOT_PATHS)
                    assert not text or argument in known, f"{module}.{name}: {argument}"


@pytest.mark.parametrize(
    "target", [*HOSTILE.split(), "", "torch", "torch.nn.", ".Adam", None, 5, ["a.b"]]
)
def test_no_other_target_may_be_built(target, tmp_path):
    assert not may_build(target)
    with pytest.raises(RunError, match=r"model.generator._target_ names .*trust=true"):
        check_stored({"model": {"generator": {"_target_": target}}}, "run: x", tmp_path)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"name": "${oc.env:HOME}"}, "name holds"),
        ({"data": {"a": [{"b": "x${y}"}]}}, "data.a.0.b holds"),
        ({"data": {"${oc.env:HOME}": 1}}, "data.${oc.env:HOME} holds"),
        ({"callbacks": {"samples": {"folder": "/elsewhere"}}}, "would write to /elsewhere"),
        ({"callbacks": {"samples": {"folder": "run/../elsewhere"}}}, "would write to run/../else"),
        ({"callbacks": {"samples": {"folder": {"a": 1}}}}, "would write to"),
        ({"trainer": {"profiler": {"dirpath": "run", "filename": "../x"}}}, "would write to ../x"),
        ({"trainer": {"default_root_dir": "/tmp"}}, "would write to /tmp"),
        (
            {"c": {"_target_": "ganlab.callbacks.Samples", "_args_": ["/elsewhere"]}},
            "arguments without names",
        ),
    ],
)
def test_what_is_not_built_without_trust(config, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert needs_trust(config, Path("run"))
    with pytest.raises(RunError, match=re.escape(words)):
        check_stored(config, "run: run/config.yaml", Path("run"))


def test_paths_of_unknown_users_and_with_null_bytes_are_paths(tmp_path):
    """Neither is an error of Python."""
    config = absolute({"data": {"root": "~nosuchuser/x"}}, tmp_path)
    assert config["data"]["root"] == str(tmp_path / "~nosuchuser" / "x")
    with pytest.raises(RunError, match="folder"):
        check_stored({"c": {"folder": "a\0b"}}, "run: x", tmp_path)


@pytest.mark.parametrize("tag", ["!!pairs", "!!omap", "!!set", "!!binary", "!!python/tuple"])
def test_values_of_other_types_are_not_read(tag, tmp_path):
    """A list of pairs is built of tuples, in which checks of dicts and lists would find nothing."""
    text = f"data:\n  root: {tag} [ 8: {{_target_: os.system, command: id}} ]\n"
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(RunError, match="is damaged"):
        stored_config(tmp_path)


def test_values_of_other_types_are_not_built(tmp_path):
    with pytest.raises(RunError, match=r"data.root is a tuple"):
        check_stored({"data": {"root": ({"_target_": "os.system"},)}}, "run: x", tmp_path)


@pytest.mark.parametrize("text", ["hydra.searchpath=[pkg://x]", "+hydra.a=1", "hydra/launcher=ray"])
def test_stored_overrides_may_not_change_hydra(text, tmp_path):
    with pytest.raises(RunError, match="changes Hydra itself"):
        check_overrides(["seed=1", text], "sweep: x", tmp_path)


def test_layers_of_torch_take_parts_and_folders_inside_the_run(tmp_path):
    linear = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 1}
    config = {
        "model": {"generator": {"_target_": "torch.nn.Sequential", "_args_": [linear]}},
        "callbacks": {"samples": {"folder": str(tmp_path / "run" / "more")}},
        "trainer": {"profiler": {"filename": "profile", "dirpath": None}},
    }
    assert not needs_trust(config, tmp_path / "run")


def test_paths_of_a_moved_run_follow_it(tmp_path, monkeypatch):
    """Folders in the run are moved with it; relative sources begin in the working directory."""
    monkeypatch.chdir(tmp_path)
    config = {
        "run_dir": "outputs/a",
        "callbacks": {"samples": {"folder": "outputs/a"}},
        "data": {"root": "pictures", "archive": "facades"},
        "protocol": {"features": [{"weights": "w.pth"}, {"weights": "DEFAULT"}, {"weights": None}]},
    }
    write_config(tmp_path / "b", config)
    stored = stored_config(Path("b"))
    assert stored["run_dir"] == stored["callbacks"]["samples"]["folder"] == str(tmp_path / "b")
    assert stored["data"] == {"root": str(tmp_path / "pictures"), "archive": "facades"}
    weights = [entry["weights"] for entry in stored["protocol"]["features"]]
    assert weights == [str(tmp_path / "w.pth"), "DEFAULT", None]


def test_trust_allows_everything(tmp_path):
    config = {"model": {"_target_": "os.system"}, "callbacks": {"samples": {"folder": "/else"}}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert stored_config(tmp_path, trust=True) == config
    with pytest.raises(RunError):
        stored_config(tmp_path)
