"""`ganlab translate` with a translator whose results are known: it inverts pictures."""

import pytest
import torch
from PIL import Image
from torch import nn

from ganlab.cli import main
from ganlab.core import AdversarialModule
from ganlab.core.translator import Direction, Translator
from ganlab.data.readers.decoding import Decoder


class Inverter(nn.Module):
    """Network that returns −x, and raises unless both sides are multiples of 8."""

    multiple = 8

    def __init__(self, channels):
        super().__init__()
        self.in_channels = channels
        self.conv = nn.Conv2d(channels, channels, 1, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(-torch.eye(channels)[:, :, None, None])

    def forward(self, x):
        if x.shape[2] % 8 or x.shape[3] % 8:
            raise RuntimeError(f"sides {x.shape[2:]}")
        return self.conv(x)


class Noise(Inverter):
    """Network that returns a picture of one random shade, sampled anew at each call."""

    def forward(self, x):
        return torch.zeros_like(x) + torch.rand(())


class Game(Translator):
    """Translator that inverts RGB (a_to_b) or grey pictures (b_to_a), or returns noise."""

    directions = {
        "a_to_b": Direction("a", "b", "generator_ab"),
        "b_to_a": Direction("b", "a", "generator_ba"),
        "noise": Direction("a", "b", "noise"),
    }

    def __init__(self):
        super().__init__()
        self.generator_ab, self.generator_ba, self.noise = Inverter(3), Inverter(1), Noise(1)


@pytest.fixture
def run(monkeypatch):
    """Arguments of a command that loads `Game` as its run."""
    monkeypatch.setattr("ganlab.core.load.load_module", lambda *_: Game())
    return ["translate", "run=anything", "device=cpu"]


def write(path, size=(40, 30), colour=(10, 20, 30), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)
    return path


def read(path, channels=3):
    return Decoder(channels)(path)


@pytest.mark.parametrize("options", [[], ["tile=64"], ["tile=64", "overlap=0"]])
def test_one_picture_of_any_size(run, tmp_path, options):
    """Every byte is inverted, with and without tiles, and the picture keeps its size."""
    path = tmp_path / "in" / "ein Bild.bmp"
    path.parent.mkdir()
    given = torch.randint(256, (101, 133, 3), dtype=torch.uint8)
    Image.fromarray(given.numpy()).save(path)
    arguments = [*run, f"input={path}", f"output={tmp_path / 'out'}"]
    assert main([*arguments, *options]) == 0
    result = read(tmp_path / "out" / "ein Bild.png")
    assert torch.equal(result, 255 - given.permute(2, 0, 1))
    assert (tmp_path / "out" / "sheet.png").exists()


def test_results_of_a_folder_keep_its_sub_folders(run, tmp_path):
    """Files with equal stems keep their endings, hidden files are skipped, and a second call does
    not translate the results of the first call."""
    inputs = tmp_path / "in"
    out = inputs / "out"
    for name in ("x.png", "deep/er/x.png", "y.png", "y.BMP", "sheet.png", ".hidden/z.png"):
        write(inputs / name)
    for _ in range(2):
        assert main([*run, f"input={inputs}", f"output={out}"]) == 0
        results = {str(path.relative_to(out)) for path in out.rglob("*.png")}
        expected = {"x.png", "deep/er/x.png", "y.png.png", "y.BMP.png", "sheet.png.png"}
        assert results == expected | {"sheet.png"}
    assert read(inputs / "x.png")[:, 0, 0].tolist() == [10, 20, 30]
    assert read(out / "x.png")[:, 0, 0].tolist() == [245, 235, 225]


def test_results_are_not_mixed_with_those_of_other_pictures(run, tmp_path, capsys):
    inputs, out = tmp_path / "in", tmp_path / "out"
    write(inputs / "x.png")
    write(out / "deep" / "old.png")
    old = (out / "deep" / "old.png").read_bytes()
    assert main([*run, f"input={inputs}", f"output={out}"]) == 1
    assert "holds other files (deep/old.png)" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.rglob("*.*")} == {out / "deep/old.png": old}
    assert main([*run, f"input={inputs / 'x.png'}", f"output={out}"]) == 0  # a single picture


def test_result_has_as_many_channels_as_the_generator(run, tmp_path):
    """Direction b_to_a takes grey pictures: the luma of a colour picture is inverted."""
    path = write(tmp_path / "x.png", colour=(90, 90, 90))
    arguments = [*run, f"input={path}", f"output={tmp_path / 'out'}", "direction=b_to_a"]
    assert main(arguments) == 0
    with Image.open(tmp_path / "out" / "x.png") as picture:
        assert picture.mode == "L"
        assert picture.getpixel((0, 0)) == 165


def test_noise_is_the_same_in_all_tiles_and_pictures(run, tmp_path):
    """The noise depends only on the seed, so that all tiles and pictures get the same style."""
    for name in ("x.png", "y.png"):
        write(tmp_path / "in" / name, size=(150, 150))
    shades = []
    for seed in ([], ["seed=0"], ["seed=1"]):
        arguments = [*run, f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}", "tile=64"]
        assert main([*arguments, "direction=noise", *seed]) == 0
        results = torch.stack([read(tmp_path / "out" / f"{x}.png", 1) for x in "xy"])
        assert results.max() - results.min() <= 1  # a rounding where seams are blended
        shades.append(int(results.max()))
    assert shades[0] == shades[1] != shades[2]


