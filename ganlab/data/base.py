"""Data sets that live in memory as tensors and are batched by indexing them.

A batch costs one `index_select` per tensor: no workers, no collation, no conversion on the host.
The order is a function of seed and epoch alone, so a run resumed at batch k sees the same batches
as a run without interruption.
"""

from __future__ import annotations

import hashlib

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from ganlab.data.batches import Crops, TensorBatches, count_batches, rows
from ganlab.data.checks import check_integer
from ganlab.errors import DataError, one_of
from ganlab.modalities import Modality, of_shape
from ganlab.record.old_names import original_batch

SPLITS = ("train", "test")
_REFERENCE_SEED = 20140610  # chooses the examples that scores use, the same in every run


class TensorDataModule(LightningDataModule):
    """A data set in memory. A subclass defines `shape`, `classes` and `load`.

    Images are uint8 in [0, 255] of shape (N, C, H, W); a batch of them becomes float32 in [-1, 1]
    on its device. Points are float32 of shape (N, D) and stay unchanged. Images and points have the
    key "example". Labels are int64 of shape (N,). Data sets for translation have other keys, see
    `ganlab.data.translation.base`.

    Args:
        batch_size: examples in a batch of one rank, at least 1.
        seed: decides the order of the examples, and the examples of a generated set; at least 0.

    Attributes:
        provides: the keys of a batch; they must include all keys that the family of the run needs.
        splits: the splits that the set has: "train", or "train" and "test".
        crops: the random crops of training batches; None for no cropping.
        independent: whether the tensors of a split may differ in length and are shuffled
            separately, as their rows do not belong together.
        start_batch: the first batch to yield, counted from the start of the run; set on resume.

    Raises:
        ConfigError: if `batch_size` is not an integer above 0, or `seed` not an integer from 0 on.
    """

    provides: tuple[str, ...] = ("example", "label")
    splits: tuple[str, ...] = SPLITS
    crops: Crops | None = None
    independent: bool = False

    def __init__(self, *, batch_size: int = 64, seed: int = 0) -> None:
        super().__init__()
        self.batch_size = check_integer("batch_size", batch_size, 1)
        self.seed = check_integer("seed", seed, 0)
        self.start_batch = 0
        self._splits: dict[str, dict[str, Tensor]] = {}
        self._hashes: dict[str, str] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an example, (C, H, W) or (D,), known without reading files."""
        raise NotImplementedError

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one picture or point under each batch key; labels are left out."""
        return {"example": self.shape}

    @property
    def modality(self) -> Modality:
        """The modality of the examples, derived from their shape unless a subclass sets it."""
        return of_shape(self.shape)

    @property
    def classes(self) -> int | None:
        """The number of classes, known without reading files; None for a set without labels."""
        raise NotImplementedError

    def fetch(self, split: str) -> None:
        """Get the files that a split needs; by default a split needs no files."""

    def load(self, split: str) -> dict[str, Tensor]:
        """Return the tensors of "train" or "test": "example", and "label" if the set has labels.

        Raises:
            DataError: if files are missing or damaged, or the set has no such split.
        """
        raise NotImplementedError

    @property
    def train(self) -> dict[str, Tensor]:
        """The training split, loaded once."""
        return self.split("train")

    @property
    def training_rows(self) -> dict[str, Tensor]:
        """The rows of the training batches: the training split, or larger pictures to crop."""
        return self.train

    @property
    def test(self) -> dict[str, Tensor]:
        """The test split, loaded once, at its first use.

        Raises:
            DataError: if the set has no test split.
        """
        return self.split("test")

    def split(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of "train" or "test", loaded at the first call.

        Raises:
            ConfigError: if `name` is neither "train" nor "test".
            DataError: as `fetch` and `load`.
        """
        one_of("split", name, SPLITS)
        if name not in self._splits:
            self.fetch(name)
            self._splits[name] = self.load(name)
        return self._splits[name]

    def prepare_data(self) -> None:
        """Get the files of the training split, in one process per machine."""
        self.fetch("train")

    def setup(self, stage: str | None = None) -> None:
        """Load the split that a stage needs: "test" for stage "test", otherwise "train".

        Raises:
            DataError: as `split`, or if the joint batch of all ranks exceeds the training split.
        """
        if stage == "test":
            self.split("test")
        else:
            self.count_batches(self._ranks()[1])

    @property
    def batches_per_epoch(self) -> int:
        """The number of complete batches of each rank in one epoch of the training split."""
        return self.count_batches(self._ranks()[1])

    def count_batches(self, ranks: int) -> int:
        """Return the number of complete batches of each of `ranks` processes in an epoch.

        Raises:
            DataError: there is none.
        """
        return count_batches(rows(self.training_rows), self.batch_size, ranks)

    def train_dataloader(self) -> TensorBatches:
        """Return this rank's endless batches, beginning with the batch number `_first_batch()`."""
        rank, ranks = self._ranks()
        return TensorBatches(
            self.training_rows,
            self.batch_size,
            self.seed,
            rank,
            ranks,
            self._first_batch,
            self.crops,
            self.independent,
            tuple(self.shapes),
        )

    def on_after_batch_transfer(
        self, batch: dict[str, Tensor], dataloader_idx: int
    ) -> dict[str, Tensor]:
        """Return the batch with its examples normalised, on the device; other keys stay as is."""
        return batch | {key: self.modality.normalise(batch[key]) for key in self.shapes}

    def reference(self, split: str = "train", n: int | None = None) -> Tensor:
        """Return real examples for scores: uint8 images (n, C, H, W), or float32 points (n, D).

        Args:
            split: "train" or "test".
            n: the number of examples; None for all, in the set's order. A subset is sampled with a
                fixed seed, independent of the run's seed, so that scores can be compared.

        Raises:
            ConfigError: if `split` is neither "train" nor "test".
            DataError: as `split`, or if `n` is not an integer from 1 to the number of the split's
                examples.
        """
        return self.reference_rows(split, n)["example"]

    def reference_rows(
        self, split: str = "train", n: int | None = None, part: slice = slice(None)
    ) -> dict[str, Tensor]:
        """Return the rows that `reference` chooses, of all tensors of the split, e.g. "label".

        Args:
            split: "train" or "test".
            n: the number of examples, see `reference`.
            part: the part of the chosen rows to return; only this part is copied.
        """
        tensors = self.split(split)
        if n is None:
            return {key: tensor[part] for key, tensor in tensors.items()}
        available = rows(tensors)
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= available:
            raise DataError(
                f"protocol.real_samples: received {n!r}, but the {split} "
                f"split of {self.title} has {available}. Set it to 1 to {available}, or to "
                "null for all."
            )
        generator = torch.Generator().manual_seed(_REFERENCE_SEED)
        chosen = torch.randperm(available, generator=generator)[:n][part]
        return {key: tensor.index_select(0, chosen) for key, tensor in tensors.items()}

    def content_hash(self, split: str = "train") -> str:
        """Return the first 16 hex digits of a split's `hash_tensors`, with the original batch keys.

        The protocol of a score contains this hash, so that scores on different sets are not mixed
        up. The hash is computed at the first call.
        """
        if split not in self._hashes:
            self._hashes[split] = hash_tensors(original_batch(self.split(split)))[:16]
        return self._hashes[split]

    @property
    def title(self) -> str:
        """The set's name in messages."""
        return type(self).__name__

    def state_dict(self) -> dict[str, int]:
        """Return the number of batches that the run has seen, and of ranks, for the checkpoint."""
        return {"batches_seen": self._batches_seen(), "ranks": self._ranks()[1]}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Make the first batch the one that follows what the checkpointed run has seen."""
        ranks = self._ranks()[1]
        saved = int(state_dict["batches_seen"])
        self.start_batch = saved * state_dict.get("ranks", ranks) // ranks

    def _ranks(self) -> tuple[int, int]:
        """Return this process's rank and the number of ranks: (0, 1) without a trainer."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def _first_batch(self) -> int:
        """Return the batch that an iteration begins with, counted from the start of the run.

        A later iteration of the same run continues where the iteration before it ended.
        """
        if self.trainer is not None and self.trainer.overfit_batches:
            return 0  # every iteration must yield the same first batches
        return max(self.start_batch, self._batches_seen())

    def _batches_seen(self) -> int:
        """Return how many batches of all ranks the examples are that the run has seen.

        A run that was resumed with another number of ranks has seen batches of several sizes. If
        the module does not count examples, Lightning's count of batches is returned.
        """
        if self.trainer is None:
            return 0
        examples = getattr(self.trainer.lightning_module, "examples_seen", None)
        if examples is None:
            return int(self.trainer.fit_loop.epoch_loop.batch_progress.total.ready)
        return examples // (self.batch_size * self._ranks()[1])


def hash_tensors(tensors: dict[str, Tensor]) -> str:
    """Return the SHA-256, 64 hex digits, of tensors in the order of their names.

    The hash covers names, types, shapes and bytes.
    """
    digest = hashlib.sha256()
    for key in sorted(tensors):
        tensor = tensors[key].detach().cpu().contiguous()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
