"""Endless batches by indexing tensors, in an order that is a function of seed and epoch alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ganlab.core.randomness import mix
from ganlab.errors import DataError


def normalise(images: Tensor) -> Tensor:
    """Images as networks see them: uint8 in [0, 255], any shape, to float32 in [-1, 1]."""
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def denormalise(images: Tensor) -> Tensor:
    """The inverse of `normalise`: float in [-1, 1] (clamped), any shape, to uint8 in [0, 255]."""
    return images.to(torch.float32).add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


class TensorBatches:
    """Endless batches of one rank, by indexing tensors. It has no length: a run's budget ends it.

    Epoch e visits the samples in the order `torch.randperm(N)` of a generator seeded with
    `mix(seed, e)`. Joint batch b of all ranks is the b-th contiguous slice of `ranks * batch_size`
    samples of it, and rank r takes the r-th `batch_size` of them: two processes of 8 see together
    what one of 16 sees. What is left at an epoch's end, less than a joint batch, is dropped.

    Args:
        tensors: the samples under their batch keys, each with N rows.
        batch_size: rows of one batch of this rank.
        seed: of the order.
        rank, ranks: this process and how many there are.
        start: asked at every `iter()` for the batch to begin with, counted from the run's start.

    Raises:
        DataError: if a joint batch is larger than the set.
    """

    def __init__(
        self,
        tensors: dict[str, Tensor],
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
        start: Callable[[], int] = lambda: 0,
    ) -> None:
        self.tensors = tensors
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.ranks = ranks
        self.start = start
        self.batches_per_epoch = count_batches(rows(tensors), batch_size, ranks)

    def order(self, epoch: int) -> Tensor:
        """The samples' order in one epoch: int64 of shape (N,), a permutation of 0 to N-1."""
        generator = torch.Generator().manual_seed(mix(self.seed, epoch))
        return torch.randperm(rows(self.tensors), generator=generator)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Batches from `start()` on, for ever; each tensor has `batch_size` rows."""
        epoch, position = divmod(self.start(), self.batches_per_epoch)
        items = [(key, tensor, words(tensor)) for key, tensor in self.tensors.items()]
        while True:
            order = self.order(epoch)
            for batch in range(position, self.batches_per_epoch):
                first = (batch * self.ranks + self.rank) * self.batch_size
                chosen = order[first : first + self.batch_size]
                yield {
                    key: packed.index_select(0, chosen)
                    .view(tensor.dtype)
                    .view(-1, *tensor.shape[1:])
                    for key, tensor, packed in items
                }
            epoch, position = epoch + 1, 0


def count_batches(samples: int, batch_size: int, ranks: int = 1) -> int:
    """Whole joint batches in a set.

    Raises:
        DataError: if there is none.
    """
    if ranks * batch_size > samples:
        processes = f" in each of {ranks} processes" if ranks > 1 else ""
        raise DataError(
            f"data.batch_size: got {batch_size}{processes}, but the training set has only "
            f"{samples} samples. Set data.batch_size to at most {samples // ranks}, or use "
            "more data."
        )
    return samples // (ranks * batch_size)


def words(tensor: Tensor) -> Tensor:
    """A tensor's memory as a matrix of its rows, in words of 8 bytes where rows are made of those.

    Rows of it are gathered by plain copies, in microseconds; of uint8 images (N, C, H, W) the
    gathering goes byte by byte and in threads, 20 times slower and worse on a busy machine.
    """
    flat = tensor.contiguous().view(len(tensor), -1)
    fits = flat.shape[1] * flat.element_size() % 8 == 0
    return flat.view(torch.int64) if fits else flat


def rows(tensors: dict[str, Tensor]) -> int:
    """How many samples a set of tensors has."""
    return len(tensors["image"])
