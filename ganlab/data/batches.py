"""Endless batches by indexing tensors, in an order that is a function of seed and epoch alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ganlab.core.randomness import mix
from ganlab.errors import DataError


@dataclass(frozen=True)
class Crops:
    """Random crops and horizontal flips of the pictures of a batch.

    Args:
        size: pixels along a side of what is cut out; at most the stored pictures'.
        flip: mirror half of the samples.
        together: all pictures of a sample are cut and mirrored alike, as pairs must be; otherwise
            each by itself.
    """

    size: int
    flip: bool = False
    together: bool = False

    def take(self, images: Tensor, chosen: Tensor, rank: int, generator: torch.Generator) -> Tensor:
        """Cut pictures out: uint8 (len(chosen), C, size, size).

        Args:
            images: uint8 (N, C, H, W); it may be mapped from a file: no more than needed is read.
            chosen: rows of the picture of every sample of this rank.
            rank: places and mirrorings are drawn for the ranks' joint batch, of which this rank
                takes its part: what is seen does not depend on the number of ranks.
            generator: in the same state on all ranks.
        """
        own = slice(rank * len(chosen), (rank + 1) * len(chosen))
        drawn = torch.rand((own.stop, 3), generator=generator)[own]
        room = torch.tensor(images.shape[-2:]) - (self.size - 1)
        places = (drawn[:, :2] * room).long().tolist()
        mirrored = (drawn[:, 2] < 0.5).tolist() if self.flip else [False] * len(chosen)
        taken = torch.empty(
            (len(chosen), images.shape[1], self.size, self.size), dtype=images.dtype
        )
        for cut, row, (y, x), mirror in zip(taken, chosen.tolist(), places, mirrored, strict=True):
            part = images[row, :, y : y + self.size, x : x + self.size]
            cut.copy_(part.flip(-1) if mirror else part)
        return taken


class TensorBatches:
    """Endless batches of one rank, by indexing tensors. It has no length: a run's budget ends it.

    Epoch e visits the samples in the order `torch.randperm(N)` of a generator seeded with
    `mix(seed, e)`. Joint batch b of all ranks is the b-th contiguous slice of `ranks * batch_size`
    samples of it, and rank r takes the r-th `batch_size` of them: two processes of 8 see together
    what one of 16 sees. What is left at an epoch's end, less than a joint batch, is dropped.

    `independent` tensors have rows and orders of their own; an epoch is as long as the longest, and
    shorter ones begin again within it, in another order.

    Args:
        tensors: the samples under their batch keys, each with N rows unless `independent`.
        batch_size: rows of one batch of this rank.
        seed: of the order.
        rank, ranks: this process and how many there are.
        start: asked at every `iter()` for the batch to begin with, counted from the run's start.
        crops: what is cut out of pictures; None for whole ones.
        independent: whether row i of one tensor has nothing to do with row i of another.
        cropped: the keys of the pictures; None for all keys.

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
        crops: Crops | None = None,
        independent: bool = False,
        cropped: tuple[str, ...] | None = None,
    ) -> None:
        self.tensors = tensors
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.ranks = ranks
        self.start = start
        self.crops = crops
        self.independent = independent
        self.cropped = tuple(tensors) if cropped is None else cropped
        self.batches_per_epoch = count_batches(rows(tensors), batch_size, ranks)

    def order(self, epoch: int, key: str | None = None) -> Tensor:
        """The samples' order in one epoch: int64 of shape (N,), a permutation of 0 to N-1.

        Of a `key` among independent tensors it has as many entries as the longest tensor has rows.
        """
        if not self.independent:
            generator = torch.Generator().manual_seed(mix(self.seed, epoch))
            return torch.randperm(rows(self.tensors), generator=generator)
        place = list(self.tensors).index(key)
        generator = torch.Generator().manual_seed(mix(self.seed, epoch, place))
        own, longest = len(self.tensors[key]), rows(self.tensors)
        rounds = [torch.randperm(own, generator=generator) for _ in range(-(-longest // own))]
        return torch.cat(rounds)[:longest]

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Batches from `start()` on, for ever; each tensor has `batch_size` rows."""
        epoch, position = divmod(self.start(), self.batches_per_epoch)
        packed = {key: as_rows(tensor) for key, tensor in self.tensors.items()}
        while True:
            shared = None if self.independent else self.order(epoch)
            orders = {k: self.order(epoch, k) if shared is None else shared for k in packed}
            for batch in range(position, self.batches_per_epoch):
                first = (batch * self.ranks + self.rank) * self.batch_size
                chosen = {k: order[first : first + self.batch_size] for k, order in orders.items()}
                number = epoch * self.batches_per_epoch + batch
                yield {key: self._take(key, packed[key], chosen[key], number) for key in packed}
            epoch, position = epoch + 1, 0

    def _take(self, key: str, packed: Tensor, chosen: Tensor, number: int) -> Tensor:
        """The chosen rows of one tensor in batch `number` of the run."""
        tensor = self.tensors[key]
        if self.crops is None or key not in self.cropped:
            rows_taken = packed.index_select(0, chosen).view(tensor.dtype)
            return rows_taken.view(-1, *tensor.shape[1:])
        place = 0 if self.crops.together else list(self.tensors).index(key)
        generator = torch.Generator().manual_seed(mix(self.seed, number, place, 0x63726F70))
        return self.crops.take(tensor, chosen, self.rank, generator)


def count_batches(samples: int, batch_size: int, ranks: int = 1) -> int:
    """Whole joint batches in a set.

    Raises:
        DataError: if there is none.
    """
    if ranks * batch_size > samples:
        processes = f" in each of {ranks} processes" if ranks > 1 else ""
        raise DataError(
            f"data.batch_size: received {batch_size}{processes}, but the training set has only "
            f"{samples} samples. Set data.batch_size to at most {samples // ranks}, or use "
            "more data."
        )
    return samples // (ranks * batch_size)


def as_rows(tensor: Tensor) -> Tensor:
    """A tensor's memory as a matrix of its rows, in numbers of 8 bytes where those fit.

    Rows of it are gathered by plain copies, in microseconds; of uint8 images (N, C, H, W) the
    gathering goes byte by byte and in threads, 20 times slower and worse on a busy machine.
    """
    flat = tensor.contiguous().view(len(tensor), -1)
    fits = flat.shape[1] * flat.element_size() % 8 == 0
    return flat.view(torch.int64) if fits else flat


def rows(tensors: dict[str, Tensor]) -> int:
    """How many samples a set of tensors has; of the longest where they are independent."""
    return max(map(len, tensors.values()))
