"""Output and files of the commands `sample`, `list`, `train -m` and `bench`."""

import itertools
import json
import sys

import numpy as np
import pytest
from PIL import Image

import ganlab.cli.list
from ganlab.cli import main
from ganlab.config.compose import compose
from ganlab.config.groups import options
from ganlab.modalities.image import Image as Modality

pytestmark = pytest.mark.usefixtures("no_curves")


@pytest.fixture(scope="module")
def conditional_run(tmp_path_factory, no_curves):
    """Folder of a finished run of a small conditional DCGAN: 6 batches of 8 examples."""
    folder = tmp_path_factory.mktemp("conditional") / "run"
    small = [
        "data=synthetic",
        "data.size=16",
        "model.generator.network.features=8",
        "model.discriminator.network.features=8",
        "data.batch_size=8",
    ]
    no_ramp_up = "callbacks.ema.ramp_up=null"  # so that EMA weights differ from raw weights
    arguments = ["model=cdcgan", *small, "budget.batches=6", no_ramp_up, f"run_dir={folder}"]
    assert main(["train", *arguments]) == 0
    return folder


def _arrays(run, out, *arguments):
    assert main(["sample", f"run={run}", f"out={out}", *arguments]) == 0
    with np.load(out) as arrays:
        return dict(arrays)


def test_sample_writes_arrays_of_uint8_images_labels_and_latents(conditional_run, tmp_path):
    arrays = _arrays(conditional_run, tmp_path / "a.npz", "n=5", "labels=3,7", "seed=1")
    assert arrays["images"].shape == (10, 16, 16, 3)
    assert arrays["images"].dtype == np.uint8
    assert arrays["labels"].tolist() == 5 * [3] + 5 * [7]
    assert arrays["latents"].shape == (10, 100)


def test_each_seed_gives_the_same_latent_with_every_label(conditional_run, tmp_path):
    one = _arrays(conditional_run, tmp_path / "1.npz", "n=1", "labels=7", "seed=4")
    some = _arrays(conditional_run, tmp_path / "2.npz", "labels=3,7", "seeds=2-4,9")
    assert some["labels"].tolist() == 4 * [3] + 4 * [7]
    assert (some["latents"][:4] == some["latents"][4:]).all()
    assert (some["latents"][6] == one["latents"][0]).all()
    assert (some["images"][6] == one["images"][0]).all()
    drawn = _arrays(conditional_run, tmp_path / "3.npz", "seeds=4")
    assert (drawn["latents"] == one["latents"]).all()


def test_equal_seeds_give_equal_samples_and_raw_weights_give_others(conditional_run, tmp_path):
    first, repeated, other_seed, raw = (
        _arrays(conditional_run, tmp_path / f"{i}.npz", "n=4", *arguments)["images"]
        for i, arguments in enumerate([["seed=1"], ["seed=1"], ["seed=2"], ["seed=1", "ema=false"]])
    )
    assert (first == repeated).all()
    assert (first != other_seed).any()
    assert (first != raw).any()


def test_without_a_seed_each_call_uses_other_latents(conditional_run, tmp_path):
    first, second = (_arrays(conditional_run, tmp_path / f"{i}.npz", "n=4") for i in range(2))
    assert (first["latents"] != second["latents"]).all()


def test_truncation_bounds_the_latents(conditional_run, tmp_path):
    latents = _arrays(conditional_run, tmp_path / "t.npz", "n=50", "truncation=0.5")["latents"]
    assert np.abs(latents).max() <= 0.5


def test_sample_writes_single_pictures_or_a_grid(conditional_run, tmp_path):
    assert main(["sample", f"run={conditional_run}", "n=11", f"out={tmp_path / 'folder'}"]) == 0
    files = sorted((tmp_path / "folder").iterdir())
    assert len(files) == 11
    assert Image.open(files[0]).size == (16, 16)
    assert main(["sample", f"run={conditional_run}", "n=4", f"out={tmp_path / 'g.png'}"]) == 0
    assert Image.open(tmp_path / "g.png").mode == "RGB"


