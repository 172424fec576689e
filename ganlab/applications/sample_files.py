"""Samples as files: a grid, arrays, or single pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from ganlab.errors import ConfigError
from ganlab.files import atomic
from ganlab.modalities import Modality


def write(
    samples: Tensor, out: Path, latents: Tensor, labels: Tensor | None, modality: Modality
) -> None:
    """Write samples (N, *shape), as networks make them, in the form that `out` names.

    Args:
        samples: normalised.
        out: x.png for one picture of all, x.npz for arrays, else a folder of files.
        latents: (N, latent), which arrays have too.
        labels: (N,) where there are some.
        modality: of the samples.

    Raises:
        ConfigError: another ending, or one that the modality has no such files for.
    """
    if out.suffix == ".npz":
        arrays = modality.arrays(samples) | {"latents": latents.numpy()}
        if labels is not None:
            arrays["labels"] = labels.numpy()
        with atomic(out) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)
    elif out.suffix == ".png":
        modality.draw(samples, out)
    elif out.suffix:
        raise ConfigError(f"out: received {out}; allowed {modality.files}.")
    else:
        digits = len(str(len(samples) - 1))
        for index, sample in enumerate(samples):
            label = f"_{int(labels[index])}" if labels is not None else ""
            modality.save(sample, out / f"{index:0{digits}}{label}")
