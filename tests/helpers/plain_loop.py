"""A plain DCGAN loop that uses only torch, to compare ganlab's DCGAN recipe with.

Pictures have 28 pixels, networks 32 features, batches 64 examples. Weights start from N(0, 0.02).
Both players use Adam (learning rate 2e-4, β₁ 0.5), cross-entropy, and one step per batch.
"""

import time

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce


def generator(latent=100, features=32):
    return nn.Sequential(
        nn.ConvTranspose2d(latent, 2 * features, 7, 1, 0, bias=False),
        nn.BatchNorm2d(2 * features),
        nn.ReLU(True),
        nn.ConvTranspose2d(2 * features, features, 4, 2, 1, bias=False),
        nn.BatchNorm2d(features),
        nn.ReLU(True),
        nn.ConvTranspose2d(features, 1, 4, 2, 1, bias=False),
        nn.Tanh(),
    )


def discriminator(features=32):
    return nn.Sequential(
        nn.Conv2d(1, features, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2, True),
        nn.Conv2d(features, 2 * features, 4, 2, 1, bias=False),
        nn.BatchNorm2d(2 * features),
        nn.LeakyReLU(0.2, True),
        nn.Conv2d(2 * features, 1, 7, 1, 0, bias=False),
        nn.Flatten(0),
    )


def initialise(layer):
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)


def train(images, seconds, seed, batch=64):
    """Train on uint8 images (N, 1, 28, 28) for some seconds; return the generator and batches."""
    torch.manual_seed(seed)
    g, d = generator().apply(initialise), discriminator().apply(initialise)
    optimize_g = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimize_d = torch.optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999))
    ones, zeros = torch.ones(batch), torch.zeros(batch)
    started, batches = time.monotonic(), 0
    while True:
        for index in torch.randperm(len(images)).split(batch):
            if time.monotonic() - started >= seconds:
                return g.eval(), batches
            if len(index) < batch:
                continue
            real = images[index].float() / 127.5 - 1
            fake = g(torch.randn(batch, 100, 1, 1))
            optimize_d.zero_grad()
            (bce(d(real), ones) + bce(d(fake.detach()), zeros)).backward()
            optimize_d.step()
            optimize_g.zero_grad()
            bce(d(fake), ones).backward()
            optimize_g.step()
            batches += 1


@torch.no_grad()
def samples(g, n, seed=0, latent=100):
    """Return samples (n, 1, 28, 28) in [-1, 1]."""
    z = torch.randn(n, latent, 1, 1, generator=torch.Generator().manual_seed(seed))
    return torch.cat([g(part) for part in z.split(500)])