def test_unreadable_files_are_named_and_the_others_translated(run, tmp_path, capsys):
    inputs = tmp_path / "in"
    write(inputs / "good.png")
    (inputs / "broken.png").write_bytes(b"no picture")
    (inputs / "cut.png").write_bytes((inputs / "good.png").read_bytes()[:60])
    assert main([*run, f"input={inputs}", f"output={tmp_path / 'out'}"]) == 1
    printed = capsys.readouterr().err
    assert "2 of 3" in printed
    assert "broken.png: no format" in printed
    assert "cut.png" in printed
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"good.png", "sheet.png"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["input={here}/none"], "there is no"),
        (["input={here}/empty"], "holds no pictures"),
        (["input={here}/in", "output={here}/in"], "name another"),
        (["input={here}/in/x.png", "output={here}/in"], "would replace"),
        (["input={here}/in", "output={here}/in/x.png"], "is a file"),
        (["direction=b_to"], "a_to_b, b_to_a, noise. Did you mean 'b_to_a'?"),
        (["tile=60"], "tile: received 60"),
        (["tile=64", "overlap=50"], "0 … 32"),
        (["max_pixels=9999"], "1 of 1 pictures could not be read"),
        (["overlap=-1"], "overlap: received -1"),
        (["titel=64"], "Did you mean 'tile'?"),
        (["device=gpu"], "device: received 'gpu'; allowed cpu, cuda, mps, xpu"),
        (["device=meta"], "device: received 'meta'; allowed cpu, cuda, mps, xpu"),
        (["seed=x"], "seed: received 'x'; needs a whole number. Argument seed:"),
        (["seed=99999999999999999999"], "needs 0 … 4294967295"),
        (["overlap=5000"], "with tiles of 512 pixels allowed 0 … 256"),
        (["output={here}/in/x.png/y"], "x.png is a file"),
    ],
)
def test_wrong_arguments_give_one_message(run, tmp_path, capsys, arguments, message):
    """Nothing is written, and no picture is changed."""
    original = write(tmp_path / "in" / "x.png", size=(100, 100)).read_bytes()
    (tmp_path / "empty").mkdir()
    given = [text.format(here=tmp_path) for text in arguments]
    for key, folder in (("input", "in"), ("output", "out")):
        if not any(text.startswith(f"{key}=") for text in given):
            given.append(f"{key}={tmp_path / folder}")
    keys = {text.partition("=")[0] for text in given}
    assert main([*(text for text in run if text.partition("=")[0] not in keys), *given]) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed
    assert (tmp_path / "in" / "x.png").read_bytes() == original
    assert not list(tmp_path.rglob("*.part"))


def test_tiles_are_checked_before_the_first_picture(run, tmp_path, capsys):
    """A wrong overlap is refused although a.png is too small for tiles and b.png unreadable."""
    write(tmp_path / "in" / "a.png", size=(20, 20))
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    words = [*run, f"input={tmp_path / 'in'}", f"output={tmp_path / 'out'}"]
    assert main([*words, "tile=64", "overlap=33"]) == 1
    assert "0 … 32" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("error", "message", "absent"),
    [
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
            "this computer has too little memory for 40×30 pixels",
            "device=cpu",
        ),
        (
            RuntimeError("DefaultCPUAllocator: not enough memory: you tried 9 bytes"),
            "this computer has too little memory",
            "device=cpu",
        ),
        (torch.OutOfMemoryError("CUDA out of memory."), "or device=cpu", "this computer"),
    ],
)
def test_too_little_memory(run, tmp_path, capsys, monkeypatch, error, message, absent):
    def fail(self, x):
        raise error

    monkeypatch.setattr(Inverter, "forward", fail)
    path = write(tmp_path / "x.png")
    assert main([*run, f"input={path}", f"output={tmp_path / 'out'}"]) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert absent not in printed


def test_other_runtime_errors_are_not_caught(run, tmp_path, monkeypatch):
    def fail(self, x):
        raise RuntimeError("a defect")

    monkeypatch.setattr(Inverter, "forward", fail)
    path = write(tmp_path / "x.png")
    with pytest.raises(RuntimeError, match="a defect"):
        main([*run, f"input={path}", f"output={tmp_path / 'out'}"])


def test_run_of_a_model_that_does_not_translate_is_refused(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("ganlab.core.load.load_module", lambda *_: AdversarialModule())
    path = write(tmp_path / "x.png")
    assert main(["translate", "run=other", f"input={path}", f"output={tmp_path / 'out'}"]) == 1
    assert "run: other holds a AdversarialModule, which translates nothing" in (
        capsys.readouterr().err
    )


def test_help_explains_tiles(capsys):
    assert main(["translate", "--help"]) == 0
    printed = capsys.readouterr().out
    for word in ("padded by reflection", "instance normalisation", "1,048,576", "overlap="):
        assert word in printed
