"""Data sets that live in memory as tensors and are batched by indexing them.

A batch costs two `index_select`s: no workers, no collation, no conversion on the host. The order is
a function of seed and epoch alone, so a run resumed at batch k sees what it would have seen.
"""

from __future__ import annotations

import hashlib

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from ganlab.data.batches import Crops, TensorBatches, count_batches, rows
from ganlab.data.checks import whole
from ganlab.errors import DataError, one_of
from ganlab.modalities import Modality, of_shape
from ganlab.record.old_names import original_batch

SPLITS = ("train", "test")
_REFERENCE_SEED = 20140610  # of the subset that scores are measured on: the same for every run


class TensorDataModule(LightningDataModule):
    """A data set in memory. A subclass says its shape and classes, and loads a split.

    Images are uint8 in [0, 255] of shape (N, C, H, W), and float32 in [-1, 1] only once a batch is
    on its device. Points are float32 of shape (N, D) and pass unchanged. Either is under the key
    "example", whatever its shape. Labels are int64 of shape (N,). Sets of two sides have other
    keys, see `ganlab.data.translation.base`.

    Args:
        batch_size: examples in a batch of one process.
        seed: of the order, and of what is drawn where the set is drawn.

    Attributes:
        provides: the keys of a batch; a family's needs are checked against it.
        splits: the splits that the set has, "train" and perhaps "test".
        crops: what batches cut out of the training pictures; None for whole ones.
        independent: whether each key has rows of its own, in an order of its own.
        start_batch: the batch to begin with, counted from the start of the run; set on resume.

    Raises:
        ConfigError: if the batch size is not a whole number above 0, or the seed one from 0 on.
    """

    provides: tuple[str, ...] = ("example", "label")
    splits: tuple[str, ...] = SPLITS
    crops: Crops | None = None
    independent: bool = False

    def __init__(self, *, batch_size: int = 64, seed: int = 0) -> None:
        super().__init__()
        self.batch_size = whole("batch_size", batch_size, 1)
        self.seed = whole("seed", seed, 0)
        self.start_batch = 0
        self._splits: dict[str, dict[str, Tensor]] = {}
        self._hashes: dict[str, str] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """One sample's shape, (C, H, W) or (D,), known without reading files."""
        raise NotImplementedError

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of one sample's pictures or points by their batch keys."""
        return {"example": self.shape}

    @property
    def modality(self) -> Modality:
        """What kind of thing an example is; told by its shape unless a subclass says so."""
        return of_shape(self.shape)

    @property
    def classes(self) -> int | None:
        """How many labels there are, or None for a set without; known without reading files."""
        raise NotImplementedError

    def fetch(self, split: str) -> None:
        """Get the files that a split needs; by default there are none to get."""

    def load(self, split: str) -> dict[str, Tensor]:
        """The tensors of "train" or "test", of N rows each: "example", "label" where there are any.

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
        """What batches are drawn from: the training split, or larger pictures of it to crop."""
        return self.train

    @property
    def test(self) -> dict[str, Tensor]:
        """The test split, loaded once, at its first use.

        Raises:
            DataError: if the set has none.
        """
        return self.split("test")

    def split(self, name: str) -> dict[str, Tensor]:
        """The tensors of "train" or "test", loaded at the first call.

        Raises:
            ConfigError: for another name.
            DataError: as `load`.
        """
        one_of("split", name, SPLITS)
        if name not in self._splits:
            self.fetch(name)
            self._splits[name] = self.load(name)
        return self._splits[name]

    def prepare_data(self) -> None:
        """Download what is missing, in one process per machine."""
        self.fetch("train")

    def setup(self, stage: str | None = None) -> None:
        """Load what the stage needs: "test" the test split, any other the training split.

        Raises:
            DataError: as `load`; if a joint batch is larger than the set.
        """
        if stage == "test":
            self.split("test")
        else:
            count_batches(rows(self.training_rows), self.batch_size, self._ranks()[1])

    @property
    def batches_per_epoch(self) -> int:
        """Batches of each rank in one epoch of the training split, incomplete ones dropped."""
        return count_batches(rows(self.training_rows), self.batch_size, self._ranks()[1])

    def train_dataloader(self) -> TensorBatches:
        """Endless batches of this rank, from `start_batch` on, or from where the module is."""
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
        """Normalise the examples, on the device; leave all else as it is."""
        return batch | {key: self.modality.normalise(batch[key]) for key in self.shapes}

    def reference(self, split: str = "train", n: int | None = None) -> Tensor:
        """Real samples to score against: uint8 images (n, C, H, W), or float32 points (n, D).

        Args:
            split: "train" or "test".
            n: how many; None for all, in the set's order. A subset is drawn with a fixed seed, the
                same in every run whatever its seed, so that scores can be compared.

        Raises:
            ConfigError: if the split has another name.
            DataError: if `n` is not from 1 to the number of the split's samples.
        """
        return self.reference_rows(split, n)["example"]

    def reference_rows(self, split: str = "train", n: int | None = None) -> dict[str, Tensor]:
        """The same samples with all that belongs to them, e.g. "label"; see `reference`."""
        tensors = self.split(split)
        if n is None:
            return tensors
        there = rows(tensors)
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= there:
            raise DataError(
                f"The number of real samples to score against: received {n!r}, but the {split} "
                f"split of {self.title} has {there}. Ask for 1 to {there}, or for all of them by "
                "giving no number."
            )
        generator = torch.Generator().manual_seed(_REFERENCE_SEED)
        chosen = torch.randperm(there, generator=generator)[:n]
        return {key: tensor.index_select(0, chosen) for key, tensor in tensors.items()}

    def content_hash(self, split: str = "train") -> str:
        """16 hex digits of the SHA-256 of a split's tensors: names, types, shapes and bytes.

        It tells two sets apart in the protocol of a score. Computed at the first call.
        """
        if split not in self._hashes:
            self._hashes[split] = hash_tensors(original_batch(self.split(split)))[:16]
        return self._hashes[split]

    @property
    def title(self) -> str:
        """What the set is called in messages."""
        return type(self).__name__

    def state_dict(self) -> dict[str, int]:
        """How many batches the run has seen, for the checkpoint."""
        return {"batches_seen": self._batches_seen()}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Continue after the batches that a checkpoint has seen."""
        self.start_batch = int(state_dict["batches_seen"])

    def _ranks(self) -> tuple[int, int]:
        """The process's rank and the number of processes: (0, 1) without a trainer."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def _first_batch(self) -> int:
        """Where an iteration begins; another one within a run goes on where the last one ended."""
        if self.trainer is not None and self.trainer.overfit_batches:
            return 0  # Lightning begins anew after so many batches: always the same ones
        return max(self.start_batch, self._batches_seen())

    def _batches_seen(self) -> int:
        """The module's own counter; Lightning's count of batches for a module that has none."""
        if self.trainer is None:
            return 0
        seen = getattr(self.trainer.lightning_module, "batches_seen", None)
        if seen is None:
            seen = self.trainer.fit_loop.epoch_loop.batch_progress.total.ready
        return int(seen)


def hash_tensors(tensors: dict[str, Tensor]) -> str:
    """SHA-256, 64 hex digits, of the tensors' names, types, shapes and bytes, in order of names."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        tensor = tensors[key].detach().cpu().contiguous()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
