"""`ganlab sample`: make samples with a trained model."""

from __future__ import annotations

import secrets
from pathlib import Path

from ganlab.cli.arguments import REQUIRED, Argument, parse, usage, wants_help
from ganlab.config.values import boolean, count, number, seed
from ganlab.errors import ConfigError


def _labels(text: str) -> list[int]:
    return [int(part) for part in text.strip("[]").split(",")]


ARGUMENTS = {
    "run": Argument(Path, "the run's folder, outputs/…", REQUIRED),
    "n": Argument(count, "how many samples (64)", 64),
    "seed": Argument(seed, "seed of the latents; another one each time unless given"),
    "ema": Argument(boolean, "true for averaged weights, false for the raw ones (true)", True),
    "truncation": Argument(number, "largest absolute entry of a latent; none unless given"),
    "labels": Argument(_labels, "classes, e.g. 7 or 0,1,2, repeated to n; random unless given"),
    "checkpoint": Argument(str, "last, best, or a checkpoint's file (last)", "last"),
    "out": Argument(
        Path, "x.png for a grid, x.npz for arrays, else a folder of single pictures", None
    ),
}


def main(argv: list[str]) -> int:
    """Write samples and say where they are."""
    if wants_help(argv):
        print(usage("sample", "make samples with a trained model.", ARGUMENTS))
        return 0
    arguments = parse(argv, ARGUMENTS)
    import torch

    from ganlab.applications.sample_files import write
    from ganlab.core import Translator
    from ganlab.core.load import load_module

    module = load_module(arguments["run"], arguments["checkpoint"])
    if not hasattr(module, "draw_inputs"):
        what = f"run: {arguments['run']} holds a {type(module).__name__}, which makes no samples"
        if isinstance(module, Translator):
            raise ConfigError(
                f"{what} but translates: ganlab translate run={arguments['run']} input=DIR "
                "output=DIR"
            )
        raise ConfigError(f"{what}.")
    labels = arguments["labels"]
    if labels is not None:
        repeated = labels * -(-arguments["n"] // len(labels))
        labels = torch.tensor(repeated[: arguments["n"]])
    drawn_from = secrets.randbits(62) if arguments["seed"] is None else arguments["seed"]
    latents, labels = module.draw_inputs(
        arguments["n"], labels, drawn_from, arguments["truncation"]
    )
    samples = module.sample(latents=latents, labels=labels, ema=arguments["ema"]).cpu()
    out = arguments["out"] or arguments["run"] / "generated.png"
    write(samples, out, latents, labels, module.modality)
    print(f"{len(samples)} samples: {out}")
    return 0
