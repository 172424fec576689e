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
    """Larsen et al. 2016 (arXiv:1512.09300), algorithm 1, without the discriminator's features."""

    phases = (Phase("autoencoder", players=("encoder", "decoder")), Phase("discriminator"))
    averaged_modules = ("decoder",)

    def __init__(self):
        super().__init__()
        torch.manual_seed(1234)
        self.encoder, self.decoder, self.discriminator = linear(2, 4), linear(2, 2), linear(2, 1)

    def draw(self, n):
        return torch.randn(n, 2, device=self.device)

    def autoencoder_loss(self, batch):
        mean, log_variance = self.encoder(batch["example"]).chunk(2, 1)
        z = mean + (log_variance / 2).exp() * self.draw(len(mean))
        made = self.decoder(z)
        reconstruction = mse_loss(made, batch["example"])
        prior = (mean**2 + log_variance.exp() - 1 - log_variance).mean() / 2
        return {
            "encoder": {"prior": prior, "reconstruction": reconstruction},
            "decoder": {
                "reconstruction": 0.1 * reconstruction,
                "adversarial": softplus(-self.discriminator(made)).mean(),
            },
        }

    def discriminator_loss(self, batch):
        with torch.no_grad():
            made = self.decoder(self.draw(len(batch["example"])))
        real = softplus(-self.discriminator(batch["example"])).mean()
        return {"adversarial": real + softplus(self.discriminator(made)).mean()}


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
    """A generator that first learns by likelihood, then from the discriminator."""

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
    """StyleGAN2's lazy R1 (arXiv:1912.04958, appendix B) as a phase of the discriminator."""

    phases = (
        Phase("discriminator"),
        Phase("r1", players=("discriminator",), every=4),
        Phase("generator"),
    )

    def r1_loss(self, batch):
        real = batch["example"].detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.score(real).sum(), real, create_graph=True)
        return {"r1": slope.square().sum(1).mean()}
