"""A pool of earlier generated pictures for the discriminator."""

from __future__ import annotations

import torch
from torch import Tensor

from ganlab.errors import ConfigError


class ImagePool:
    """A pool of earlier generated pictures; once full, it replaces about half of the new pictures.

    Shrivastava et al. 2017 (arXiv:1612.07828, section 2.3), in CycleGAN's version
    (arXiv:1703.10593, section 4). The pool is filled first. After that, each new picture is
    swapped with probability ½: it replaces a random picture of the pool, and the replaced picture
    is shown to the discriminator.

    Args:
        size: number of pictures in the full pool; 0 for no pool.

    Raises:
        ConfigError: a size below 0.
    """

    def __init__(self, size: int = 50) -> None:
        if size < 0:
            raise ConfigError(f"model.pool_size: received {size}; needs 0 (no pool) or more.")
        self.size = size
        self.pictures: list[Tensor] = []

    def exchange(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """Return the pictures (N, …) to show to the discriminator, without gradients.

        Args:
            pictures: newly generated pictures (N, …).
            generator: random number generator on the CPU; decides which pictures are swapped.
        """
        pictures = pictures.detach()
        if not self.size:
            return pictures
        if self.pictures and self.pictures[0].device != pictures.device:  # from a checkpoint
            self.pictures = [picture.to(pictures.device) for picture in self.pictures]
        shown = []
        for picture in pictures:
            if len(self.pictures) < self.size:
                self.pictures.append(picture.clone())  # a view would keep the batch in memory
            elif float(torch.rand((), generator=generator)) < 0.5:
                index = int(torch.randint(self.size, (), generator=generator))
                self.pictures[index], picture = picture.clone(), self.pictures[index].to(picture)
            shown.append(picture)
        return torch.stack(shown)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the pictures on the CPU, for a checkpoint; an empty dict for an empty pool."""
        return {"pictures": torch.stack(self.pictures).cpu()} if self.pictures else {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore the pictures from `state_dict`; `exchange` moves them to the device in use."""
        self.pictures = [picture.clone() for picture in state["pictures"]] if state else []
