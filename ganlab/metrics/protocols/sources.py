"""Sources of generated samples: a trained model, or a folder of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ganlab.core import AdversarialModule
from ganlab.core.batch_norm import BatchNormMode, batch_norm_statistics
from ganlab.core.randomness import mix
from ganlab.errors import ConfigError, DataError
from ganlab.metrics.memory import DEFAULT_MEMORY, map_in_parts, rows_within
from ganlab.metrics.protocols.requirements import check_generates

BATCH = 256  # samples that batch statistics are computed of
STANDING_BATCHES = 16  # batches over which standing statistics are accumulated


@runtime_checkable
class Source(Protocol):
    """Generated samples by index; a sample depends only on its index, not on the rank or part.

    Attributes:
        module: the model that makes the samples; None if it is not available.
        has_labels: whether samples come with labels.
        class_names: names of the classes; empty if classes have only numbers.
    """

    module: AdversarialModule | None
    has_labels: bool
    class_names: tuple[str, ...]

    def count(self, wanted: int | None) -> int:
        """Return how many samples the source gives if `wanted` are requested; None requests all."""

    def open(self, n: int, memory: int = DEFAULT_MEMORY) -> AbstractContextManager[None]:
        """Return a context within which `part` can return any of `n` samples.

        `part` may take up to `memory` bytes.
        """

    def part(self, start: int, stop: int) -> dict[str, Tensor]:
        """Return the samples start … stop − 1.

        Returns:
            "samples", uint8 (N, C, H, W) or points (N, D), and other inputs of metrics: "labels"
            (N,) if samples have labels; for further inputs see `TranslatedSamples`.
        """

    def protocol_entries(self) -> dict[str, Any]:
        """Return the entries of a score's protocol that describe the source."""


