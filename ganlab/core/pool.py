"""A history of generated pictures for the discriminator."""

from __future__ import annotations

import torch
from torch import Tensor

from ganlab.errors import ConfigError


class ImagePool:
    """Earlier generated pictures, shown in place of half of the new ones once there are enough.

    Shrivastava et al. 2017 (arXiv:1612.07828, section 2.3), as CycleGAN has it (arXiv:1703.10593,
    section 4): the pool is filled first; then each new picture, with probability ½, takes the place
    of a random one in the pool, which is shown instead.

    Args:
        size: pictures that it holds; 0 for no pool.

    Raises:
        ConfigError: a size below 0.
    """

    def __init__(self, size: int = 50) -> None:
        if size < 0:
            raise ConfigError(f"model.pool_size: received {size}; needs 0 (no pool) or more.")
        self.size = size
        self.pictures: list[Tensor] = []

    def exchange(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """What the discriminator is to see in place of new pictures (N, …), without gradients.

        Args:
            pictures: generated ones.
            generator: on the CPU; what is exchanged is drawn from it.
        """
        pictures = pictures.detach()
        if not self.size:
            return pictures
        if self.pictures and self.pictures[0].device != pictures.device:  # out of a checkpoint
            self.pictures = [picture.to(pictures.device) for picture in self.pictures]
        shown = []
        for picture in pictures:
            if len(self.pictures) < self.size:
                self.pictures.append(picture.clone())  # a part would keep the whole batch
            elif float(torch.rand((), generator=generator)) < 0.5:
                place = int(torch.randint(self.size, (), generator=generator))
                self.pictures[place], picture = picture.clone(), self.pictures[place].to(picture)
            shown.append(picture)
        return torch.stack(shown)

    def state_dict(self) -> dict[str, Tensor]:
        """The pictures on the CPU, for a checkpoint; empty before the first one."""
        return {"pictures": torch.stack(self.pictures).cpu()} if self.pictures else {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state_dict`, on whatever device."""
        self.pictures = [picture.clone() for picture in state["pictures"]] if state else []
