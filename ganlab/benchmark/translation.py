"""Training loops of CycleGAN and pix2pix as in the authors' code (pytorch-CycleGAN-and-pix2pix).

A training step does its work in the order of that code. Each network sees one batch at a time, and
the discriminators' losses are computed one by one. One Adam optimizer updates all generators,
another Adam optimizer all discriminators.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from copy import deepcopy
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from ganlab.families import CycleGAN, Pix2Pix
from ganlab.modalities.pixels import normalise

Loop = Callable[[int], None]


def cyclegan_loop(module: CycleGAN, data: Any, copy: bool = True) -> Loop:
    """Return CycleGAN's loop: least squares, cycle weight 10, identity weight 5, pools of 50.

    The loss weights and pools of the module itself are not used.

    Args:
        module: the model whose networks are trained.
        data: the model's data module, set up.
        copy: train copies of the networks instead of the networks themselves.

    Returns:
        A function that trains for a number of batches.
    """
    names = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")
    g_ab, g_ba, d_a, d_b = _networks(module, names, copy)
    optimize_g, optimize_d = _adam(g_ab, g_ba), _adam(d_a, d_b)
    pool_a, pool_b = _Pool(50), _Pool(50)
    batches = _batches(data, ("a", "b"), module.device)

    def step(a: Tensor, b: Tensor) -> None:
        fake_b = g_ab(a)
        back_a = g_ba(fake_b)
        fake_a = g_ba(b)
        back_b = g_ab(fake_a)
        _require_gradients(False, d_a, d_b)
        optimize_g.zero_grad()
        identity = 5.0 * (l1_loss(g_ab(b), b) + l1_loss(g_ba(a), a))
        adversarial = _squares(d_b(fake_b), 1.0) + _squares(d_a(fake_a), 1.0)
        cycle = 10.0 * (l1_loss(back_a, a) + l1_loss(back_b, b))
        (adversarial + cycle + identity).backward()
        optimize_g.step()
        _require_gradients(True, d_a, d_b)
        optimize_d.zero_grad()
        for network, real, fake in ((d_b, b, pool_b(fake_b)), (d_a, a, pool_a(fake_a))):
            real_loss = _squares(network(real), 1.0)
            ((real_loss + _squares(network(fake), 0.0)) * 0.5).backward()
        optimize_d.step()

    return _loop(step, batches)


def pix2pix_loop(module: Pix2Pix, data: Any, copy: bool = True) -> Loop:
    """Return pix2pix's loop: cross-entropy and L1 of weight 100; see `cyclegan_loop`."""
    generator, discriminator = _networks(module, ("generator", "discriminator"), copy)
    optimize_g, optimize_d = _adam(generator), _adam(discriminator)
    batches = _batches(data, ("source", "target"), module.device)

    def step(source: Tensor, target: Tensor) -> None:
        fake = generator(source)
        _require_gradients(True, discriminator)
        optimize_d.zero_grad()
        fake_loss = _entropy(discriminator(torch.cat((source, fake), 1).detach()), 0.0)
        real_loss = _entropy(discriminator(torch.cat((source, target), 1)), 1.0)
        ((fake_loss + real_loss) * 0.5).backward()
        optimize_d.step()
        _require_gradients(False, discriminator)
        optimize_g.zero_grad()
        adversarial = _entropy(discriminator(torch.cat((source, fake), 1)), 1.0)
        (adversarial + 100.0 * l1_loss(fake, target)).backward()
        optimize_g.step()

    return _loop(step, batches)


def _networks(module: nn.Module, names: tuple[str, ...], copy: bool) -> list[nn.Module]:
    networks = [module.get_submodule(name) for name in names]
    if copy:
        networks = [deepcopy(network) for network in networks]
    for layer in chain(*(network.modules() for network in networks)):
        if isinstance(layer, nn.InstanceNorm2d):
            # PyTorch's own layer instead of ganlab's faster subclass
            layer.__class__ = nn.InstanceNorm2d
    _require_gradients(True, *networks)
    return networks


def _adam(*networks: nn.Module) -> torch.optim.Optimizer:
    parameters = chain(*(network.parameters() for network in networks))
    return torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999))


def _require_gradients(required: bool, *networks: nn.Module) -> None:
    for network in networks:
        for parameter in network.parameters():
            parameter.requires_grad = required


def _squares(scores: Tensor, target: float) -> Tensor:
    return mse_loss(scores, torch.tensor(target, device=scores.device).expand_as(scores))


def _entropy(scores: Tensor, target: float) -> Tensor:
    labels = torch.tensor(target, device=scores.device).expand_as(scores)
    return nn.functional.binary_cross_entropy_with_logits(scores, labels)


def _batches(data: Any, keys: tuple[str, str], device: Any) -> Callable[[], list[Tensor]]:
    """Return a function that returns the next batch's pictures, a tensor for each key."""
    batches = iter(data.train_dataloader())

    def next_batch() -> list[Tensor]:
        batch = next(batches)
        return [normalise(batch[key].to(device)) for key in keys]

    return next_batch


def _loop(step: Callable[..., None], batches: Callable[[], list[Tensor]]) -> Loop:
    def train(count: int) -> None:
        for _ in range(count):
            step(*batches())

    return train


class _Pool:
    """Pool of generated pictures; once full, it swaps half of the new pictures for earlier ones."""

    def __init__(self, size: int) -> None:
        self.size, self.pictures = size, []

    def __call__(self, pictures: Tensor) -> Tensor:
        shown = []
        for picture in pictures.detach():
            if len(self.pictures) < self.size:
                self.pictures.append(picture)
            elif random.random() < 0.5:
                index = random.randrange(self.size)
                self.pictures[index], picture = picture, self.pictures[index]
            shown.append(picture)
        return torch.stack(shown)
