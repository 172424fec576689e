"""`ganlab export`: write a run's networks in the formats of other programs."""

from __future__ import annotations

import re
from pathlib import Path

from ganlab.cli.arguments import REQUIRED, TRUST, Argument, parse, say_loading, usage, wants_help
from ganlab.config.values import boolean, check_folder
from ganlab.errors import ConfigError, nearest

ENDINGS = {"onnx": ".onnx", "torch_export": ".pt2", "safetensors": ".safetensors"}
FORMATS = ("pth", *ENDINGS, "model")


def _format(text: str) -> str:
    if text not in FORMATS:
        raise ValueError(
            f"received {text!r}; allowed {', '.join(FORMATS)}.{nearest(text, list(FORMATS))}"
        )
    return text


def _size(text: str) -> tuple[int, int]:
    if not (match := re.fullmatch(r"(\d+)(?:x(\d+))?", text)):
        raise ValueError(f"received {text!r}; needs a side length, or HEIGHTxWIDTH")
    return int(match[1]), int(match[2] or match[1])


ARGUMENTS = {
    "run": Argument(Path, "the run's folder, outputs/…", REQUIRED),
    "format": Argument(
        _format,
        "pth (the files of the CycleGAN and pix2pix authors' code, for all networks that these "
        "can hold), onnx, torch_export or safetensors, of one generator; or model: the whole model "
        "in one file for ganlab sample, with its scores",
        REQUIRED,
    ),
    "out": Argument(
        Path, "file to write; for pth a folder (default: in the folder exported/ of the run)"
    ),
    "direction": Argument(
        str,
        "which generator of a translator to export, a_to_b or b_to_a (default: the model's first "
        "direction)",
    ),
    "size": Argument(
        _size,
        "SIDE or HEIGHTxWIDTH of the input pictures of an exported translator, e.g. 256x512 "
        "(default: the size of the training data)",
    ),
    "dtype": Argument(
        str, "of the weights in a file of format=model, float16 or float32 (default: float16)"
    ),
    "ema": Argument(boolean, "true for EMA weights if available, false for raw weights", True),
    "checkpoint": Argument(str, "last, best, or a checkpoint's file", "last"),
    "trust": TRUST,
}
# maps an argument to the formats that do not support it
NOT_FOR = {
    "direction": ("pth", "model"),
    "size": ("pth", "safetensors", "model"),
    "dtype": ("pth", *ENDINGS),
}


def main(argv: list[str]) -> int:
    """Write the files, and check that they reproduce the run's networks."""
    if wants_help(argv):
        print(usage("export", "write trained networks for other programs.", ARGUMENTS))
        return 0
    arguments = parse(argv, ARGUMENTS)
    for key, formats in NOT_FOR.items():
        if arguments[key] is not None and arguments["format"] in formats:
            allowed = " and ".join(name for name in FORMATS if name not in formats)
            raise ConfigError(f"{key}: is for {allowed}; leave it out.")
    if arguments["out"] is not None:
        is_folder = arguments["format"] == "pth"
        check_folder("out", arguments["out"] if is_folder else arguments["out"].parent)
    say_loading("export", f"the model of {arguments['run']}")
    from ganlab.core.load import load_module
    from ganlab.core.model_files import folder_for
    from ganlab.exchange import exporting
    from ganlab.exchange.model_export import export_model

    module = load_module(arguments["run"], arguments["checkpoint"], arguments["trust"])
    file_format, ema = arguments["format"], arguments["ema"]
    out = arguments["out"] or folder_for(arguments["run"]) / "exported"
    if file_format == "pth":
        print("\n".join(exporting.export_public(module, out, ema)))
        return 0
    is_model = file_format == "model"
    name = "model" if is_model else exporting.generator_of(module, arguments["direction"])
    ending = ".safetensors" if is_model else ENDINGS[file_format]
    if arguments["out"] is None:
        out = out / f"{name}{ending}"
    elif out.suffix != ending:
        raise ConfigError(f"out: received {out}; the name must end in {ending} for {file_format}.")
    if is_model:
        if not ema:
            raise ConfigError("ema: a model file holds EMA weights; leave ema=false out.")
        print(export_model(module, out, arguments["dtype"] or "float16"))
    elif file_format == "safetensors":
        print(exporting.export_safetensors(module, name, out, ema))
    else:
        print(exporting.export_graph(module, name, out, ema, file_format, arguments["size"]))
    return 0
