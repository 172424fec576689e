"""What the doctor (`ganlab.reports.doctor`) needs to see of a run, logged as it trains."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from ganlab.core import AdversarialModule, Player
from ganlab.data import TensorDataModule
from ganlab.errors import ConfigError
from ganlab.losses import AdversarialLoss, Hinge, LeastSquares, NonSaturating

SAMPLES = 256  # generated, and real ones beside them
TRAINING_IMAGES = 10_000  # at most, among which nearest neighbours are looked for
SCORES = 1024  # of either kind at most, that separation is counted over
WEIGHTS = 100_000  # numbers of a player at most, whose change is measured


class Doctor(Callback):
    """Logs, in rows of the log and under `doctor/…`, what tells a run's condition.

    With each row: `separation`, `real_accuracy` and `fake_accuracy` of the newest scores that the
    family lets be watched (`AdversarialModule.watch`); of each player `gradient/<player>`, the norm
    of its gradient before clipping, and `change/<player>`, by how much its weights changed in one
    step relative to their norm. They are of the player's last step before the row.

    With the first row after every n examples, and at the end, of samples of the raw weights (the
    averaged ones hide how the game goes): see `SampleDistances`.

    Under DDP the scores are those of the first rank; samples are looked at by it alone.

    Args:
        every_examples: cadence of looking at samples; None looks at the end alone.
        seed: of the latents.

    Raises:
        ConfigError: a cadence below 1.
    """

    def __init__(self, every_examples: int | None = 50_000, seed: int = 0) -> None:
        if every_examples is not None and every_examples < 1:
            raise ConfigError(f"doctor.every_examples: received {every_examples}; needs 1 or more.")
        self.every_examples, self.seed = every_examples, seed
        self._measured: dict[str, Any] = {}  # of the row under way
        self._before: dict[str, Tensor] = {}  # weights before the step under way
        self._distances: SampleDistances | None = None

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: AdversarialModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Measure the gradient, and keep the weights, if it is the last step before a row."""
        batch = pl_module.batches_seen
        due = [role for role in pl_module.roles if self._is_last_step(pl_module, role, batch)]
        for role in due:
            if trainer.optimizers[pl_module.roles.index(role)] is optimizer:
                gradients = [p.grad for p in pl_module.parameters_of[role] if p.grad is not None]
                norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
                self._measured[f"gradient/{role}"] = norm / _scale(trainer, optimizer)
                self._before[role] = _some_weights(pl_module, role)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: AdversarialModule, *args: Any
    ) -> None:
        """Log if it is time."""
        watched, pl_module.watched = pl_module.watched, {}
        batch = pl_module.batches_seen - 1
        if any(self._is_last_step(pl_module, role, batch) for role in pl_module.roles):
            self._measure(pl_module, watched)
        is_row = pl_module.batches_seen % pl_module.log_every == 0
        if is_row:
            pl_module.log_values({f"doctor/{k}": float(v) for k, v in self._measured.items()})
            self._measured = {}
        if (is_row and self._crossed(pl_module)) or trainer.should_stop:
            self._look_at_samples(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """What was measured for the next row, so that a resumed run writes the same one."""
        return {"measured": {name: float(value) for name, value in self._measured.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See `state_dict`."""
        self._measured = dict(state_dict["measured"])

    # --- details -------------------------------------------------------------------------------

    def _crossed(self, module: AdversarialModule) -> bool:
        """Whether a multiple of the cadence lies between the row before and this one."""
        if self.every_examples is None:
            return False
        before = module.examples_seen - module.examples_in_batch * module.log_every
        return module.examples_seen // self.every_examples > before // self.every_examples

    def _is_last_step(self, module: AdversarialModule, role: str, batch: int) -> bool:
        """Whether the player's last step before the next row is in this batch (from 0)."""
        period = _period(module.players[role])
        row = (batch // module.log_every + 1) * module.log_every
        return batch + 1 == row // period * period

    def _measure(self, module: AdversarialModule, watched: dict[str, Tensor]) -> None:
        for role, before in self._before.items():
            change = _some_weights(module, role) - before
            self._measured[f"change/{role}"] = change.norm() / before.norm().clamp(min=1e-12)
        self._before = {}
        if "real_scores" in watched and "fake_scores" in watched:
            real, fake = (watched[f"{kind}_scores"].float() for kind in ("real", "fake"))
            self._measured["separation"] = separation(real, fake)
            boundary = boundary_of(getattr(module, "adversarial", None))
            if boundary is not None:
                self._measured["real_accuracy"] = (real > boundary).float().mean()
                self._measured["fake_accuracy"] = (fake < boundary).float().mean()

    def _look_at_samples(self, trainer: Trainer, module: AdversarialModule) -> None:
        if not hasattr(module, "draw_inputs") or len(trainer.datamodule.reference("train")) < 2:
            return
        values = {}
        if trainer.is_global_zero:
            if self._distances is None:
                self._distances = SampleDistances(trainer.datamodule)
            fake = module.sample(self._distances.n, seed=self.seed, ema=False)
            values = self._distances(fake)
        values = trainer.strategy.broadcast(values)
        module.log_values({f"doctor/{name}": value for name, value in values.items()})


class SampleDistances:
    """How far apart generated samples are, and how far from the training examples.

    Euclidean distances between pixels (at most 32 × 32) or points; medians, each relative to the
    same among training examples, so that fresh samples of the data's distribution give about 1:

    - `pairwise_distance`: between any two samples; near 0 when all are the same.
    - `nearest_generated`: to the nearest other sample; near 0 when many are the same.
    - `nearest_training`: to the nearest training example; near 0 when samples are copies.

    Beside them `training_examples`, and `compared_examples` of them that were looked at.

    Args:
        data: its training split is loaded, and has two examples or more.
    """

    def __init__(self, data: TensorDataModule) -> None:
        examples, self.modality = data.reference("train"), data.modality
        self.total = len(examples)
        order = torch.randperm(self.total, generator=torch.Generator().manual_seed(0))
        parts = order[:TRAINING_IMAGES].split(500)
        self.real = torch.cat([self.modality.shrink(examples.index_select(0, p)) for p in parts])
        self.n = min(SAMPLES, self.total)
        queries = _flat(self.real[: self.n])
        self.pairwise, self.nearest = _among(queries)
        self.training = self._to_training(queries, 2)[:, 1].median()  # the first is itself

    @torch.no_grad()
    def __call__(self, fake: Tensor) -> dict[str, float]:
        """The three ratios for `n` normalised samples (n, *shape)."""
        flat = self.modality.rescale(_flat(self.modality.shrink(fake)).cpu())
        pairwise, nearest = _among(flat)
        training = self._to_training(flat, 1)[:, 0].median()
        ratios = {
            "pairwise_distance": (pairwise, self.pairwise),
            "nearest_generated": (nearest, self.nearest),
            "nearest_training": (training, self.training),
        }
        # where most training examples have a copy there is nothing to compare with
        found = {name: float(ours / real) for name, (ours, real) in ratios.items() if real > 0}
        return found | {"compared_examples": len(self.real), "training_examples": self.total}

    def _to_training(self, samples: Tensor, k: int) -> Tensor:
        """Distances (n, k) to the k nearest training examples, ascending."""
        found = [
            torch.cdist(samples, _flat(part)).topk(min(k, len(part)), largest=False).values
            for part in self.real.split(1000)
        ]
        return torch.cat(found, 1).topk(k, largest=False).values


def separation(real: Tensor, fake: Tensor) -> Tensor:
    """P(a real sample scores higher than a generated one), ties counting half.

    The area under the ROC curve; 0.5 when the scores tell nothing, 1 when they tell all. It is
    meaningful for critics too, whose scores have no boundary.

    Args:
        real: scores of any shape; at most 1,024 are used.
        fake: the same of generated samples.
    """
    real, fake = real.flatten()[:SCORES, None], fake.flatten()[None, :SCORES]
    return (real > fake).float().mean() + 0.5 * (real == fake).float().mean()


def boundary_of(loss: AdversarialLoss | None) -> float | None:
    """The score between "real" and "generated" that a loss aims at; None for critics."""
    if isinstance(loss, LeastSquares):
        return (loss.a + loss.b) / 2
    return 0.0 if isinstance(loss, (NonSaturating, Hinge)) else None


def _period(player: Player) -> int:
    return player.every * player.accumulate


def _some_weights(module: AdversarialModule, role: str) -> Tensor:
    """The first numbers of each of the player's parameters, in all at most about `WEIGHTS`."""
    own = module.parameters_of[role]
    most = max(WEIGHTS // len(own), 1)
    return torch.cat([p.detach().reshape(-1)[:most].float() for p in own])


def _flat(examples: Tensor) -> Tensor:
    return examples.flatten(1).float()


def _among(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Median distance of pairs, and median distance to the nearest other sample."""
    distances = torch.cdist(samples, samples)
    rows, columns = torch.triu_indices(len(samples), len(samples), offset=1)
    pairs = distances[rows, columns]
    return pairs.median(), distances.fill_diagonal_(float("inf")).min(1).values.median()


def _scale(trainer: Trainer, optimizer: torch.optim.Optimizer) -> float:
    """What mixed precision has multiplied a gradient by, where the optimizer itself divides it."""
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    is_scaled = all(group.get("fused") for group in optimizer.param_groups)
    return scaler.get_scale() if scaler is not None and is_scaled else 1.0
