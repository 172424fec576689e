"""Penalties of pairs and of paths, and a loss with state."""

import torch
from helpers.games.players import linear
from helpers.tiny import adam, tiny_gan
from torch import nn

from ganlab.core import AdversarialModule, Phase, Player
from ganlab.families import GAN
from ganlab.losses import AdversarialLoss, Wasserstein
from ganlab.ranks import mean_over_ranks
from ganlab.regularizers import GradientPenalty, Penalty, Regularizers, Step


class PairCritic(AdversarialModule):
    """BiGAN (Donahue et al. 2017, arXiv:1605.09782) with a critic on pairs (x, z) as in WGAN-GP."""

    phases = (Phase("critic"), Phase("both", players=("generator", "encoder"), every=2))

    def __init__(self):
        super().__init__()
        torch.manual_seed(1234)
        self.generator, self.encoder, self.critic = linear(2, 2), linear(2, 2), linear(4, 1)
        self.loss, self.regularizers = Wasserstein(), Regularizers({"penalty": GradientPenalty()})

    def critic_loss(self, batch):
        real, fake = self.regularizers.inputs(*self.pairs(batch), self.phase_steps)
        scores = self.score(real), self.score(fake)
        step = Step(self.critic, self.score, real, fake, *scores, self.phase_steps)
        return {"adversarial": self.loss.discriminator(*scores), **self.regularizers.terms(step)}

    def both_loss(self, batch):
        real, fake = (self.score(pair) for pair in self.pairs(batch))
        terms = {"adversarial": real.mean() - fake.mean()}
        return {"generator": terms, "encoder": terms}

    def score(self, pair, label=None):
        """Return scores (N,) of pairs (x, z)."""
        return self.critic(torch.cat(pair, 1))[:, 0]

    def pairs(self, batch):
        """Return the pairs (x, E(x)) and (G(z), z)."""

        def make():
            x, z = batch["example"], torch.randn(len(batch["example"]), 2)
            return (x, self.encoder(x)), (self.generator(z), z)

        return self.shared("pairs", of=("generator", "encoder"), make=make)


def pair_critic():
    module = PairCritic()
    return module.bind({r: Player(adam()) for r in ("critic", "generator", "encoder")})


class PathLength(Penalty):
    """(‖Jᵀy‖₂ − a)² with a running mean a: Karras et al. 2020 (arXiv:1912.04958), equation 4."""

    logged = ("mean",)

    def __init__(self, weight=2.0, rate=0.01):
        super().__init__(weight)
        self.rate = rate
        self.register_buffer("mean", torch.zeros(()))

    def term(self, step):
        made = step.generate(step.latents)
        (slope,) = torch.autograd.grad(
            (made * torch.randn_like(made)).sum(), step.latents, create_graph=True
        )
        lengths = slope.square().sum(1).sqrt()
        self.mean.lerp_(mean_over_ranks(lengths.mean()), self.rate)
        return (lengths - self.mean).square().mean()


class LazyPaths(GAN):
    phases = (
        Phase("discriminator"),
        Phase("generator"),
        Phase("paths", players=("generator",), every=4),
    )

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.path_length = PathLength()

    def paths_loss(self, batch):
        latents = self.draw_latents(len(batch["example"])).requires_grad_()
        none = torch.zeros(0)
        step = Step(
            *(self.generator, self.score, none, none, none, none, self.phase_steps),
            latents=latents,
            generate=self.generator,
        )
        return {"path_length": 4 * self.path_length.weight * self.path_length.term(step)}


class BEGANLoss(AdversarialLoss):
    """Berthelot et al. 2017 (arXiv:1703.10717), section 3.4; scores are reconstruction errors."""

    logged = ("k", "M")

    def __init__(self, gamma=0.5, rate=0.05):
        super().__init__()
        self.gamma, self.rate = gamma, rate
        self.register_buffer("k", torch.zeros(()))
        self.register_buffer("M", torch.zeros(()))

    def discriminator(self, real, fake):
        loss = real.mean() - self.k.clone() * fake.mean()
        on_real, on_fake = mean_over_ranks(torch.stack([real.mean(), fake.mean()]))
        balance = self.gamma * on_real - on_fake
        self.M.copy_(on_real + balance.abs())
        self.k.add_(self.rate * balance).clamp_(0, 1)
        return loss

    def generator(self, fake, real=None):
        return fake.mean()


class ErrorOf(nn.Module):
    """Returns the errors (N,) of an autoencoder's reconstructions of x (N, D)."""

    def __init__(self, autoencoder):
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, x):
        return (x - self.autoencoder(x)).abs().mean(1)


def began():
    torch.manual_seed(1234)
    module = GAN(tiny_gan().generator, ErrorOf(linear(2, 2)), BEGANLoss())
    return module.bind({role: Player(adam()) for role in module.roles})
