"""SeqGAN (Yu et al. 2017, arXiv:1609.05473): likelihood first, then a policy gradient."""

import torch
from helpers.tiny import adam
from torch import nn
from torch.nn.functional import cross_entropy, one_hot, softplus

from ganlab.core import AdversarialModule, Phase, Player

TOKENS, LENGTH = 3, 4


class Writer(nn.Module):
    """Maps tokens (N, T) to logits (N, T, TOKENS) of each token given those before it."""

    def __init__(self):
        super().__init__()
        self.recurrent, self.output = nn.GRU(TOKENS, 8, batch_first=True), nn.Linear(8, TOKENS)

    def forward(self, tokens):
        before = nn.functional.pad(one_hot(tokens, TOKENS)[:, :-1], (0, 0, 1, 0))
        return self.output(self.recurrent(before.to(self.output.weight.dtype))[0])

    @torch.no_grad()
    def write(self, n):
        """Return sampled sequences (n, LENGTH), one token after the other."""
        tokens = torch.zeros(n, LENGTH, dtype=torch.long)
        for position in range(LENGTH):
            gumbel = -(-torch.rand(n, TOKENS).log()).log()
            tokens[:, position] = (self(tokens)[:, position] + gumbel).argmax(1)
        return tokens


class SeqGAN(AdversarialModule):
    phases = (
        Phase("likelihood", players=("generator",), until=20),
        Phase("discriminator", start=20),
        Phase("generator", start=20),
    )

    def __init__(self):
        super().__init__()
        torch.manual_seed(1234)
        self.generator = Writer()
        self.discriminator = nn.Sequential(nn.Linear(TOKENS * LENGTH, 8), nn.Tanh())
        self.discriminator.append(nn.Linear(8, 1))

    def likelihood_loss(self, batch):
        tokens = self.tokens(batch)
        return {"likelihood": cross_entropy(self.generator(tokens).flatten(0, 1), tokens.flatten())}

    def discriminator_loss(self, batch):
        real = softplus(-self.score(self.tokens(batch))).mean()
        fake = self.generator.write(len(batch["example"]))
        return {"adversarial": real + softplus(self.score(fake)).mean()}

    def generator_loss(self, batch):
        """The policy gradient of equation 6, with the reward of whole sequences."""
        made = self.generator.write(len(batch["example"]))
        reward = self.score(made).sigmoid()
        log_probabilities = self.generator(made).log_softmax(2)
        log_likelihood = log_probabilities.gather(2, made[..., None]).sum((1, 2))
        return {"policy": -(log_likelihood * reward.detach()).mean()}

    def score(self, tokens, label=None):
        """Return scores (N,) of tokens (N, LENGTH)."""
        weight = self.discriminator[0].weight
        return self.discriminator(one_hot(tokens, TOKENS).flatten(1).to(weight.dtype))[:, 0]

    def tokens(self, batch):
        """Return sequences that alternate between two tokens, chosen by the point's sign."""
        first = (batch["example"][:, :1] > 0).long()
        return (first + torch.arange(LENGTH)) % 2


def seqgan(until=20):
    module = SeqGAN()
    phases = {"likelihood": {"until": until}, "discriminator": {"start": until}}
    phases["generator"] = {"start": until}
    return module.bind({role: Player(adam()) for role in ("generator", "discriminator")}, phases)
