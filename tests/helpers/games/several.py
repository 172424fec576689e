"""Games whose constructors decide how many networks and phases there are."""

import torch
from helpers.games.players import linear
from helpers.tiny import adam, sgd, tiny_gan
from torch import nn
from torch.nn.functional import cross_entropy

from ganlab.core import AdversarialModule, Phase, Player
from ganlab.families import GAN


class MADGAN(AdversarialModule):
    """k generators against one discriminator: Ghosh et al. 2018 (arXiv:1704.02906), section 3.

    The discriminator tells real examples (class k) and the samples of each generator apart.
    """

    averaged_modules = ("generators",)

    def __init__(self, k=3):
        super().__init__()
        torch.manual_seed(1234)
        self.k, self.discriminator = k, linear(2, k + 1)
        self.generators = nn.ModuleList(linear(2, 2) for _ in range(k))
        self.names = tuple(f"generator_{i}" for i in range(k))
        self.phases = (Phase("discriminator"), Phase("generators", players=self.names))

    def discriminator_loss(self, batch):
        made = [made.detach() for made in self.made(batch)]
        whose = [torch.full((len(m),), i) for i, m in enumerate([*made, batch["example"]])]
        logits = self.discriminator(torch.cat([*made, batch["example"]]))
        return {"adversarial": cross_entropy(logits, torch.cat(whose))}

    def generators_loss(self, batch):
        real = torch.full((len(batch["example"]),), self.k)
        losses = [cross_entropy(self.discriminator(made), real) for made in self.made(batch)]
        return {n: {"adversarial": x} for n, x in zip(self.names, losses, strict=True)}

    def made(self, batch):
        n = len(batch["example"])
        make = lambda: [g(torch.randn(n, 2)) for g in self.generators]  # noqa: E731
        return self.shared("made", of=self.names, make=make)


def madgan(k=3):
    players = {f"generator_{i}": Player(sgd(), modules=[f"generators.{i}"]) for i in range(k)}
    return MADGAN(k).bind(players | {"discriminator": Player(sgd())})


class Stages(nn.Module):
    """A generator of residual stages; each stage but the first fades in."""

    latent, shape = 2, (2,)

    def __init__(self, stages=3):
        super().__init__()
        self.stages = nn.ModuleList(linear(2, 2) for _ in range(stages))
        self.register_buffer("shares", torch.tensor([1.0] + [0.0] * (stages - 1)))

    def forward(self, z):
        for share, stage in zip(self.shares.tolist(), self.stages, strict=True):
            if share:
                z = z + share * stage(z)
        return z


class Growing(GAN):
    """Progressive growing (Karras et al. 2018, arXiv:1710.10196, section 2) with a phase a stage.

    Unlike in the paper, a stage begins as a copy of the one before. It lasts `length` examples, and
    fades in over three quarters of them.
    """

    def __init__(self, *args, length, **options):
        super().__init__(*args, **options)
        self.begun, self.fade = [], 0.75 * length
        self.stages = [
            Phase(f"stage_{i}", players=("generator",), start=i * length, until=(i + 1) * length)
            for i in range(len(self.generator.stages))
        ]
        self.phases = (Phase("discriminator"), *self.stages)

    def on_train_batch_start(self, batch, batch_idx):
        for i, stage in enumerate(self.stages[1:], 1):
            share = (self.examples_seen - stage.start) / self.fade
            self.generator.shares[i] = min(max(share, 0.0), 1.0)

    def begin_phase(self, name):
        self.begun.append((name, self.batches_seen))
        if name.startswith("stage_") and (i := int(name[-1])):
            self.generator.stages[i].load_state_dict(self.generator.stages[i - 1].state_dict())


def growing(length):
    torch.manual_seed(1234)
    game = tiny_gan()
    module = Growing(Stages(), game.discriminator, game.adversarial, length=length)
    return module.bind({role: Player(adam()) for role in ("discriminator", "generator")})
