"""Logs during training what the doctor (`ganlab.reports.doctor`) needs for its diagnosis."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from ganlab.core import AdversarialModule, Generates
from ganlab.data import TensorDataModule
from ganlab.errors import ConfigError
from ganlab.losses import AdversarialLoss, Hinge, LeastSquares, NonSaturating
from ganlab.metrics.memory import DEFAULT_MEMORY, map_in_parts
from ganlab.metrics.protocols.sources import generated

MAX_SAMPLES = 256  # their median distances are divided by those of as many real examples
MAX_TRAINING_EXAMPLES = 10_000  # among which nearest neighbours are searched
MAX_SCORES = 1024  # scores of real examples, and scores of samples, for the separation
WEIGHTS = 100_000  # approximate number of weights per player whose change is measured


class Doctor(Callback):
    """Logs the condition of a run, in the columns `doctor/…` of the log.

    A row has, where they apply:

    - `separation`, `real_accuracy` and `fake_accuracy` of the newest discriminator scores that the
      module has passed to `AdversarialModule.watch`;
    - `gradient/<player>`: the norm of the player's gradient before clipping;
    - `change/<player>`: the norm of the change of the player's weights in one optimizer step,
      divided by the norm of the weights.

    Gradient and change are measured at the player's last optimizer step before the row.

    The first row after every `every_examples` examples, and the last row, also have the values of
    `SampleDistances`. Its samples are generated with the raw weights, since EMA weights would hide
    instabilities.

    Under DDP the scores are those of rank 0, and only rank 0 samples.

    Args:
        every_examples: cadence of sampling, in examples; None samples only at the end.
        seed: seed of the latents.

    Raises:
        ConfigError: a cadence below 1.
    """

    def __init__(self, every_examples: int | None = 50_000, seed: int = 0) -> None:
        if every_examples is not None and every_examples < 1:
            raise ConfigError(f"doctor.every_examples: received {every_examples}; needs 1 or more.")
        self.every_examples, self.seed = every_examples, seed
        self.memory = DEFAULT_MEMORY  # bytes for temporaries
        self._measured: dict[str, Any] = {}  # values for the next row
        self._before: dict[str, Tensor] = {}  # player to its weights before the current step
        self._distances: SampleDistances | None = None

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: AdversarialModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """At a player's last step before a row, measure the gradient and copy the weights."""
        batch = pl_module.batches_seen
        due = [role for role in pl_module.roles if self._is_last_step(pl_module, role, batch)]
        for role in due:
            if trainer.optimizers[pl_module.roles.index(role)] is optimizer:
                gradients = [p.grad for p in pl_module.parameters_of[role] if p.grad is not None]
                norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
                self._measured[f"gradient/{role}"] = norm / _scale(trainer, optimizer)
                self._before[role] = _some_weights(pl_module, role)

    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Measure the change of weights; log and sample if due."""
        watched, pl_module.watched = pl_module.watched, {}
        batch = pl_module.batches_seen - 1
        if any(self._is_last_step(pl_module, role, batch) for role in pl_module.roles):
            self._measure(pl_module, watched)
        is_row = pl_module.batches_seen % pl_module.log_every == 0
        if is_row:
            pl_module.log_values({f"doctor/{k}": float(v) for k, v in self._measured.items()})
            self._measured = {}
        if (is_row and self._crossed(pl_module)) or trainer.should_stop:
            self._log_distances(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Return the values for the next row, so that a resumed run logs the same row."""
        return {"measured": {name: float(value) for name, value in self._measured.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the values of `state_dict`."""
        self._measured = dict(state_dict["measured"])

    # --- details -------------------------------------------------------------------------------

    def _crossed(self, module: AdversarialModule) -> bool:
        """Whether a multiple of the cadence was reached since the previous row."""
        if self.every_examples is None:
            return False
        before = module.examples_seen - module.examples_in_batch * module.log_every
        return module.examples_seen // self.every_examples > before // self.every_examples

    def _is_last_step(self, module: AdversarialModule, role: str, batch: int) -> bool:
        """Whether batch number `batch` (from 0) has the player's last step before the next row."""
        steps = module.steps_after(role, batch + 1)
        if steps == module.steps_after(role, batch):
            return False
        return steps == module.steps_after(role, (batch // module.log_every + 1) * module.log_every)

    def _measure(self, module: AdversarialModule, watched: dict[str, Tensor]) -> None:
        for role, before in self._before.items():
            change = _some_weights(module, role) - before
            self._measured[f"change/{role}"] = change.norm() / before.norm().clamp(min=1e-12)
        self._before = {}
        if "real_scores" in watched and "fake_scores" in watched:
            real, fake = (watched[f"{kind}_scores"].float() for kind in ("real", "fake"))
            self._measured["separation"] = separation(real, fake)
            losses = (part for part in module.modules() if isinstance(part, AdversarialLoss))
            boundary = boundary_of(next(losses, None))
            if boundary is not None:
                self._measured["real_accuracy"] = (real > boundary).float().mean()
                self._measured["fake_accuracy"] = (fake < boundary).float().mean()

    def _log_distances(self, trainer: Trainer, module: AdversarialModule) -> None:
        if not isinstance(module, Generates) or len(trainer.datamodule.reference("train")) < 2:
            return
        values = {}
        if trainer.is_global_zero:
            if self._distances is None:
                self._distances = SampleDistances(trainer.datamodule, self.memory)
            shrink = self._distances.modality.shrink
            fake = generated(
                module, self.memory, shrink, self._distances.n, seed=self.seed, ema=False
            )
            values = self._distances(fake)
        values = trainer.strategy.broadcast(values)
        module.log_values({f"doctor/{name}": value for name, value in values.items()})


class SampleDistances:
    """Distances among generated samples, and from samples to training examples.

    Distances are Euclidean, between pixels (of pictures shrunk to at most 32 × 32) or points. Each
    value is the median for samples divided by the median for training examples. New data from the
    distribution of the training examples would give values of about 1.

    - `pairwise_distance`: between any two samples; near 0 when all samples are equal.
    - `nearest_generated`: to the nearest other sample; near 0 when many samples are equal.
    - `nearest_training`: to the nearest training example; near 0 when samples are copies.

    Further values are `training_examples`, the size of the training split, and
    `compared_examples`, the number of training examples that samples are compared with.

    Args:
        data: data module with a loaded training split of two examples or more.
        memory: bytes for temporaries.
    """

    def __init__(self, data: TensorDataModule, memory: int = DEFAULT_MEMORY) -> None:
        examples, self.modality = data.reference("train"), data.modality
        self.total = len(examples)
        order = torch.randperm(self.total, generator=torch.Generator().manual_seed(0))
        rows = order[:MAX_TRAINING_EXAMPLES]

        def shrunk(rows: Tensor) -> Tensor:
            return self.modality.shrink(examples.index_select(0, rows))

        what = "shrinking one example"
        self.real = map_in_parts(shrunk, rows, memory=memory, what=what)
        self.n = min(MAX_SAMPLES, self.total)
        queries = _flat(self.real[: self.n])
        self.pairwise, self.nearest = _among(queries)
        # the nearest training example of a training example is itself: take the second
        self.training = self._to_training(queries, 2)[:, 1].median()

    @torch.no_grad()
    def __call__(self, fake: Tensor) -> dict[str, float]:
        """Return up to three ratios and the two counts for `n` normalised samples (n, *shape).

        A ratio is missing if its median distance for training examples is 0, e.g. because most
        training examples have an exact copy.
        """
        flat = self.modality.rescale(_flat(self.modality.shrink(fake)).cpu())
        pairwise, nearest = _among(flat)
        training = self._to_training(flat, 1)[:, 0].median()
        ratios = {
            "pairwise_distance": (pairwise, self.pairwise),
            "nearest_generated": (nearest, self.nearest),
            "nearest_training": (training, self.training),
        }
        values = {name: float(ours / real) for name, (ours, real) in ratios.items() if real > 0}
        return values | {"compared_examples": len(self.real), "training_examples": self.total}

    def _to_training(self, samples: Tensor, k: int) -> Tensor:
        """Return the distances (n, k) to the k nearest training examples, ascending."""
        nearest = [
            torch.cdist(samples, _flat(part)).topk(min(k, len(part)), largest=False).values
            for part in self.real.split(1000)
        ]
        return torch.cat(nearest, 1).topk(k, largest=False).values


def separation(real: Tensor, fake: Tensor) -> Tensor:
    """Return the probability that a real example scores higher than a sample; ties count half.

    This is the area under the ROC curve: 0.5 if the scores do not distinguish real from fake, 1 if
    they separate them completely. It needs no decision boundary, so it works for critics too.

    Args:
        real: scores of real examples, of any shape; the first 1,024 are used.
        fake: scores of generated samples, of any shape; the first 1,024 are used.
    """
    real, fake = real.flatten()[:MAX_SCORES, None], fake.flatten()[None, :MAX_SCORES]
    return (real > fake).float().mean() + 0.5 * (real == fake).float().mean()


def boundary_of(loss: AdversarialLoss | None) -> float | None:
    """Return the score that separates "real" from "generated" for a loss; None for critics."""
    if isinstance(loss, LeastSquares):
        return (loss.a + loss.b) / 2
    return 0.0 if isinstance(loss, (NonSaturating, Hinge)) else None


def _some_weights(module: AdversarialModule, role: str) -> Tensor:
    """Return the first entries of each of the player's parameters, about `WEIGHTS` in total."""
    parameters = module.parameters_of[role]
    most = max(WEIGHTS // len(parameters), 1)
    return torch.cat([p.detach().reshape(-1)[:most].float() for p in parameters])


def _flat(examples: Tensor) -> Tensor:
    return examples.flatten(1).float()


def _among(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Return the median distance of pairs, and the median distance to the nearest other sample."""
    distances = torch.cdist(samples, samples)
    rows, columns = torch.triu_indices(len(samples), len(samples), offset=1)
    pairs = distances[rows, columns]
    return pairs.median(), distances.fill_diagonal_(float("inf")).min(1).values.median()


def _scale(trainer: Trainer, optimizer: torch.optim.Optimizer) -> float:
    """Return the loss scale that is still in the gradients; 1 if they are unscaled.

    With 16-mixed precision, fused optimizers unscale the gradients themselves, within their step.
    """
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    is_scaled = all(group.get("fused") for group in optimizer.param_groups)
    return scaler.get_scale() if scaler is not None and is_scaled else 1.0
