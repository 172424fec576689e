"""`ganlab import` and `ganlab export`: public checkpoints to runs and back, and their errors."""

import json
import pickle

import pytest
import torch
from helpers.peer_networks import Patch, ResNet, UNet, randomised
from safetensors import safe_open
from torch import nn

from ganlab.cli import main
from ganlab.core.load import load_module
from ganlab.modalities.grid import save_png
from ganlab.record.run import read_config

pytestmark = pytest.mark.usefixtures("no_curves")

QUICK = ["protocol=none", "trainer=cpu", "callbacks.progress.enabled=false"]
SMALL = ["data.size=32", "data.load_size=32"]


def write(folder, **networks):
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (role, network) in enumerate(networks.items()):
        torch.save(randomised(network, seed).state_dict(), folder / f"latest_net_{role}.pth")
    return networks


@pytest.fixture(scope="module")
def cyclegan(tmp_path_factory):
    """The networks of a public CycleGAN, the folder of its files, and the folder of its run."""
    base = tmp_path_factory.mktemp("cyclegan")
    theirs = write(
        base / "horse2zebra",
        G_A=ResNet(f=4, blocks=2),
        G_B=ResNet(f=4, blocks=2),
        D_A=Patch(f=4, layers=2, norm="instance"),
        D_B=Patch(f=4, layers=2, norm="instance"),
    )
    run = base / "run"
    words = ["import", "cyclegan", str(base / "horse2zebra"), f"out={run}", *QUICK, *SMALL]
    assert main(words) == 0
    return theirs, base / "horse2zebra", run


@pytest.fixture(scope="module")
def pix2pix(tmp_path_factory):
    """The networks of a public pix2pix with a U-Net, the folder of its files, and of its run."""
    base = tmp_path_factory.mktemp("pix2pix")
    files = base / "facades"
    theirs = write(files, G=UNet(1, 3, 6, 2), D=Patch(4, f=2, layers=1))
    run = base / "run"
    words = ["import", "pix2pix", str(files), f"out={run}", "direction=b_to_a", *QUICK]
    assert main(words) == 0
    return theirs, files, run


def test_imported_cyclegan_computes_the_same_as_the_public_networks(cyclegan):
    theirs, _, run = cyclegan
    module = load_module(run)
    x = torch.rand(2, 3, 32, 48) * 2 - 1
    for direction, role in (("a_to_b", "G_A"), ("b_to_a", "G_B")):
        expected = theirs[role].eval()(x)
        torch.testing.assert_close(module.translate(x, direction), expected, rtol=0, atol=1e-5)
    # a public D_A is the discriminator of domain B
    for domain, role in (("a", "D_B"), ("b", "D_A")):
        scores = module.get_submodule(f"discriminator_{domain}")(x)
        torch.testing.assert_close(scores, theirs[role].eval()(x), rtol=1e-5, atol=1e-6)


def test_imported_pix2pix_computes_the_same_as_the_public_networks(pix2pix):
    """Batch norm uses the statistics of each single picture, as in the public test code."""
    theirs, _, run = pix2pix
    config, module = read_config(run), load_module(run)
    assert config["data"]["direction"] == "b_to_a"
    assert (config["data"]["source_channels"], config["data"]["size"]) == (1, 64)
    assert config["model"]["conditional"] is True
    x = torch.rand(2, 1, 64, 64) * 2 - 1
    module.dropout_at_test = False
    network = theirs["G"].train()
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()
    expected = torch.cat([network(picture[None]) for picture in x])
    torch.testing.assert_close(module.translate(x), expected, rtol=0, atol=1e-5)
    scores = module.discriminator(torch.cat([x, expected], 1))
    torch.testing.assert_close(scores, theirs["D"].eval()(torch.cat([x, expected], 1)))


@pytest.mark.parametrize("which", ["cyclegan", "pix2pix"])
def test_import_and_export_reproduce_the_files(which, request, capsys):
    """Names, their order, shapes, types and all numbers are equal."""
    _, files, run = request.getfixturevalue(which)
    assert main(["export", f"run={run}", "format=pth"]) == 0
    assert "without a difference" in capsys.readouterr().out
    other = run / "exported" / "latest_net_G_other.pth"
    other.write_bytes(b"")
    assert main(["export", f"run={run}", "format=pth"]) == 1
    assert "holds other networks (latest_net_G_other.pth)" in capsys.readouterr().err
    other.unlink()
    written = {path.name for path in (run / "exported").glob("*.pth")}
    assert written == {path.name for path in files.iterdir()}
    for path in files.iterdir():
        before = torch.load(path, weights_only=True)
        after = torch.load(run / "exported" / path.name, weights_only=True)
        assert [*before] == [*after]
        for key, tensor in before.items():
            assert tensor.dtype == after[key].dtype
            assert torch.equal(tensor, after[key])