class ModelSamples:
    """Samples of a trained model, whose latents are all sampled at once from the seed.

    Args:
        module: a model that generates samples, see `Generates`.
        seed: seed of latents and labels.
        ema: whether to use the EMA weights, if the model has them.
        batch_norm: statistics of the generator's batch norm: "running", "batch" or "standing".
        truncation: truncation of the latents; None for no truncation.

    Raises:
        ConfigError: the model does not generate samples from latents.
    """

    class_names = ()

    def __init__(
        self,
        module: AdversarialModule,
        seed: int = 0,
        ema: bool = True,
        batch_norm: BatchNormMode = "running",
        truncation: float | None = None,
    ) -> None:
        check_generates(module)
        self.module, self.seed, self.ema = module, seed, ema
        self.batch_norm, self.truncation = batch_norm, truncation
        self.has_labels = bool(module.classes)

    def count(self, wanted: int | None) -> int:
        """Return `wanted`.

        Raises:
            ConfigError: `wanted` is None.
        """
        if wanted is None:
            raise ConfigError(
                "protocol.samples: missing; this protocol takes all images of a folder. For a "
                "model, set the number of samples (protocol.samples=10000)."
            )
        return wanted

    @contextmanager
    def open(self, n: int, memory: int = DEFAULT_MEMORY) -> Iterator[None]:
        """Sample the latents, and set the statistics of batch norm within the context.

        With batch or standing statistics, batches of 256 samples are generated, whatever the
        memory: values depend on the batch. The latents of all samples need additional memory.
        """
        self._memory = memory
        # round up to full batches, so that the last batch has as good statistics as other batches
        total = -(-n // BATCH) * BATCH if self.batch_norm == "batch" else n
        draw = self.module.draw_inputs
        self._latents, self._labels = draw(total, seed=self.seed, truncation=self.truncation)
        with ExitStack() as stack:
            for name in self.module.averaged_modules:
                with self.module.evaluating(name, self.ema) as network:
                    stack.enter_context(
                        batch_norm_statistics(network, self.batch_norm, self._run_standing)
                    )
            yield

    def _run_standing(self) -> None:
        seed = mix(self.seed, 0x7374616E64)
        for index in range(STANDING_BATCHES):
            self.module.sample(
                BATCH, seed=mix(seed, index), ema=self.ema, truncation=self.truncation
            )

    def part(self, start: int, stop: int) -> dict[str, Tensor]:
        """Return samples, rounded to 8 bits if they are images, and labels if samples have them."""
        first, last = start, stop
        if self.batch_norm == "batch":  # always generate a sample in the same full batch
            first, last = start // BATCH * BATCH, -(-stop // BATCH) * BATCH
        inputs = [x[first:last] for x in (self._latents, self._labels) if x is not None]
        if self.batch_norm == "batch":
            made = zip(*map(self._generate, *(x.split(BATCH) for x in inputs)), strict=True)
            samples, finite = (torch.cat(x)[start - first : stop - first] for x in made)
        else:
            what = "generating one sample"
            samples, finite = map_in_parts(self._generate, *inputs, memory=self._memory, what=what)
        check_finite(finite)
        labels = {} if self._labels is None else {"labels": self._labels[start:stop]}
        return {"samples": samples} | labels

    def _generate(self, latents: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return samples, and whether each is finite (N,)."""
        samples = self.module.sample(
            latents=latents,
            labels=labels,
            ema=self.ema,
            truncation=self.truncation,
            batch_size=len(latents),
        )
        return self.module.modality.denormalise(samples), samples.flatten(1).isfinite().all(1)

    def protocol_entries(self) -> dict[str, Any]:
        """Return weights, batch-norm mode, truncation and seed."""
        averaged = self.ema and len(self.module.averaged) > 0
        return {
            "weights": "ema" if averaged else "raw",
            "batch_norm": {
                "running": "running statistics",
                "batch": f"statistics of batches of {BATCH}",
                "standing": f"standing statistics of {STANDING_BATCHES} batches of {BATCH}",
            }[self.batch_norm],
            "truncation": self.truncation,
            "seed": self.seed,
        }


class FolderSamples:
    """Images of a folder: all of them, or a fixed random subset.

    Args:
        data: the folder, as a data module.
    """

    module = None

    def __init__(self, data: Any) -> None:
        self.data = data
        self.has_labels = data.classes is not None
        self.class_names = getattr(data, "class_names", ())

    def count(self, wanted: int | None) -> int:
        """Return `wanted`, or the number of all images for None.

        Raises:
            DataError: the folder has fewer images.
        """
        size = len(self.data.split("train")["example"])
        if wanted is not None and wanted > size:
            raise DataError(
                f"generated: the protocol takes {wanted:,} images and {self.data.title} has "
                f"{size:,}. Add images, or set protocol.samples={size} (this changes the "
                "protocol: its scores are not comparable with others)."
            )
        return size if wanted is None else wanted

    def open(self, n: int, memory: int = DEFAULT_MEMORY) -> AbstractContextManager[None]:
        """Choose the subset, and return a context that does nothing."""
        self._chosen = n if n < self.count(None) else None
        return nullcontext()

    def part(self, start: int, stop: int) -> dict[str, Tensor]:
        """Return the images start … stop − 1 of the subset, and labels if images have them."""
        names = {"example": "samples", "label": "labels"}
        rows = self.data.reference_rows("train", self._chosen, slice(start, stop))
        return {names[key]: x for key, x in rows.items() if key in names}

    def protocol_entries(self) -> dict[str, Any]:
        """Return the hash of the folder's content."""
        return {"generated_hash": self.data.content_hash("train")}


def generated(
    module: AdversarialModule,
    memory: int,
    finish: Callable[[Tensor], Tensor],
    n: int | None = None,
    labels: Tensor | None = None,
    seed: int = 0,
    ema: bool = True,
) -> Tensor:
    """Return what `finish` makes of samples of a model, on the CPU.

    Args:
        module: a model that generates samples, see `Generates`.
        memory: bytes that may be taken at once.
        finish: maps samples (N, *shape), as `module.sample` returns them, to a tensor (N, …).
        n: number of samples; None for one for each label.
        labels: classes (n,); None to sample them, if the model is conditional.
        seed: seed of latents and labels.
        ema: whether to use the EMA weights, if the model has them.
    """
    inputs = module.draw_inputs(len(labels) if n is None else n, labels, seed)
    return generated_from(module, memory, finish, *inputs, ema=ema)


def generated_from(
    module: AdversarialModule,
    memory: int,
    finish: Callable[[Tensor], Tensor],
    latents: Tensor,
    labels: Tensor | None,
    **options: Any,
) -> Tensor:
    """Return what `finish` makes of the samples of given latents, as `generated` does.

    Args:
        module: a model that generates samples, see `Generates`.
        memory: bytes that may be taken at once.
        finish: maps samples (N, *shape), as `module.sample` returns them, to a tensor (N, …).
        latents: (n, …), see `Generates.draw_inputs`.
        labels: classes (n,); None for an unconditional model.
        **options: `ema` and `truncation` of `module.sample`.
    """

    def make(latents: Tensor, labels: Tensor | None = None) -> Tensor:
        made = module.sample(latents=latents, labels=labels, batch_size=len(latents), **options)
        return finish(made).cpu()

    inputs = [latents] if labels is None else [latents, labels]
    return map_in_parts(make, *inputs, memory=memory, what="generating one sample")


def generated_in_turn(
    module: AdversarialModule, memory: int, latents: Tensor, labels: Tensor | None, **options: Any
) -> Iterator[Tensor]:
    """Yield the samples of given latents in parts (M, *shape), on the CPU; see `generated_from`."""
    start, size = 0, 1
    while start < len(latents):
        rows = slice(start, start + size)
        chosen = None if labels is None else labels[rows]
        part = generated_from(module, memory, Tensor.cpu, latents[rows], chosen, **options)
        yield part
        start, size = start + size, rows_within(memory // 4, part[0].nbytes)


def check_finite(finite: Tensor) -> None:
    """Raise a DataError unless all generated samples are finite, which `finite` (N,) says."""
    if not finite.all():
        raise DataError(
            f"{int((~finite).sum())} of {len(finite)} generated samples hold numbers that are "
            "not finite, so there is no score: the generator has diverged. Use an earlier "
            "checkpoint (checkpoint=best)."
        )
