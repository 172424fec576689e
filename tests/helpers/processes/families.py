"""A tiny game of each family, without batch norm, for tests/helpers/processes/game.py."""

import torch
from helpers.games.players import Lazy, Simultaneous, infogan, vaegan
from helpers.games.sequences import seqgan
from helpers.games.several import growing, madgan
from helpers.games.terms import LazyPaths, began, pair_critic
from helpers.tiny import adam, sgd, tiny_gan, tiny_images, tiny_ring
from helpers.tiny_translation import (
    DISCRIMINATORS,
    GENERATORS,
    TinyDomains,
    TinyPairs,
    tiny_cyclegan,
    tiny_pix2pix,
)

from ganlab.augment import ADA, DiffAugment
from ganlab.core import Player
from ganlab.families import CUT, GAN, MUNIT, BicycleGAN, Classifier
from ganlab.losses import LeastSquares, NonSaturating
from ganlab.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    LatentUNet,
    MLPDiscriminator,
    MLPGenerator,
    PatchGAN,
    ResidualEncoder,
    ResNetGenerator,
    StyledResNet,
)
from ganlab.regularizers import R1, LeCam


def players(generator=(), discriminator=()):
    """Return players with SGD: one accumulates gradients, one steps every 2 batches and clips."""
    return {
        "discriminator": Player(sgd(0.01), discriminator, accumulate=2),
        "generator": Player(sgd(0.01), generator, every=2, gradient_clip=0.5),
    }


def gan(n):
    module = tiny_gan(players=players(), regularizers={"r1": R1(0.5, every=2)})
    return module, tiny_ring(batch_size=n, samples=64)


def classifier(n):
    torch.manual_seed(1234)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 8), torch.nn.Tanh())
    network.append(torch.nn.Linear(8, 3))
    module = Classifier(network, smoothing=0.1)
    return module.bind({"network": Player(sgd(), accumulate=2)}), tiny_images(n)


def pix2pix(n):
    module = tiny_pix2pix("instance", "instance", players(), dropout=False)
    return module, TinyPairs(batch_size=n)


def cyclegan(n):
    both = players(GENERATORS, DISCRIMINATORS)
    return tiny_cyclegan(pool_size=0, players=both), TinyDomains(batch_size=n)


def cut(n):
    torch.manual_seed(1234)
    module = CUT(
        ResNetGenerator(features=4, blocks=3, norm="instance"),
        PatchGAN(features=4, layers=1, norm="instance"),
        LeastSquares(),
        layers=(0, 4, 7, 10),
        patches=16,
        head_features=8,
        flip_equivariance=True,
    )
    return module.bind(players(["generator", "heads"])), TinyDomains(batch_size=n)


def bicyclegan(n):
    torch.manual_seed(1234)
    module = BicycleGAN(
        LatentUNet(16, latent=3, features=4, norm="instance"),
        ResidualEncoder(16, latent=3, features=4),
        *(PatchGAN(features=4, layers=1, norm="instance") for _ in range(2)),
        LeastSquares(),
    )
    both = players(["generator", "encoder"], ["discriminator_encoded", "discriminator_random"])
    return module.bind(both), TinyPairs(batch_size=n)


def munit(n):
    torch.manual_seed(1234)
    small = {"latent": 3, "features": 4, "blocks": 1, "style_features": 8}
    module = MUNIT(
        *(StyledResNet(**small) for _ in range(2)),
        *(PatchGAN(features=4, layers=1, norm="none") for _ in range(2)),
        LeastSquares(),
    )
    return module.bind(players(GENERATORS, DISCRIMINATORS)), TinyDomains(batch_size=n)


def of_points(module):
    return lambda n: (module(), tiny_ring(batch_size=n, samples=64))


def lazy():
    """Return a game in which two phases of a player accumulate gradients side by side."""
    both = {"discriminator": Player(sgd(), accumulate=2), "generator": Player(sgd())}
    return tiny_gan(Lazy, both, phases={"r1": {"every": 1}})


def adaptive():
    """Return a game on pictures whose augmentation adapts within a few batches."""
    torch.manual_seed(1234)
    regularizers = {
        "ada": ADA(target=0.1, examples=24, interval=2, p=0.3),
        "differentiable": DiffAugment(["cutout"]),
        "r1": R1(0.5, every=2),
    }
    networks = MLPGenerator(4, [1, 8, 8], [8]), MLPDiscriminator([1, 8, 8], [8], activation="tanh")
    module = GAN(*networks, NonSaturating(), regularizers)
    return module.bind({role: Player(sgd()) for role in module.roles})


FAMILIES = {
    "gan": gan,
    "classifier": classifier,
    "pix2pix": pix2pix,
    "cyclegan": cyclegan,
    "cut": cut,
    "bicyclegan": bicyclegan,
    "munit": munit,
    "several_players": of_points(vaegan),
    "simultaneous": of_points(lambda: tiny_gan(Simultaneous)),
    "several_phases": of_points(lazy),
    "infogan": of_points(infogan),
    "likelihood_then_adversarial": of_points(lambda: seqgan(until=12)),
    "several_generators": of_points(madgan),
    "growing": of_points(lambda: growing(length=8)),
    "pairs": of_points(pair_critic),
    "path_length": of_points(lambda: tiny_gan(LazyPaths)),
    "began": of_points(began),
    "lecam": of_points(lambda: tiny_gan(regularizers={"lecam": LeCam(decay=0.5)})),
    "ada": lambda n: (adaptive(), tiny_images(n)),
}


def synchronised(n):
    """Return a game with batch norm in both networks, and a penalty with second derivatives."""
    torch.manual_seed(1234)
    module = GAN(
        DCGANGenerator(16, channels=1, latent=3, features=4),
        DCGANDiscriminator(16, channels=1, features=4),
        NonSaturating(),
        {"r1": R1(0.5, every=2)},
    )
    return module.bind(players()), tiny_images(n, size=16)


def pooled(n):
    """Return a game with pools of earlier pictures."""
    both = {
        "generator": Player(adam(), GENERATORS),
        "discriminator": Player(adam(), DISCRIMINATORS),
    }
    return tiny_cyclegan(pool_size=3, players=both), TinyDomains(batch_size=n)