def test_imported_run_can_be_resumed_and_evaluated(cyclegan, tmp_path, monkeypatch):
    _, files, _ = cyclegan
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = tmp_path / "run"
    words = [word for word in QUICK if word != "protocol=none"]
    assert main(["import", "cyclegan", str(files), f"out={run}", *words, *SMALL]) == 0
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "interrupted"
    assert record["imported"]["generator_ab"]["file"].endswith("latest_net_G_A.pth")
    before = load_module(run)
    rng = torch.Generator()
    rng.manual_seed(0)
    for folder in ("trainA", "trainB", "testA", "testB"):
        for name in "xy":
            picture = torch.randint(256, (3, 32, 32), generator=rng, dtype=torch.uint8)
            save_png(picture, tmp_path / "data" / folder / f"{name}.png")
    more = [f"data.root={tmp_path / 'data'}", "budget.batches=2"]
    assert main(["train", f"run={run}", "resume=true", *more]) == 0
    after = load_module(run)
    assert after.steps == {"generator": 2, "discriminator": 2}
    assert json.loads((run / "run.json").read_text())["imported"] == record["imported"]
    assert main(["evaluate", f"run={run}"]) == 0
    assert (run / "scores.json").exists()
    for name, network in before.named_children():
        if not name.startswith(("generator", "discriminator")):
            continue
        moved = [
            (a - b).abs().max()
            for a, b in zip(
                network.parameters(), after.get_submodule(name).parameters(), strict=True
            )
        ]
        assert 0 < max(moved) < 0.01  # two steps of Adam away from the files' weights


def test_single_generator_can_be_imported(tmp_path, capsys):
    """Public pretrained models have only a generator: other networks are initialized at random."""
    write(tmp_path / "sat2map", G=ResNet(3, 3, 2, 1, drop=True))
    words = [str(tmp_path / "sat2map" / "latest_net_G.pth"), "direction=b_to_a", *QUICK]
    assert main(["import", "cyclegan", *words, f"out={tmp_path / 'run'}"]) == 0
    said = capsys.readouterr().out
    assert said.count("no file, initialized at random") == 3
    model = read_config(tmp_path / "run")["model"]
    assert model["generator_ba"]["dropout"] is True
    assert model["generator_ab"] == model["generator_ba"]
    write(tmp_path / "p2p", G=UNet(3, 3, 6, 2))
    words = [str(tmp_path / "p2p"), "dropout=false", "objective=l1", "loss=none", *QUICK]
    assert main(["import", "pix2pix", *words, f"out={tmp_path / 'run2'}"]) == 0
    model = read_config(tmp_path / "run2")["model"]
    assert model["generator"]["dropout"] is False
    assert not hasattr(load_module(tmp_path / "run2"), "discriminator")


class Code:
    """An object whose unpickling runs code."""

    def __reduce__(self):
        return print, ("this code must never run",)


def bad_files(folder):
    """Yield folders that cannot be imported, each with a pattern of the expected message."""
    small = ResNet(f=2, blocks=1).state_dict()
    cases = {
        "empty": ({}, "(?s)no checkpoint of epoch latest.*latest_net_G_A.pth"),
        "epoch": ({"5_net_G.pth": small}, "Choose epoch=5"),
        "code": ({"latest_net_G.pth": Code()}, "not read, since that could run its code"),
        "epochs": ({"latest_net_G.pth": {"state_dict": small, "epoch": 3}}, "more than tensors"),
        "other": ({"latest_net_G.pth": {"w": torch.zeros(2)}}, "(?s)fit no known.*U-Net"),
        "judge": ({"latest_net_G.pth": Patch(f=2).state_dict()}, "is called G, but holds a Patch"),
        "lonely": ({"latest_net_D.pth": Patch(f=2).state_dict()}, "no file holds a generator"),
        "channels": (
            {"latest_net_G.pth": small, "latest_net_D.pth": Patch(5, f=2).state_dict()},
            r"has 5 channels; allowed 3 \(the generator's output\), or 6",
        ),
        "cycle": ({"latest_net_G_A.pth": small}, "use ganlab import cyclegan"),
    }
    for name, (files, message) in cases.items():
        (folder / name).mkdir()
        for file, contents in files.items():
            torch.save(contents, folder / name / file)
        yield folder / name, message
    (folder / "text").mkdir()
    (folder / "text" / "latest_net_G.pth").write_text("no checkpoint")
    yield folder / "text", "is no PyTorch file, or is damaged|holds more than tensors"
    (folder / "pickle").mkdir()
    (folder / "pickle" / "latest_net_G.pth").write_bytes(pickle.dumps({"a": Code()}, 2))
    yield folder / "pickle", "is no PyTorch file, or is damaged|holds more than tensors"
    yield folder / "missing", "no such file or folder"


