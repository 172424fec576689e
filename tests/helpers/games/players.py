"""Games of other forms than those of today's families, with tiny networks."""

import torch
from helpers.tiny import adam, sgd, tiny_gan
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss, softplus

from ganlab.core import AdversarialModule, Phase, Player
from ganlab.families import GAN


def linear(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 6), nn.Tanh(), nn.Linear(6, outputs))


class VAEGAN(AdversarialModule):
    """Larsen et al. 2016 (arXiv:1512.09300), algorithm 1: three players, one graph."""

    phases = (Phase("all", players=("encoder", "decoder", "discriminator")),)
    averaged_modules = ("decoder",)
    gamma = 0.1

    def __init__(self):
        super().__init__()
        torch.manual_seed(1234)
        self.encoder, self.decoder, self.discriminator = linear(2, 4), linear(2, 2), linear(2, 1)

    def draw(self, n):
        return torch.randn(n, 2, device=self.device)

    def all_loss(self, batch):
        x, features = batch["example"], self.discriminator[:2]
        mean, log_variance = self.encoder(x).chunk(2, 1)
        z = mean + (log_variance / 2).exp() * self.draw(len(x))
        prior = (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2
        reconstructed = self.decoder(z)
        likelihood = (features(reconstructed) - features(x)).square().sum(1).mean() / 2
        sampled = self.decoder(self.draw(len(x)))
        real, *fakes = map(self.discriminator, (x, reconstructed, sampled))
        # −L_GAN
        discrimination = softplus(-real).mean() + sum(softplus(fake).mean() for fake in fakes)
        return {
            "encoder": {"prior": prior, "likelihood": likelihood},
            "decoder": {"likelihood": self.gamma * likelihood, "adversarial": -discrimination},
            "discriminator": {"adversarial": discrimination},
        }


def vaegan(make=sgd, **options):
    module = VAEGAN()
    return module.bind(
        {role: Player(make(), **options) for role in ("encoder", "decoder", "discriminator")}
    )


class Simultaneous(GAN):
    phases = (Phase("both", players=("discriminator", "generator")),)


class InfoGAN(GAN):
    """Chen et al. 2016 (arXiv:1606.03657), equation 6, with a network of its own for Q."""

    roles = ("discriminator", "generator")

    def __init__(self, *args, weight=1.0, **options):
        super().__init__(*args, **options)
        self.q, self.weight = linear(2, 2), weight

    def generator_loss(self, batch):
        code = (batch["example"][:, 0] > 0).long()
        z = self.draw_latents(len(code))
        z[:, 0] = code
        guess = cross_entropy(self.q(self.generator(z)), code)
        return super().generator_loss(batch) | {"information": self.weight * guess}


def infogan():
    players = {
        "discriminator": Player(adam()),
        "generator": Player(adam(), modules=["generator", "q"]),
    }
    return tiny_gan(InfoGAN, players)


class Pretrained(GAN):
    """A generator that first minimises a squared distance, then learns from the discriminator."""

    phases = (
        Phase("likelihood", players=("generator",), until=20),
        Phase("discriminator", start=20),
        Phase("generator", start=20, every=2),
    )
    begun = ()

    def likelihood_loss(self, batch):
        made = self.generator(self.draw_latents(len(batch["example"])))
        return {"likelihood": mse_loss(made, batch["example"])}

    def begin_phase(self, name):
        self.begun = (*self.begun, (name, self.batches_seen))


class Lazy(GAN):
    """StyleGAN2's lazy R1 (arXiv:1912.04958, appendix B) as a phase, without its factors."""

    phases = (
        Phase("discriminator"),
        Phase("r1", players=("discriminator",), every=4),
        Phase("generator"),
    )

    def r1_loss(self, batch):
        real = batch["example"].detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.score(real).sum(), real, create_graph=True)
        return {"r1": slope.square().sum(1).mean()}
