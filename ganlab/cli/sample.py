"""`ganlab sample`: make samples with a trained model."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganlab.cli.arguments import (
    REQUIRED,
    Argument,
    boolean,
    count,
    number,
    parse,
    seed,
    usage,
    wants_help,
)
from ganlab.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from ganlab.core import AdversarialModule


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

    from ganlab.cli.compose import register_resolvers
    from ganlab.core import Translator
    from ganlab.reports.runs import load_module

    register_resolvers()
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
    given = arguments["seed"]
    drawn_from = secrets.randbits(62) if given is None else given
    latents, labels = module.draw_inputs(
        arguments["n"], labels, drawn_from, arguments["truncation"]
    )
    samples = module.sample(latents=latents, labels=labels, ema=arguments["ema"]).cpu()
    out = arguments["out"] or arguments["run"] / "generated.png"
    write(samples, out, latents, labels, module)
    print(f"{len(samples)} samples: {out}")
    return 0


def write(
    samples: Tensor,
    out: Path,
    latents: Tensor,
    labels: Tensor | None,
    module: AdversarialModule,
) -> None:
    """Write samples (N, C, H, W) in [−1, 1], or points (N, D), in the form that `out` names."""
    if out.suffix == ".npz":
        _write_arrays(samples, out, latents, labels)
    elif samples.dim() == 2:
        if out.suffix != ".png" or samples.shape[1] != 2:
            raise ConfigError(f"out: points go to x.npz, or of the plane to x.png; received {out}.")
        from ganlab.reports.pictures import save_scatter

        save_scatter(samples[:0], samples, out)
    elif out.suffix == ".png":
        from ganlab.reports.pictures import save_grid

        save_grid(samples, out)
    elif out.suffix:
        raise ConfigError(f"out: received {out}; allowed x.png, x.npz, or a folder (no ending).")
    else:
        from ganlab.data import denormalise
        from ganlab.reports.pictures import save_png

        digits = len(str(len(samples) - 1))
        for index, image in enumerate(denormalise(samples)):
            label = f"_{int(labels[index])}" if labels is not None else ""
            save_png(image, out / f"{index:0{digits}}{label}.png")


def _write_arrays(samples: Tensor, out: Path, latents: Tensor, labels: Tensor | None) -> None:
    import numpy as np

    from ganlab.data import denormalise
    from ganlab.reports.files import atomic

    if samples.dim() == 4:
        arrays: dict[str, Any] = {"images": denormalise(samples).permute(0, 2, 3, 1).numpy()}
    else:
        arrays = {"points": samples.float().numpy()}
    arrays["latents"] = latents.numpy()
    if labels is not None:
        arrays["labels"] = labels.numpy()
    with atomic(out) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)