def test_bad_files_are_refused_without_running_code(tmp_path, capsys):
    import re

    for path, message in bad_files(tmp_path):
        out = tmp_path / "out"
        assert main(["import", "pix2pix", str(path), f"out={out}", *QUICK]) == 1, path
        streams = capsys.readouterr()
        assert re.search(message, streams.err), (path, streams.err)
        assert "never run" not in streams.out
        assert not out.exists()


def test_wrong_arguments_of_import_are_refused(cyclegan, pix2pix, capsys):
    (_, files, run), (_, pairs, _) = cyclegan, pix2pix
    for words, message in (
        (["cycelgan", str(files)], "Did you mean 'cyclegan'"),
        (["cyclegan"], "no path"),
        (["cyclegan", str(pairs)], "or not of a cyclegan"),
        (["cyclegan", str(files), "direction=a2b"], "allowed a_to_b, b_to_a"),
        (["cyclegan", str(files), f"out={run}"], "holds a run already"),
        (["cyclegan", str(files), "model.generator_ab.blocks=3"], "is read from the files"),
        (["cyclegan", str(files), "bugdet.batches=3"], "Did you mean 'budget'"),
    ):
        assert main(["import", *words]) == 1
        assert message in capsys.readouterr().err
    assert main(["import"]) == 2


def test_torch_export_computes_the_same_as_the_model_for_any_batch_size(pix2pix, tmp_path, capsys):
    """Batch norm uses the statistics of each single picture; dropout is off."""
    _, _, run = pix2pix
    out = tmp_path / "g.pt2"
    assert main(["export", f"run={run}", "format=torch_export", f"out={out}"]) == 0
    printed = capsys.readouterr().out
    assert "x (N, 1, 64, 64); without the noise of dropout; max difference" in printed
    program = torch.export.load(out).module()
    module = load_module(run)
    module.dropout_at_test = False
    x = torch.rand(3, 1, 64, 64) * 2 - 1
    torch.testing.assert_close(program(x), module.translate(x), rtol=0, atol=1e-5)


def test_onnx_computes_the_same_or_names_missing_packages(cyclegan, capsys, monkeypatch, tmp_path):
    import importlib.util

    _, _, run = cyclegan
    out = tmp_path / "g.onnx"
    words = ["export", f"run={run}", "format=onnx", "direction=b_to_a", "size=16x24", f"out={out}"]
    if all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript", "onnxruntime")):
        assert main(words) == 0
        assert "generator_ba of x (N, 3, 16, 24); max difference" in capsys.readouterr().out
        assert out.exists()
        out.unlink()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(words) == 1
    assert "pip install 'ganlab[onnx]'" in capsys.readouterr().err
    assert not out.exists()


def test_dcgan_is_exported_as_safetensors_and_graph(tmp_path, capsys):
    """EMA weights are exported by default, raw weights with ema=false."""
    run = tmp_path / "dcgan"
    small = ["data=synthetic", "data.size=16", "model.generator.features=2", "budget.batches=2"]
    small += ["model.discriminator.features=2", "callbacks.samples.every_examples=null"]
    assert main(["train", "model=dcgan", *small, *QUICK, f"run_dir={run}"]) == 0
    module = load_module(run)
    for ema, network in ((True, module.averaged["generator"]), (False, module.generator)):
        out = tmp_path / f"{ema}.safetensors"
        assert main(["export", f"run={run}", "format=safetensors", f"out={out}", f"ema={ema}"]) == 0
        with safe_open(out, "pt") as file:
            metadata = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        assert metadata["weights"] == ("ema" if ema else "raw")
        assert json.loads(metadata["config"]) == module.config
        assert json.loads(metadata["network"])["_target_"] == "ganlab.networks.DCGANGenerator"
        state = network.state_dict()
        assert tensors.keys() == state.keys()
        assert all(torch.equal(tensors[key], state[key]) for key in state)
    capsys.readouterr()
    assert main(["export", f"run={run}", "format=torch_export"]) == 0
    assert "generator of z (N, 100); max difference" in capsys.readouterr().out
    for words, message in (
        (["format=pth"], "layout of CycleGAN and pix2pix"),
        (["format=pt"], "allowed pth, onnx, torch_export, safetensors"),
        (["format=torch_export", "size=64"], "leave it out"),
        (["format=safetensors", "direction=a_to_b"], "does not translate"),
        (["format=safetensors", "out=x.pt2"], "must end in .safetensors"),
    ):
        assert main(["export", f"run={run}", *words]) == 1
        assert message in capsys.readouterr().err
