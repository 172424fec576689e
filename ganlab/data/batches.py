"""Endless batches of indexed tensors, in an order that depends on seed and epoch alone."""

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
        size: pixels along a side of a crop; no larger than the pictures' height and width.
        flip: whether each picture is mirrored with probability 1/2.
        together: whether all pictures of an example, e.g. of a pair, get the same crop and flip.
    """

    size: int
    flip: bool = False
    together: bool = False

    def take(self, images: Tensor, chosen: Tensor, rank: int, generator: torch.Generator) -> Tensor:
        """Return crops of the chosen images: uint8 (len(chosen), C, size, size).

        Args:
            images: uint8 (N, C, H, W); of a memory-mapped tensor only the crops are read.
            chosen: int64, the row in `images` of every example in this rank's batch.
            rank: this rank. Positions and flips are sampled for the joint batch of all ranks, and
                this rank takes its part, so the crops do not depend on the number of ranks.
            generator: a generator in the same state on all ranks.
        """
        part_of_rank = slice(rank * len(chosen), (rank + 1) * len(chosen))
        uniform = torch.rand((part_of_rank.stop, 3), generator=generator)[part_of_rank]
        positions = torch.tensor(images.shape[-2:]) - (self.size - 1)
        corners = (uniform[:, :2] * positions).long().tolist()
        mirrored = (uniform[:, 2] < 0.5).tolist() if self.flip else [False] * len(chosen)
        crops = torch.empty(
            (len(chosen), images.shape[1], self.size, self.size), dtype=images.dtype
        )
        for crop, row, (y, x), mirror in zip(
            crops, chosen.tolist(), corners, mirrored, strict=True
        ):
            part = images[row, :, y : y + self.size, x : x + self.size]
            crop.copy_(part.flip(-1) if mirror else part)
        return crops


class TensorBatches:
    """Endless batches of one rank, made by indexing tensors.

    They have no length, because the run's budget decides when training ends.

    Epoch e visits the examples in the order `torch.randperm(N)` of a generator seeded with
    `mix(seed, e)`. This order is cut into joint batches of `ranks * batch_size` examples, and each
    joint batch into one part per rank: two ranks with batch size 8 see together what one rank with
    batch size 16 sees. The incomplete joint batch at an epoch's end is dropped.

    With `independent`, each tensor has its own length and its own orders. An epoch is as long as
    the longest tensor; the rows of a shorter tensor are repeated within the epoch, reshuffled.

    Args:
        tensors: the examples under their batch keys, each with N rows unless `independent`.
        batch_size: rows in one batch of this rank.
        seed: decides the order.
        rank, ranks: this rank and the number of ranks.
        start: called at every `iter()`; returns the first batch, counted from the run's start.
        crops: the random crops of pictures; None for no cropping.
        independent: whether row i of one tensor has nothing to do with row i of another tensor.
        cropped: the keys that `crops` applies to; None for all keys.

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
        """Return the row numbers in the order of one epoch: int64 (N,), a permutation of 0 to N-1.

        With `independent`, return the order for the tensor `key`: concatenated permutations of its
        row numbers, cut to the length of the longest tensor.
        """
        if not self.independent:
            generator = torch.Generator().manual_seed(mix(self.seed, epoch))
            return torch.randperm(rows(self.tensors), generator=generator)
        key_index = list(self.tensors).index(key)
        generator = torch.Generator().manual_seed(mix(self.seed, epoch, key_index))
        length, longest = len(self.tensors[key]), rows(self.tensors)
        rounds = [torch.randperm(length, generator=generator) for _ in range(-(-longest // length))]
        return torch.cat(rounds)[:longest]

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Yield batches without end, from `start()` on; each tensor has `batch_size` rows."""
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
        """Return the chosen rows of tensor `key` for batch `number` of the run.

        They are cropped if `crops` applies to `key`. `packed` is the result of `as_rows`.
        """
        tensor = self.tensors[key]
        if self.crops is None or key not in self.cropped:
            rows_taken = packed.index_select(0, chosen).view(tensor.dtype)
            return rows_taken.view(-1, *tensor.shape[1:])
        key_index = 0 if self.crops.together else list(self.tensors).index(key)
        generator = torch.Generator().manual_seed(mix(self.seed, number, key_index, 0x63726F70))
        return self.crops.take(tensor, chosen, self.rank, generator)


def count_batches(samples: int, batch_size: int, ranks: int = 1) -> int:
    """Return the number of complete joint batches in a set of `samples` examples.

    Raises:
        DataError: if the set is smaller than one joint batch.
    """
    if ranks * batch_size > samples:
        processes = f" in each of {ranks} processes" if ranks > 1 else ""
        remedy = f"Set data.batch_size to at most {samples // ranks}, or use more data."
        raise DataError(
            f"data.batch_size: received {batch_size}{processes}, but the training set has only "
            f"{samples} examples. {remedy if samples >= ranks else 'Use more data.'}"
        )
    return samples // (ranks * batch_size)


def as_rows(tensor: Tensor) -> Tensor:
    """Return a tensor as a matrix (N, -1), viewed as int64 if a row's bytes are a multiple of 8.

    `index_select` copies the rows of such a matrix in microseconds. It copies uint8 images
    (N, C, H, W) byte by byte and in threads, which is at least 20 times slower.
    """
    flat = tensor.contiguous().view(len(tensor), -1)
    divisible = flat.shape[1] * flat.element_size() % 8 == 0
    return flat.view(torch.int64) if divisible else flat


def rows(tensors: dict[str, Tensor]) -> int:
    """Return the number of rows of the longest tensor."""
    return max(map(len, tensors.values()))
