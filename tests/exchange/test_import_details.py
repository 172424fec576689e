"""Messages and refusals of `ganlab import` and `ganlab export`."""

import pytest
import torch
from helpers.peer_networks import Patch, ResNet, UNet, randomised

from ganlab.cli import main
from ganlab.core.load import load_module
from ganlab.errors import ConfigError
from ganlab.modalities.grid import save_png
from ganlab.record.run import read_config

QUICK = ["protocol=none", "trainer=cpu", "callbacks.progress.enabled=false"]
SMALL = ["data.size=32", "data.load_size=32"]


def write(folder, **networks):
    """Write each role's public network as latest_net_<role>.pth; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (role, network) in enumerate(networks.items()):
        torch.save(randomised(network, seed).state_dict(), folder / f"latest_net_{role}.pth")
    return folder


@pytest.fixture(scope="module")
def b_to_a_run(tmp_path_factory):
    """Folder of the run of a single CycleGAN generator, for direction b_to_a."""
    base = tmp_path_factory.mktemp("b_to_a_run")
    file = write(base / "sat2map", G_A=ResNet(f=2, blocks=1)) / "latest_net_G_A.pth"
    file = file.rename(file.with_name("latest_net_G.pth"))
    words = ["direction=b_to_a", f"out={base / 'run'}", "trainer=cpu", *SMALL]
    assert main(["import", "cyclegan", str(file), *words]) == 0
    return base / "run"


def test_single_generator_is_used_for_its_direction(tmp_path, capsys):
    """The suggested command names the direction; the other, random generator causes a warning."""
    file = write(tmp_path / "m", G=ResNet(f=2, blocks=1)) / "latest_net_G.pth"
    run, picture = tmp_path / "run", tmp_path / "x.png"
    words = ["import", "cyclegan", str(file), "direction=b_to_a", f"out={run}", *QUICK, *SMALL]
    assert main(words) == 0
    printed = capsys.readouterr().out
    hint = next(line for line in printed.splitlines() if "ganlab translate" in line)
    assert hint.endswith(" direction=b_to_a")
    save_png(torch.zeros(3, 32, 32, dtype=torch.uint8), picture)
    words = ["translate", f"run={run}", f"input={picture}", f"output={tmp_path / 'out'}"]
    assert main([*words, "device=cpu"]) == 0
    warned = capsys.readouterr().err
    assert "warning: generator_ab was not part of the import" in warned
    assert "Choose direction=b_to_a." in warned
    assert main([*words, "device=cpu", "direction=b_to_a"]) == 0
    assert "warning" not in capsys.readouterr().err


def test_suggested_commands_name_no_default_direction_and_no_root(tmp_path, capsys):
    """a_to_b is the default direction, and synthetic data need no data.root."""
    folder = write(tmp_path / "m", G_A=ResNet(f=2, blocks=1))
    words = ["data=shapes_unpaired", "trainer=cpu", f"out={tmp_path / 'run'}"]
    assert main(["import", "cyclegan", str(folder), *words]) == 0
    printed = capsys.readouterr().out
    assert "direction=" not in printed
    assert "data.root" not in printed
    assert f"ganlab evaluate run={tmp_path / 'run'}\n" in printed
    assert f"ganlab train run={tmp_path / 'run'} resume=true\n" in printed


def test_imported_run_without_data_root_asks_for_it(b_to_a_run, capsys):
    """The import writes no path of its own into the configuration."""
    assert read_config(b_to_a_run)["data"]["root"] is None
    for words in (["evaluate", f"run={b_to_a_run}"], ["train", f"run={b_to_a_run}", "resume=true"]):
        assert main(words) == 1
        assert "data.root: missing. Give the folder" in capsys.readouterr().err


def test_file_with_nan_is_not_imported(tmp_path, capsys):
    folder = write(tmp_path / "m", G=ResNet(f=2, blocks=1))
    state = torch.load(folder / "latest_net_G.pth")
    key = list(state)[4]
    state[key].view(-1)[0] = float("nan")
    torch.save(state, folder / "latest_net_G.pth")
    words = ["import", "pix2pix", str(folder), f"out={tmp_path / 'run'}", *QUICK]
    assert main(words) == 1
    assert f"latest_net_G.pth: {key} holds NaN" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("form", ["pth", "safetensors"])
def test_exported_tensors_are_compared_by_bytes(b_to_a_run, tmp_path, capsys, monkeypatch, form):
    """A diverged network is exported too, although NaN != NaN."""
    module = load_module(b_to_a_run)
    with torch.no_grad():
        next(module.generator_ab.parameters()).fill_(float("nan"))
    monkeypatch.setattr("ganlab.core.load.load_module", lambda *_: module)
    out = tmp_path / ("out" if form == "pth" else "g.safetensors")
    assert main(["export", f"run={b_to_a_run}", f"format={form}", f"out={out}"]) == 0
    assert "read back without a difference" in capsys.readouterr().out


def test_graph_of_a_diverged_network_is_refused(b_to_a_run, tmp_path, capsys, monkeypatch):
    module = load_module(b_to_a_run)
    with torch.no_grad():
        next(module.generator_ab.parameters()).fill_(float("nan"))
    monkeypatch.setattr("ganlab.core.load.load_module", lambda *_: module)
    words = ["format=torch_export", f"out={tmp_path / 'g.pt2'}", "size=32"]
    assert main(["export", f"run={b_to_a_run}", *words]) == 1
    assert "run: generator_ab returns NaN" in capsys.readouterr().err


def test_files_without_an_epoch(tmp_path, capsys):
    """Files net_<role>.pth are imported only for epoch=latest, if there are no latest files."""
    folder = write(tmp_path / "m", G=UNet(3, 3, 6, 2))
    (folder / "latest_net_G.pth").rename(folder / "net_G.pth")
    words = ["import", "pix2pix", str(folder), *QUICK]
    assert main([*words, "epoch=5", f"out={tmp_path / 'run'}"]) == 1
    error = capsys.readouterr().err
    assert "Give the files by name." in error
    assert "None" not in error
    assert main([*words, f"out={tmp_path / 'run'}"]) == 0
    assert "net_G.pth" in capsys.readouterr().out


def test_arguments_that_have_no_effect_are_refused(b_to_a_run, tmp_path, capsys):
    cycle = write(tmp_path / "c", G_A=ResNet(f=2, blocks=1), D_A=Patch(f=2, layers=1))
    pairs = write(tmp_path / "p", G=ResNet(f=2, blocks=1))
    out = f"out={tmp_path / 'run'}"
    for words in (
        ["import", "cyclegan", str(cycle), out, "objective=l1"],
        ["import", "cyclegan", str(cycle), out, "dropout=false"],
        ["import", "cyclegan", str(cycle), out, "direction=b_to_a"],
        ["import", "pix2pix", str(pairs), out, "dropout=false"],
        ["export", f"run={b_to_a_run}", "format=pth", "direction=a_to_b"],
        ["export", f"run={b_to_a_run}", "format=pth", "size=64"],
        ["export", f"run={b_to_a_run}", "format=safetensors", "size=64"],
        ["bench", f"run={b_to_a_run}"],
        ["bench", "resume=true"],
    ):
        assert main(words) == 1, words
        error = capsys.readouterr().err
        assert f"{words[-1].partition('=')[0]}: is for " in error, words
        assert "eave it out." in error
    assert not (tmp_path / "run").exists()


def test_output_folder_that_is_a_file_is_refused(b_to_a_run, tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("kept")
    run = f"run={b_to_a_run}"
    for words in (
        ["export", run, "format=pth", f"out={file}"],
        ["export", run, "format=safetensors", f"out={file / 'x.safetensors'}"],
        ["export", run, "format=torch_export", f"out={file / 'deep' / 'x.pt2'}"],
        ["import", "cyclegan", str(b_to_a_run.parent / "sat2map"), f"out={file / 'run'}"],
    ):
        assert main(words) == 1
        assert f"{file} is a file; name a folder." in capsys.readouterr().err
    assert file.read_text() == "kept"


def test_messages_about_wrong_values():
    from ganlab.cli.arguments import parse
    from ganlab.cli.export import ARGUMENTS
    from ganlab.config.values import count, device_named, integer, number

    with pytest.raises(ConfigError, match=r"Did you mean 'safetensors'\? Argument format:"):
        parse(["run=x", "format=safetensor"], ARGUMENTS)
    for parser, said in ((integer, "a whole number"), (count, "whole number"), (number, "number")):
        with pytest.raises(ValueError, match=f"^received 'x'; needs .*{said}$"):
            parser("x")
    assert (integer("-3"), number("0.5"), device_named("cpu")) == (-3, 0.5, "cpu")
    for device in ("meta", "gpu", "hpu", "cdua"):
        with pytest.raises(ConfigError, match="allowed cpu, cuda, mps, xpu"):
            device_named(device)
