"""Where generated samples come from: a trained model, or a folder of images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from ganlab.core import AdversarialModule
from ganlab.core.batch_norm import BatchNormMode, batch_norm_statistics
from ganlab.core.randomness import mix
from ganlab.errors import ConfigError, DataError
from ganlab.metrics.protocols.requirements import check_generates

BATCH = 256  # samples generated at once
STANDING_BATCHES = 16


@runtime_checkable
class Source(Protocol):
    """Gives generated samples by their index, the same whoever asks for which part.

    Attributes:
        module: the model that makes them; None where there is none to ask.
        has_labels: whether samples come with labels.
        class_names: what the labels are called; empty where they are just numbers.
    """

    module: AdversarialModule | None
    has_labels: bool
    class_names: tuple[str, ...]

    def count(self, wanted: int | None) -> int:
        """How many samples there will be when `wanted` are asked for (None: as many as it has)."""

    def open(self, n: int) -> AbstractContextManager[None]:
        """Within it, `part` gives any of `n` samples."""

    def part(self, start: int, stop: int) -> dict[str, Tensor]:
        """Samples start … stop − 1: "samples", uint8 (N, C, H, W) or points (N, D), and what else
        metrics may ask for: "labels" (N,), and see `TranslatedSamples`.
        """

    def described(self) -> dict[str, Any]:
        """Its part of a score's protocol."""


class ModelSamples:
    """Samples of a trained model, of latents that are one draw of the seed.

    Args:
        module: it answers `draw_inputs` and `sample`, as `families.GAN` does.
        seed: of latents and labels.
        ema: averaged weights where there are some.
        batch_norm: "running", "batch" or "standing" statistics of the generator.
        truncation: of the latents; None for none.

    Raises:
        ConfigError: the model makes no samples.
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
        self.has_labels = bool(getattr(module, "classes", None))

    def count(self, wanted: int | None) -> int:
        """`wanted`; a model has as many as one likes."""
        if wanted is None:
            raise ConfigError(
                "protocol.samples: missing; this protocol takes all images of a folder. Say how "
                "many samples the model makes (protocol.samples=10000)."
            )
        return wanted

    @contextmanager
    def open(self, n: int) -> Iterator[None]:
        """Draw the latents, and set the statistics of batch normalisation."""
        # whole batches, so that the last one has statistics too
        whole = -(-n // BATCH) * BATCH if self.batch_norm == "batch" else n
        draw = self.module.draw_inputs
        self._latents, self._labels = draw(whole, seed=self.seed, truncation=self.truncation)
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
        """Images are rounded to 8 bits, as a picture's file would."""
        first, last = start, stop
        if self.batch_norm == "batch":  # a sample's batch is the same whoever asks for it
            first, last = start // BATCH * BATCH, -(-stop // BATCH) * BATCH
        labels = None if self._labels is None else self._labels[first:last]
        samples = self.module.sample(
            latents=self._latents[first:last], labels=labels, ema=self.ema, batch_size=BATCH
        )[start - first : stop - first]
        check_finite(samples)
        made = {"samples": self.module.modality.denormalise(samples)}
        return made if labels is None else made | {"labels": labels[start - first : stop - first]}

    def described(self) -> dict[str, Any]:
        """Weights, batch-norm mode, truncation and seed."""
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
        """`wanted`, or all.

        Raises:
            DataError: there are fewer.
        """
        there = len(self.data.split("train")["example"])
        if wanted is not None and wanted > there:
            raise DataError(
                f"generated: the protocol takes {wanted:,} images and {self.data.title} has "
                f"{there:,}. Add images, or set protocol.samples={there} (which is another "
                "protocol: its scores are not comparable)."
            )
        return there if wanted is None else wanted

    def open(self, n: int) -> AbstractContextManager[None]:
        """Choose the subset."""
        self._rows = self.data.reference_rows("train", n if n < self.count(None) else None)
        return nullcontext()

    def part(self, start: int, stop: int) -> dict[str, Tensor]:
        """Images as they are in the files."""
        names = {"example": "samples", "label": "labels"}
        return {names[key]: x[start:stop] for key, x in self._rows.items() if key in names}

    def described(self) -> dict[str, Any]:
        """The folder's content."""
        return {"generated_hash": self.data.content_hash("train")}


def check_finite(samples: Tensor) -> None:
    """Raise a DataError for generated samples (N, …) that hold anything but finite numbers."""
    finite = samples.flatten(1).isfinite().all(1)
    if not finite.all():
        raise DataError(
            f"{int((~finite).sum())} of {len(samples)} generated samples hold numbers that are "
            "not finite, so there is no score: the generator has diverged. Use an earlier "
            "checkpoint (checkpoint=best)."
        )


def share(n: int, rank: int, ranks: int) -> tuple[int, int]:
    """The part of n samples that a rank looks at: contiguous, so that gathering keeps the order."""
    return rank * n // ranks, (rank + 1) * n // ranks
