"""`ganlab sample`: make samples with a trained model."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ganlab.cli.arguments import REQUIRED, TRUST, Argument, parse, say_loading, usage, wants_help
from ganlab.config.values import (
    boolean,
    check_unmixed,
    count,
    number,
    numbers,
    seed,
    seed_numbers,
)
from ganlab.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

ARGUMENTS = {
    "run": Argument(
        Path,
        "the run's folder, outputs/…; or a model that comes with ganlab: digits; or a file of "
        "ganlab export format=model",
        REQUIRED,
    ),
    "n": Argument(count, "number of samples, or of samples of each label (default: 64)"),
    "labels": Argument(numbers, "classes, e.g. 7 or 3,5 or 0-9 (default: random classes)"),
    "seeds": Argument(seed_numbers, "one seed for each sample, e.g. 0-35 or 4,7,9, in place of n"),
    "seed": Argument(seed, "seed of the latents (default: a new random seed at each call)"),
    "truncation": Argument(
        number,
        "largest absolute value of a latent's entries, e.g. 0.7: samples are more typical and vary "
        "less (default: no truncation)",
    ),
    "ema": Argument(boolean, "true for EMA weights, false for raw weights", True),
    "checkpoint": Argument(str, "last, best, or a checkpoint's file", "last"),
    "out": Argument(
        Path,
        "x.png for a grid, x.npz for arrays, or a new folder for one picture per sample (default: "
        "generated.png in the run's folder, or in outputs/NAME for a model file)",
    ),
    "trust": TRUST,
}


def main(argv: list[str]) -> int:
    """Write samples, and print the path."""
    if wants_help(argv):
        print(usage("sample", "make samples with a trained model.", ARGUMENTS))
        return 0
    arguments = parse(argv, ARGUMENTS)
    run, out = arguments["run"], arguments["out"]
    if out and not out.suffix:
        check_unmixed("out", out)
    say_loading("sample", f"the model of {run}")
    from ganlab.applications.sample_files import write
    from ganlab.applications.sample_inputs import sample_inputs
    from ganlab.core import Generates, Translates
    from ganlab.core.load import load_module
    from ganlab.core.model_files import described, folder_for, model_file
    from ganlab.metrics.memory import DEFAULT_MEMORY
    from ganlab.metrics.protocols.sources import generated_in_turn

    path = model_file(run)
    module = load_module(run, arguments["checkpoint"], arguments["trust"])
    if not isinstance(module, Generates):
        message = f"run: {run} holds a {type(module).__name__}, which makes no samples"
        if isinstance(module, Translates):
            raise ConfigError(
                f"{message}. It translates pictures: ganlab translate run={run} input=DIR "
                "output=DIR"
            )
        raise ConfigError(f"{message}.")
    if path is not None and not arguments["ema"]:
        raise ConfigError("ema: a model file has no raw weights; leave ema=false out.")
    out = out or folder_for(run) / "generated.png"
    asked = {key: arguments[key] for key in ("n", "labels", "seed", "seeds", "truncation")}
    latents, labels, columns = sample_inputs(module, **asked)
    options = {"ema": arguments["ema"], "truncation": arguments["truncation"]}
    parts = generated_in_turn(module, DEFAULT_MEMORY, latents, labels, **options)
    parts = _counted(parts, len(latents))
    write(parts, out, latents, labels, module.modality, columns)
    if path is not None:
        print(described(path), file=sys.stderr)
    print(f"{len(latents):,} sample{'s' if len(latents) > 1 else ''}: {out}")
    return 0


def _counted(parts: Iterator[Tensor], total: int) -> Iterator[Tensor]:
    """Yield parts of samples; every 5 seconds say on stderr how many have been made."""
    made, said = 0, time.monotonic()
    for part in parts:
        yield part
        made += len(part)
        if time.monotonic() - said >= 5 and made < total:
            said = time.monotonic()
            print(f"{made:,} of {total:,} samples …", file=sys.stderr, flush=True)