def test_samples_are_not_mixed_with_the_files_of_a_folder(conditional_run, tmp_path, capsys):
    words = ["sample", f"run={conditional_run}", "n=3", f"out={tmp_path / 'folder'}"]
    assert main(words) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "folder").iterdir()}
    capsys.readouterr()
    assert main(words) == 1
    assert "folder holds other files (0_" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (tmp_path / "folder").iterdir()} == before
    for path in before:
        path.unlink()
    (tmp_path / "folder" / ".hidden").write_text("")
    assert main(words) == 0


def test_samples_are_all_written_or_none(conditional_run, tmp_path, monkeypatch, capsys):
    """So an interrupted command can be given again."""
    saved = Modality.save
    numbers = itertools.count()

    def save(*given):
        if next(numbers) == 2:
            raise KeyboardInterrupt
        return saved(*given)

    monkeypatch.setattr(Modality, "save", save)
    words = ["sample", f"run={conditional_run}", "n=3", f"out={tmp_path / 'folder'}"]
    assert main(words) == 130
    assert "ganlab sample: interrupted." in capsys.readouterr().err
    assert list(tmp_path.rglob("*.png")) == []
    assert main(words) == 0
    assert len(list((tmp_path / "folder").iterdir())) == 3


def test_samples_of_a_2d_model_are_written_as_points(tmp_path):
    run = tmp_path / "run"
    arguments = ["experiment=ring_hinge", "budget.batches=2", "data.samples=600"]
    assert main(["train", *arguments, f"run_dir={run}"]) == 0
    points = _arrays(run, tmp_path / "p.npz", "n=9")["points"]
    assert points.shape == (9, 2)
    assert points.dtype == np.float32


def test_list_prints_a_line_for_every_config(capsys):
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    for group in ("model", "data", "loss", "experiment"):
        for name in options(group):
            line = next(x for x in printed.splitlines() if x.split()[:1] == [name])
            assert len(line.split()) > 3, f"{group}/{name}.yaml has no describing comment"


@pytest.mark.parametrize("command", ["train", "validate", "list", "sample", "bench"])
def test_help_names_the_command(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"ganlab {command}" in capsys.readouterr().out


def test_an_unexpected_error_of_the_program_is_printed_without_escapes(monkeypatch, capsys):
    def fail(words):
        raise RuntimeError("a\x1b[31mb")

    monkeypatch.setattr(ganlab.cli.list, "main", fail)
    monkeypatch.setattr(sys, "argv", ["ganlab", "list"])
    assert main() == 1
    error = capsys.readouterr().err
    assert error.startswith("Traceback")
    assert error.endswith("RuntimeError: a␛[31mb\n")
    with pytest.raises(RuntimeError):
        main(["list"])


def test_sweep_continues_after_a_failed_job(tmp_path, monkeypatch, capsys):
    """The failed job prints its error, the other job finishes, and the exit code is 1."""
    monkeypatch.chdir(tmp_path)
    arguments = ["experiment=ring_hinge", "data.samples=300", "data.batch_size=999,64"]
    assert main(["train", "-m", *arguments, "budget.batches=2"]) == 1
    assert "999" in capsys.readouterr().err
    records = {
        path.parent.name: json.loads(path.read_text()) for path in tmp_path.rglob("run.json")
    }
    assert {name: record["status"] for name, record in records.items()} == {
        "0": "failed",
        "1": "finished",
    }
    assert "999" in records["0"]["error"]


@pytest.mark.contract
def test_bench_prints_one_json_object(capsys):
    arguments = ["experiment=ring_wgan_gp", "data.samples=300", "data.batch_size=8"]
    assert main(["bench", *arguments, "batches=5", "blocks=2", "json=true"]) == 0
    result = json.loads(capsys.readouterr().out)
    for key in ("milliseconds_per_batch", "examples_per_second", "peak_memory_mib"):
        assert result[key] > 0
        assert result[f"reference_{key}"] > 0
    assert result["ratio"] > 0
    assert "generator: forward" in result["parts_milliseconds"]


def test_command_line_overrides_choices_of_an_experiment():
    config = compose(["experiment=wgan_gp_mnist", "data=mnist_5k", "loss=hinge"])
    assert config.name == "wgan_gp_mnist"
    assert config.loss.adversarial._target_.endswith("Hinge")
    assert config.choices.data == "mnist_5k"
