"""Write samples to files: one picture of all samples, arrays, or a file for each sample."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganlab.data.archives.part_folders import part_folder
from ganlab.errors import ConfigError
from ganlab.files import atomic
from ganlab.modalities import Modality, PictureOptions

MOST_IN_FILE = 2**32  # bytes of the samples in one picture or archive, which is made in memory


def write(
    parts: Iterable[Tensor],
    out: Path,
    latents: Tensor,
    labels: Tensor | None,
    modality: Modality,
    columns: int | None = None,
) -> None:
    """Write samples in the form that belongs to the ending of `out`.

    Args:
        parts: the samples in parts, normalised tensors (M, *shape), as a network returns them;
            files of a folder are written part by part.
        out: x.png for one picture of all samples, x.npz for arrays, else a folder of files.
        latents: (N, latent); they are written with the arrays.
        labels: (N,), or None for a model without classes; written with the arrays.
        modality: the modality of the samples.
        columns: columns of a grid in a picture; None for a grid that is about square.

    Raises:
        ConfigError: `out` has another ending, the modality does not support this form, or the
            samples are too many for a single file.
    """
    first = next(parts := iter(parts))
    parts = chain([first], parts)
    if out.suffix and (size := len(latents) * first[0].nbytes) > MOST_IN_FILE:
        raise ConfigError(
            f"out: {len(latents):,} samples take {size / 2**30:,.1f} GiB, and a single file may "
            f"hold {MOST_IN_FILE / 2**30:.0f} GiB. Name a folder, for one file per sample."
        )
    if out.suffix == ".npz":
        made = [modality.arrays(samples) for samples in parts]
        arrays = {name: np.concatenate([part[name] for part in made]) for name in made[0]}
        arrays["latents"] = latents.numpy()
        if labels is not None:
            arrays["labels"] = labels.numpy()
        with atomic(out) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)
    elif out.suffix == ".png":
        modality.draw(torch.cat(list(parts)), out, PictureOptions(columns))
    elif out.suffix:
        raise ConfigError(f"out: received {out}; allowed {modality.files}.")
    else:
        digits = len(str(len(latents) - 1))
        out.mkdir(parents=True, exist_ok=True)
        with part_folder(out.parent, f".{out.name}.") as part:  # until all samples are written
            for index, sample in enumerate(chain.from_iterable(parts)):
                label = f"_{int(labels[index])}" if labels is not None else ""
                modality.save(sample, part / f"{index:0{digits}}{label}")
            for file in part.iterdir():
                file.replace(out / file.name)
