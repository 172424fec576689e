"""Sends pictures, samples and scores of a run to Weights & Biases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from ganlab.callbacks.evaluation import Evaluation
from ganlab.callbacks.failures import logged_failure
from ganlab.callbacks.samples import Samples
from ganlab.core import AdversarialModule, Generates, Translates
from ganlab.modalities import POINTS
from ganlab.record.wandb_logger import WandB


class WandBMedia(Callback):
    """Sends the pictures and scores of other callbacks to Weights & Biases.

    It logs `samples/grid` whenever `Samples` has drawn, and at the end `samples/contact_sheet` and
    `samples/table`. Each row of the table has one sample with the index of its latent (and its
    label), or one picture with its translations; runs on 2D points have no table. Scores are
    written to the summary as `scores/<name>`, with `protocols/<name>` and
    `higher_is_better/<name>`.

    It must follow the callbacks `Samples` and `Evaluation` in the trainer's list. An error here
    ends the logging to Weights & Biases, not the training.

    Args:
        logger: the logger of the W&B run.
        folder: the run's folder.
        samples: largest number of rows of the table.
    """

    def __init__(self, logger: WandB, folder: str | Path, samples: int = 32) -> None:
        self.logger, self.folder, self.samples = logger, Path(folder), samples
        self._sent: Path | None = None

    def on_train_start(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Send the picture of the untrained generator."""
        if pl_module.examples_seen == 0:
            with self.logger.without_failing():
                self._send_grid(pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Send the scores and the picture of this batch, if they exist."""
        if not self.logger.is_live:
            return
        with self.logger.without_failing():
            if pl_module.scored_at == pl_module.examples_seen:
                self._send_scores(trainer)
            self._send_grid(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Send the contact sheet and the table of single samples."""
        if not self.logger.is_live:
            return
        with self.logger.without_failing():
            from wandb import Image

            self.logger.summarise({"batches_seen": pl_module.batches_seen})
            step, sheet = pl_module.examples_seen, self.folder / "contact_sheet.png"
            if sheet.exists():
                self.logger.log_metrics({"samples/contact_sheet": Image(str(sheet))}, step)
            if (table := self._table(trainer, pl_module)) is not None:
                self.logger.log_metrics({"samples/table": table}, step)

    def on_exception(
        self, trainer: Trainer, pl_module: AdversarialModule, exception: BaseException
    ) -> None:
        """Send the picture that `Samples` has drawn after the failure."""
        with logged_failure("a picture for Weights & Biases"):
            self._send_grid(pl_module)

    # --- details -------------------------------------------------------------------------------

    def _send_grid(self, module: AdversarialModule) -> None:
        path = self.folder / "samples" / f"{module.examples_seen:012d}.png"
        if not self.logger.is_live or path == self._sent or not path.exists():
            return
        from wandb import Image

        grid = Image(str(path), caption=f"{module.examples_seen:,} examples")
        self.logger.log_metrics({"samples/grid": grid}, module.examples_seen)
        self._sent = path

    def _send_scores(self, trainer: Trainer) -> None:
        for callback in trainer.callbacks:
            if isinstance(callback, Evaluation):
                for name, score in callback.scores.items():
                    self.logger.summarise(
                        {
                            f"scores/{name}": score.value,
                            f"protocols/{name}": score.protocol,
                            f"higher_is_better/{name}": score.higher_is_better,
                        }
                    )

    def _table(self, trainer: Trainer, module: AdversarialModule) -> Any:
        """Return a wandb.Table of samples from the grid's latents; None if there are no images."""
        drawing = next((c for c in trainer.callbacks if isinstance(c, Samples)), None)
        if drawing is None:
            return None
        modality = trainer.datamodule.modality
        from wandb import Image, Table

        if isinstance(module, Translates):
            titles, rows = _translations(drawing, trainer, module)
        elif isinstance(module, Generates) and modality is not POINTS:
            titles, rows = _samples(drawing, module, self.samples)
        else:
            return None
        table = Table(columns=titles)
        for row in rows[: self.samples]:
            table.add_data(*(x if isinstance(x, int) else Image(modality.picture(x)) for x in row))
        return table


Rows = list[tuple[int | Tensor, ...]]


def _samples(drawing: Samples, module: AdversarialModule, most: int) -> tuple[list[str], Rows]:
    """Return column titles and up to `most` rows for the samples of the grid."""
    labels = torch.arange(drawing.n) % module.classes if module.classes else None
    latents, _ = module.draw_inputs(drawing.n, labels, drawing.seed)
    if labels is None:
        samples = module.sample(latents=latents[:most], batch_size=1)
        return ["latent", "sample"], list(enumerate(samples))
    labels = labels[:most]
    samples = module.sample(latents=latents[:most], labels=labels, batch_size=1)
    return ["latent", "label", "sample"], [
        (index, label, sample)
        for index, (label, sample) in enumerate(zip(labels.tolist(), samples, strict=True))
    ]


def _translations(drawing: Samples, trainer: Trainer, module: Translates) -> tuple[list[str], Rows]:
    """Return column titles and rows for pictures and their translations."""
    pictures = module.pictures(drawing.batch(trainer.datamodule), seed=drawing.seed)
    return ["picture", *pictures], [
        (index, *row) for index, row in enumerate(zip(*pictures.values(), strict=False))
    ]
