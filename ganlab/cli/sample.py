"""`ganlab sample`: make samples with a trained model."""

from __future__ import annotations

import secrets
from pathlib import Path

from ganlab.cli.arguments import REQUIRED, TRUST, Argument, parse, usage, wants_help
from ganlab.config.values import boolean, check_unmixed, count, number, seed
from ganlab.errors import ConfigError


def _labels(text: str) -> list[int]:
    return [int(part) for part in text.strip("[]").split(",")]


ARGUMENTS = {
    "run": Argument(Path, "the run's folder, outputs/…", REQUIRED),
    "n": Argument(count, "number of samples", 64),
    "seed": Argument(seed, "seed of the latents (default: a new random seed at each call)"),
    "ema": Argument(boolean, "true for EMA weights, false for raw weights", True),
    "truncation": Argument(
        number, "largest absolute value of a latent's entries (default: no truncation)"
    ),
    "labels": Argument(
        _labels, "classes, e.g. 7 or 0,1,2, repeated up to n labels (default: random classes)"
    ),
    "checkpoint": Argument(str, "last, best, or a checkpoint's file", "last"),
    "out": Argument(
        Path,
        "x.png for a grid, x.npz for arrays, or a new folder for one picture per sample (default: "
        "generated.png in the run's folder)",
    ),
    "trust": TRUST,
}


def main(argv: list[str]) -> int:
    """Write samples, and print the path."""
    if wants_help(argv):
        print(usage("sample", "make samples with a trained model.", ARGUMENTS))
        return 0
    arguments = parse(argv, ARGUMENTS)
    out = arguments["out"] or arguments["run"] / "generated.png"
    if not out.suffix:
        check_unmixed("out", out)
    import torch

    from ganlab.applications.sample_files import write
    from ganlab.core import Generates, Translates
    from ganlab.core.load import load_module
    from ganlab.metrics.memory import DEFAULT_MEMORY
    from ganlab.metrics.protocols.sources import generated_in_turn

    module = load_module(arguments["run"], arguments["checkpoint"], arguments["trust"])
    if not isinstance(module, Generates):
        message = f"run: {arguments['run']} holds a {type(module).__name__}, which makes no samples"
        if isinstance(module, Translates):
            raise ConfigError(
                f"{message}. It translates pictures: ganlab translate run={arguments['run']} "
                "input=DIR output=DIR"
            )
        raise ConfigError(f"{message}.")
    labels = arguments["labels"]
    if labels is not None:
        repeated = labels * -(-arguments["n"] // len(labels))
        labels = torch.tensor(repeated[: arguments["n"]])
    latent_seed = secrets.randbits(62) if arguments["seed"] is None else arguments["seed"]
    latents, labels = module.draw_inputs(
        arguments["n"], labels, latent_seed, arguments["truncation"]
    )
    options = {"ema": arguments["ema"], "truncation": arguments["truncation"]}
    parts = generated_in_turn(module, DEFAULT_MEMORY, latents, labels, **options)
    write(parts, out, latents, labels, module.modality)
    print(f"{len(latents)} samples: {out}")
    return 0
