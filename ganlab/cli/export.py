"""`ganlab export`: a run's networks in the formats of other programs."""

from __future__ import annotations

import re
from pathlib import Path

from ganlab.cli.arguments import REQUIRED, Argument, parse, usage, wants_help
from ganlab.config.values import boolean, check_folder
from ganlab.errors import ConfigError, nearest

ENDINGS = {"onnx": ".onnx", "torch_export": ".pt2", "safetensors": ".safetensors"}
FORMATS = ("pth", *ENDINGS)


def _format(text: str) -> str:
    if text not in FORMATS:
        raise ValueError(
            f"received {text!r}; allowed {', '.join(FORMATS)}.{nearest(text, list(FORMATS))}"
        )
    return text


def _size(text: str) -> tuple[int, int]:
    if not (match := re.fullmatch(r"(\d+)(?:x(\d+))?", text)):
        raise ValueError(f"received {text!r}; needs a side, or HEIGHTxWIDTH")
    return int(match[1]), int(match[2] or match[1])


ARGUMENTS = {
    "run": Argument(Path, "the run's folder, outputs/…", REQUIRED),
    "format": Argument(
        _format,
        "pth (the public CycleGAN and pix2pix layout, all networks), onnx, torch_export or "
        "safetensors",
        REQUIRED,
    ),
    "out": Argument(Path, "a file, or a folder for pth (<run>/exported)"),
    "direction": Argument(str, "of a translation, a_to_b or b_to_a (the first)"),
    "size": Argument(_size, "of a translation's pictures in graphs: 256 or 256x512 (the data's)"),
    "ema": Argument(boolean, "true for averaged weights where there are some (true)", True),
    "checkpoint": Argument(str, "last, best, or a checkpoint's file (last)", "last"),
}
UNUSED = {"direction": ("pth",), "size": ("pth", "safetensors")}


def main(argv: list[str]) -> int:
    """Write the files, and compare what they hold with the run's networks."""
    if wants_help(argv):
        print(usage("export", "write trained networks for other programs.", ARGUMENTS))
        return 0
    arguments = parse(argv, ARGUMENTS)
    for key, formats in UNUSED.items():
        if arguments[key] is not None and arguments["format"] in formats:
            others = " and ".join(name for name in FORMATS if name not in formats)
            raise ConfigError(f"{key}: is for {others}; leave it out.")
    if arguments["out"] is not None:
        is_folder = arguments["format"] == "pth"
        check_folder("out", arguments["out"] if is_folder else arguments["out"].parent)
    from ganlab.core.load import load_module
    from ganlab.exchange import exporting

    module = load_module(arguments["run"], arguments["checkpoint"])
    form, ema = arguments["format"], arguments["ema"]
    out = arguments["out"] or arguments["run"] / "exported"
    if form == "pth":
        print("\n".join(exporting.export_public(module, out, ema)))
        return 0
    name = exporting.generator_of(module, arguments["direction"])
    if arguments["out"] is None:
        out = out / f"{name}{ENDINGS[form]}"
    elif out.suffix != ENDINGS[form]:
        raise ConfigError(f"out: received {out}; a file of format {form} ends in {ENDINGS[form]}.")
    if form == "safetensors":
        print(exporting.export_safetensors(module, name, out, ema))
    else:
        print(exporting.export_graph(module, name, out, ema, form, arguments["size"]))
    return 0
