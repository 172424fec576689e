"""Sources of generated samples: a trained model, or a folder of images."""

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

    def open(self, n: int) -> AbstractContextManager[None]:
        """Return a context within which `part` can return any of `n` samples."""

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
    def open(self, n: int) -> Iterator[None]:
        """Sample the latents, and set the statistics of batch norm within the context."""
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
        labels = None if self._labels is None else self._labels[first:last]
        samples = self.module.sample(
            latents=self._latents[first:last],
            labels=labels,
            ema=self.ema,
            truncation=self.truncation,
            batch_size=BATCH,
        )[start - first : stop - first]
        check_finite(samples)
        part = {"samples": self.module.modality.denormalise(samples)}
        return part if labels is None else part | {"labels": labels[start - first : stop - first]}

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

    def open(self, n: int) -> AbstractContextManager[None]:
        """Choose the subset, and return a context that does nothing."""
        self._rows = self.data.reference_rows("train", n if n < self.count(None) else None)
        return nullcontext()

    def part(self, start: int, stop: int) -> dict[str, Tensor]:
        """Return the images start … stop − 1 of the subset, and labels if images have them."""
        names = {"example": "samples", "label": "labels"}
        return {names[key]: x[start:stop] for key, x in self._rows.items() if key in names}

    def protocol_entries(self) -> dict[str, Any]:
        """Return the hash of the folder's content."""
        return {"generated_hash": self.data.content_hash("train")}


def check_finite(samples: Tensor) -> None:
    """Raise a DataError unless all values of the generated samples (N, …) are finite."""
    finite = samples.flatten(1).isfinite().all(1)
    if not finite.all():
        raise DataError(
            f"{int((~finite).sum())} of {len(samples)} generated samples hold numbers that are "
            "not finite, so there is no score: the generator has diverged. Use an earlier "
            "checkpoint (checkpoint=best)."
        )
