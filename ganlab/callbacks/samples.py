"""Pictures of the generator's samples during a run, from the same latents each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from PIL import Image

from ganlab.callbacks.cadence import crossed, crossed_early
from ganlab.callbacks.failures import logged_failure
from ganlab.core import AdversarialModule, Generates, Scores, Translates
from ganlab.errors import ConfigError
from ganlab.metrics.memory import DEFAULT_MEMORY
from ganlab.metrics.protocols.sources import generated
from ganlab.modalities import POINTS, PictureOptions
from ganlab.modalities.grid import beside, save_rows, thumbnails
from ganlab.record.contact_sheet import save_contact_sheet


class Samples(Callback):
    """Writes `samples/<examples>.png` during the run, and `contact_sheet.png` at the end.

    Images are drawn as a grid; for a conditional model, column c shows class c. Points are drawn as
    a scatter plot over real points and the discriminator's scores. For a translator, rows
    show input pictures with their translations below. The inputs are the same each time: the first
    pictures of the test split, or of the training split if there is no test split.

    Args:
        folder: the run's folder.
        every_examples: cadence in examples; pictures are also drawn at a half, a quarter and so on
            of it, down to 1,000 examples. If None, pictures are drawn only at the start, at the
            end and whenever the model is scored.
        n: samples in a grid.
        points: samples in a scatter plot.
        pictures: number of input pictures of a translator.
        seed: seed of the latents.

    Attributes:
        show: called with the samples of each picture that is drawn, as small RGB pictures of one
            size; a translator's have an input and its translations side by side. None for nothing.

    Raises:
        ConfigError: a number is below 1.
    """

    def __init__(
        self,
        folder: str,
        every_examples: int | None = 50_000,
        n: int = 64,
        points: int = 1000,
        pictures: int = 8,
        seed: int = 0,
    ) -> None:
        counts = {"every_examples": every_examples, "n": n, "points": points, "pictures": pictures}
        for name, value in counts.items():
            if value is not None and value < 1:
                raise ConfigError(f"samples.{name}: received {value}; needs 1 or more.")
        self.folder, self.every_examples = Path(folder), every_examples
        self.memory = DEFAULT_MEMORY  # bytes for temporaries
        self.n, self.points, self.pictures, self.seed = n, points, pictures, seed
        self.show: Callable[[list[Image.Image]], object] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Draw samples of the untrained generator; drop pictures from after the checkpoint."""
        if trainer.is_global_zero:  # as the rows of metrics.csv, see CSVLogger.resume
            for path in (self.folder / "samples").glob("*.png"):
                if path.stem.isdecimal() and int(path.stem) > pl_module.examples_seen:
                    path.unlink()
        if pl_module.examples_seen == 0:
            self.draw(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Draw if a picture is due, if the model was scored, or if the run is about to stop."""
        is_scored = pl_module.scored_at == pl_module.examples_seen
        is_due = crossed(pl_module, self.every_examples)
        is_due |= crossed_early(pl_module, self.every_examples)
        if is_due or is_scored or trainer.should_stop:
            self.draw(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Write the contact sheet."""
        if trainer.is_global_zero:
            save_contact_sheet(self.folder)

    def on_exception(
        self, trainer: Trainer, pl_module: AdversarialModule, exception: BaseException
    ) -> None:
        """Draw samples of the generator at the failure."""
        if isinstance(exception, Exception) and trainer.optimizers:
            with logged_failure("a picture"):
                self.draw(trainer, pl_module)

    def draw(self, trainer: Trainer, module: AdversarialModule) -> Path | None:
        """Write a picture of the current samples and return its path.

        Return None on ranks other than 0, and for models that neither sample nor translate.
        """
        translates = isinstance(module, Translates)
        if not trainer.is_global_zero or not (translates or isinstance(module, Generates)):
            return None
        path = self.folder / "samples" / f"{module.examples_seen:012d}.png"
        if translates:
            rows = module.pictures(self.batch(trainer.datamodule), seed=self.seed)
            save_rows(rows, path)
            self._show(lambda: beside([thumbnails(images) for images in rows.values()]))
        elif (modality := trainer.datamodule.modality) is POINTS:
            fake = module.sample(self.points, seed=self.seed)
            real = trainer.datamodule.reference("train")[: self.points]
            score = None if module.classes else _scorer(module)
            modality.draw(fake, path, PictureOptions(real=real, score=score))
            self._show(lambda: [Image.open(path, formats=("PNG",)).convert("RGB")])
        else:
            columns = min(module.classes, 10) if module.classes else None
            inputs = (
                {"labels": torch.arange(columns).repeat(-(-self.n // columns))}
                if columns
                else {"n": self.n}
            )
            raw = self._raw(module, **inputs)
            modality.draw(raw, path, PictureOptions(columns))
            self._show(lambda: thumbnails(raw))
        return path

    def _show(self, pictures: Callable[[], list[Image.Image]]) -> None:
        if self.show:
            self.show(pictures())

    def _raw(self, module: AdversarialModule, **inputs: Any) -> torch.Tensor:
        """Return raw samples, which take a quarter of the memory of normalised pictures."""
        finish = module.modality.denormalise
        return generated(module, self.memory, finish, **inputs, seed=self.seed)

    def batch(self, data: Any) -> dict[str, torch.Tensor]:
        """Return the first `pictures` normalised pictures of each domain."""
        split = "test" if "test" in data.splits else "train"
        rows = data.split(split)
        return {k: data.modality.normalise(rows[k][: self.pictures]) for k in data.shapes}


def _scorer(module: AdversarialModule) -> Callable[[torch.Tensor], torch.Tensor] | None:
    @torch.no_grad()
    def score(points: torch.Tensor) -> torch.Tensor:
        with module.evaluating("discriminator"):
            return module.score(points.to(module.device))

    return score if isinstance(module, Scores) else None
