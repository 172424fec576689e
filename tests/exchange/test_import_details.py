"""What `ganlab import` and `ganlab export` say and refuse, beyond their round trip."""

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
    """Files of public networks, by what follows net_; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (role, network) in enumerate(networks.items()):
        torch.save(randomised(network, seed).state_dict(), folder / f"latest_net_{role}.pth")
    return folder


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """The run of a lone generator of the second direction."""
    base = tmp_path_factory.mktemp("second")
    file = write(base / "sat2map", G_A=ResNet(f=2, blocks=1)) / "latest_net_G_A.pth"
    file = file.rename(file.with_name("latest_net_G.pth"))
    words = ["direction=b_to_a", f"out={base / 'run'}", "trainer=cpu", *SMALL]
    assert main(["import", "cyclegan", str(file), *words]) == 0
    return base / "run"


def test_a_lone_generator_is_the_one_that_translates(tmp_path, capsys):
    """The hint names its direction; the other one, drawn anew, is warned of."""
    file = write(tmp_path / "m", G=ResNet(f=2, blocks=1)) / "latest_net_G.pth"
    run, picture = tmp_path / "run", tmp_path / "x.png"
    words = ["import", "cyclegan", str(file), "direction=b_to_a", f"out={run}", *QUICK, *SMALL]
    assert main(words) == 0
    said = capsys.readouterr().out
    hint = next(line for line in said.splitlines() if "ganlab translate" in line)
    assert hint.endswith(" direction=b_to_a")
    save_png(torch.zeros(3, 32, 32, dtype=torch.uint8), picture)
    words = ["translate", f"run={run}", f"input={picture}", f"output={tmp_path / 'out'}"]
    assert main([*words, "device=cpu"]) == 0
    warned = capsys.readouterr().err
    assert "warning: generator_ab was not part of the import" in warned
    assert "Choose direction=b_to_a." in warned
    assert main([*words, "device=cpu", "direction=b_to_a"]) == 0
    assert "warning" not in capsys.readouterr().err


def test_the_hint_of_a_first_generator_names_no_direction(tmp_path, capsys):
    """And asks for no folder where the data are drawn; the run can be evaluated."""
    folder = write(tmp_path / "m", G_A=ResNet(f=2, blocks=1))
    words = ["data=shapes_unpaired", "trainer=cpu", f"out={tmp_path / 'run'}"]
    assert main(["import", "cyclegan", str(folder), *words]) == 0
    said = capsys.readouterr().out
    assert "direction=" not in said
    assert "data.root" not in said
    assert f"ganlab evaluate run={tmp_path / 'run'}\n" in said
    assert f"ganlab train run={tmp_path / 'run'} resume=true\n" in said


def test_a_run_without_its_folder_asks_for_it(second, capsys):
    """No path is made up for it."""
    assert read_config(second)["data"]["root"] is None
    for words in (["evaluate", f"run={second}"], ["train", f"run={second}", "resume=true"]):
        assert main(words) == 1
        assert "data.root: missing. Give the folder" in capsys.readouterr().err


def test_numbers_that_are_none_are_not_imported(tmp_path, capsys):
    folder = write(tmp_path / "m", G=ResNet(f=2, blocks=1))
    state = torch.load(folder / "latest_net_G.pth")
    key = list(state)[4]
    state[key].view(-1)[0] = float("nan")
    torch.save(state, folder / "latest_net_G.pth")
    words = ["import", "pix2pix", str(folder), f"out={tmp_path / 'run'}", *QUICK]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert f"latest_net_G.pth: {key} holds NaN" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("form", ["pth", "safetensors"])
def test_what_is_exported_is_compared_by_bytes(second, tmp_path, capsys, monkeypatch, form):
    """A network that has diverged is written as it is."""
    module = load_module(second)
    with torch.no_grad():
        next(module.generator_ab.parameters()).fill_(float("nan"))
    monkeypatch.setattr("ganlab.core.load.load_module", lambda folder, checkpoint: module)
    out = tmp_path / ("out" if form == "pth" else "g.safetensors")
    assert main(["export", f"run={second}", f"format={form}", f"out={out}"]) == 0
    assert "read back without a difference" in capsys.readouterr().out


def test_a_graph_of_a_diverged_network_says_so(second, tmp_path, capsys, monkeypatch):
    module = load_module(second)
    with torch.no_grad():
        next(module.generator_ab.parameters()).fill_(float("nan"))
    monkeypatch.setattr("ganlab.core.load.load_module", lambda folder, checkpoint: module)
    words = ["format=torch_export", f"out={tmp_path / 'g.pt2'}", "size=32"]
    assert main(["export", f"run={second}", *words]) == 1
    assert "run: generator_ab makes NaN" in capsys.readouterr().err


def test_files_without_an_epoch(tmp_path, capsys):
    """They are taken where there are no latest ones, and never in place of a named epoch."""
    folder = write(tmp_path / "m", G=UNet(3, 3, 6, 2))
    (folder / "latest_net_G.pth").rename(folder / "net_G.pth")
    words = ["import", "pix2pix", str(folder), *QUICK]
    assert main([*words, "epoch=5", f"out={tmp_path / 'run'}"]) == 1
    said = capsys.readouterr().err
    assert "Give the files by name." in said
    assert "None" not in said
    assert main([*words, f"out={tmp_path / 'run'}"]) == 0
    assert "net_G.pth" in capsys.readouterr().out


def test_arguments_without_a_use_are_refused(second, tmp_path, capsys):
    cycle = write(tmp_path / "c", G_A=ResNet(f=2, blocks=1), D_A=Patch(f=2, layers=1))
    pairs = write(tmp_path / "p", G=ResNet(f=2, blocks=1))
    out = f"out={tmp_path / 'run'}"
    for words in (
        ["import", "cyclegan", str(cycle), out, "objective=l1"],
        ["import", "cyclegan", str(cycle), out, "dropout=false"],
        ["import", "cyclegan", str(cycle), out, "direction=b_to_a"],
        ["import", "pix2pix", str(pairs), out, "dropout=false"],
        ["export", f"run={second}", "format=pth", "direction=a_to_b"],
        ["export", f"run={second}", "format=pth", "size=64"],
        ["export", f"run={second}", "format=safetensors", "size=64"],
        ["bench", f"run={second}"],
        ["bench", "resume=true"],
    ):
        assert main(words) == 1, words
        said = capsys.readouterr().err
        assert f"{words[-1].partition('=')[0]}: is for " in said, words
        assert "eave it out." in said
    assert not (tmp_path / "run").exists()


def test_files_in_the_place_of_folders(second, tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("kept")
    run = f"run={second}"
    for words in (
        ["export", run, "format=pth", f"out={file}"],
        ["export", run, "format=safetensors", f"out={file / 'x.safetensors'}"],
        ["export", run, "format=torch_export", f"out={file / 'deep' / 'x.pt2'}"],
        ["import", "cyclegan", str(second.parent / "sat2map"), f"out={file / 'run'}"],
    ):
        assert main(words) == 1
        assert f"{file} is a file; name a folder." in capsys.readouterr().err
    assert file.read_text() == "kept"


def test_messages_of_arguments_are_in_words():
    from ganlab.cli.arguments import parse
    from ganlab.cli.export import ARGUMENTS
    from ganlab.config.values import count, device_named, number, whole

    with pytest.raises(ConfigError, match=r"Did you mean 'safetensors'\? It is"):
        parse(["run=x", "format=safetensor"], ARGUMENTS)
    for parser, said in ((whole, "a whole number"), (count, "a whole number"), (number, "number")):
        with pytest.raises(ValueError, match=f"^received 'x'; needs .*{said}$"):
            parser("x")
    assert (whole("-3"), number("0.5"), device_named("cpu")) == (-3, 0.5, "cpu")
    for device in ("meta", "gpu", "hpu", "cdua"):
        with pytest.raises(ConfigError, match="allowed cpu, cuda, mps, xpu"):
            device_named(device)
