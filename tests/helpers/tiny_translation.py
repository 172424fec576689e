"""Tiny translators and their data, for tests."""

import torch
from helpers.tiny import adam

from ganlab.core import Player
from ganlab.data import Crops
from ganlab.data.translation.base import TranslationData
from ganlab.families import CycleGAN, Pix2Pix
from ganlab.losses import LeastSquares, NonSaturating
from ganlab.networks import PatchGAN, ResNetGenerator, UNetGenerator

GENERATORS = ["generator_ab", "generator_ba"]
DISCRIMINATORS = ["discriminator_a", "discriminator_b"]


def noise(rows, seed, channels=3, size=16):
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (rows, channels, size, size), generator=rng, dtype=torch.uint8)


class TinyPairs(TranslationData):
    """Twelve training pairs and six test pairs of noise."""

    keys = provides = ("source", "target")
    has_pairs = True
    shapes = {"source": (3, 16, 16), "target": (3, 16, 16)}

    def load(self, split):
        rows, seed = (12, 0) if split == "train" else (6, 10)
        return {"source": noise(rows, seed), "target": noise(rows, seed + 1)}


class TinyDomains(TranslationData):
    """Twelve training pictures of domain a and eight of domain b; sixteen test pairs."""

    keys = provides = ("a", "b")
    has_pairs = independent = True
    shapes = {"a": (3, 16, 16), "b": (3, 16, 16)}
    crops = Crops(16, flip=True)

    def load(self, split):
        a, b, seed = (12, 8, 0) if split == "train" else (16, 16, 10)
        return {"a": noise(a, seed), "b": noise(b, seed + 1)}


def tiny_pix2pix(
    norm="batch", discriminator_norm="batch", players=None, phases=None, dropout=True, **options
):
    torch.manual_seed(1234)
    module = Pix2Pix(
        UNetGenerator(16, features=4, norm=norm, dropout=dropout),
        options.pop("discriminator", None)
        or PatchGAN(6, features=4, layers=1, norm=discriminator_norm),
        options.pop("adversarial", NonSaturating()),
        **options,
    )
    return module.bind(players or {role: Player(adam()) for role in module.roles}, phases)


def tiny_cyclegan(cls=CycleGAN, norm="instance", generator=None, discriminator=None, **options):
    torch.manual_seed(1234)
    players = options.pop("players", None) or {
        "generator": Player(adam(), modules=GENERATORS, **(generator or {})),
        "discriminator": Player(adam(), modules=DISCRIMINATORS, **(discriminator or {})),
    }
    module = cls(
        *(ResNetGenerator(features=4, blocks=1, norm=norm) for _ in range(2)),
        *(PatchGAN(3, features=4, layers=1, norm=norm) for _ in range(2)),
        options.pop("adversarial", LeastSquares()),
        **options,
    )
    return module.bind(players)
