"""Lecture on density estimation: a GAN compared with maximum likelihood fits of mixtures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ganlab.core import Ramp
from ganlab.data import TensorDataModule
from ganlab.families import GAN
from ganlab.lectures.densities import line, log_mixture, log_normal, wasserstein_of_samples
from ganlab.lectures.lesson import (
    Lesson,
    adam,
    is_number,
    new_figure,
    play,
    require,
    require_counts,
)
from ganlab.losses import NonSaturating
from ganlab.networks import MLPDiscriminator, MLPGenerator
from ganlab.networks.checks import check_count, check_counts
from ganlab.regularizers import R1

WEIGHTS, MEANS, STDS = (
    torch.tensor(v, dtype=torch.float64) for v in ((0.6, 0.4), (-1.5, 1.5), (0.4, 0.7))
)
RANGE, BINS = (-4.5, 5.0), 60


class Numbers(TensorDataModule):
    """A data module whose examples are numbers, float32 of shape (1,).

    Args:
        values: the numbers (N,).
        batch_size, seed: as in `TensorDataModule`.
    """

    title = "numbers"
    classes = None
    shape = (1,)

    def __init__(self, values: Tensor, batch_size: int, seed: int) -> None:
        super().__init__(batch_size=batch_size, seed=seed)
        self.values = values

    def load(self, split: str) -> dict[str, Tensor]:
        """Return the numbers, the same for every split."""
        return {"example": self.values.float()[:, None]}


def lesson(
    samples: int = 5000,
    components: Sequence[int] = (1, 2, 3),
    batches: int = 3000,
    batch_size: int = 256,
    lr: float = 2e-3,
    draws: int = 100_000,
    seed: int = 0,
) -> Lesson:
    """Estimate a density with two modes from examples, by mixtures (EM) and by a GAN.

    Args:
        samples: number of examples that each estimator is fitted to.
        components: numbers of Gaussians, one for each mixture.
        batches: length of the GAN's training.
        batch_size: batch size of the GAN's training.
        lr: learning rate of Adam for both players; it falls to 0 in the second half.
        draws: number of samples of each model for its evaluation.
        seed: seed of all random numbers.

    Raises:
        ConfigError: a setting is outside its range.
    """
    require_counts(batches=batches, batch_size=batch_size, draws=draws)
    check_count("lesson.samples", samples, least=2)
    for k in check_counts("lesson.components", components, "Gaussians in each mixture"):
        check_count("lesson.components", k, most=samples)
    require(is_number(lr, above=0), "lr", lr, "a number above 0")
    rng = torch.Generator().manual_seed(seed)
    data = draw_mixture(samples, WEIGHTS, MEANS, STDS, rng)
    test = draw_mixture(draws, WEIGHTS, MEANS, STDS, rng)
    fits = {k: fit_mixture(data, k) for k in components}
    sampled = {f"mixture_{k}": draw_mixture(draws, *fit, rng) for k, fit in fits.items()}
    sampled["gan"] = _train_gan(data, batches, batch_size, lr, seed, draws)

    numbers = {}
    for name, points in sampled.items():
        numbers[f"{name}/w1"] = float(wasserstein_of_samples(points, test))
        numbers[f"{name}/kl"] = histogram_kl(test, points)
    for k, fit in fits.items():
        numbers[f"mixture_{k}/log_likelihood"] = float(log_mixture(test, *fit).mean())
    valley = [float(((p > -0.4) & (p < 0.1)).double().mean()) for p in (test, sampled["gan"])]
    numbers |= {"data/valley": valley[0], "gan/valley": valley[1]}
    best = min(fits, key=lambda k: numbers[f"mixture_{k}/w1"])
    sentences = []
    if 1 in fits:
        sentences.append(
            "One Gaussian is too simple a model: the maximum likelihood fit covers the valley "
            f"between the modes (W1 to the data {numbers['mixture_1/w1']:.3f})."
        )
    if best >= len(WEIGHTS):
        sentences.append(
            f"Mixtures of {best} Gaussians contain the true density "
            f"(W1 of the fit {numbers[f'mixture_{best}/w1']:.3f})."
        )
    between = f"{valley[1]:.1%} of the samples lie in [−0.4, 0.1], and {valley[0]:.1%} of the data."
    if numbers["gan/w1"] < 0.15 and valley[1] > valley[0]:
        between = f"The generator is continuous, so it also samples between the modes: {between}"
    sentences += [
        "The GAN needs no parametric family and no likelihood. It reaches "
        f"W1 {numbers['gan/w1']:.3f} and a histogram KL of {numbers['gan/kl']:.3f} (mixture of "
        f"{best}: {numbers[f'mixture_{best}/kl']:.3f}).",
        between,
        "A GAN gives samples but no density: its curve in the figure is a histogram of samples.",
    ]
    return Lesson(_draw(data, fits, sampled, numbers), numbers, sentences)


def draw_mixture(
    n: int, weights: Tensor, means: Tensor, stds: Tensor, rng: torch.Generator
) -> Tensor:
    """Sample `n` numbers, float64 (n,), from a mixture of K Gaussians with parameters (K,)."""
    component = torch.multinomial(weights, n, replacement=True, generator=rng)
    noise = torch.randn(n, generator=rng, dtype=torch.float64)
    return means[component] + stds[component] * noise


def fit_mixture(
    data: Tensor, components: int, iterations: int = 300
) -> tuple[Tensor, Tensor, Tensor]:
    """Return weights, means and standard deviations (K,) of a mixture fitted to data (N,) by EM.

    The means start at quantiles of the data. Dempster, Laird and Rubin 1977.
    """
    levels = (torch.arange(components, dtype=data.dtype) + 0.5) / components
    means = torch.quantile(data, levels)
    weights = torch.full_like(means, 1 / components)
    stds = data.std().expand(components) / components
    for _ in range(iterations):
        joint = log_normal(data[:, None], means, stds) + weights.log()
        posterior = joint.softmax(1)  # (N, K): probability of each component given each example
        mass = posterior.sum(0)
        weights, means = mass / len(data), (posterior * data[:, None]).sum(0) / mass
        variances = (posterior * (data[:, None] - means).square()).sum(0) / mass
        stds = variances.sqrt().clamp(min=1e-3)
    return weights, means, stds


def histogram_kl(p: Tensor, q: Tensor) -> float:
    """Return KL(p‖q) of the histograms of two sets of samples, with ½ added to every count."""
    counts = [torch.histc(v.clamp(*RANGE), BINS, *RANGE).double() + 0.5 for v in (p, q)]
    a, b = (c / c.sum() for c in counts)
    return float((a * (a / b).log()).sum())


def _train_gan(
    data: Tensor, batches: int, batch_size: int, lr: float, seed: int, draws: int
) -> Tensor:
    half = batches * batch_size / 2
    rate = Ramp(lr, 0.0, examples=half, delay=half)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        game = GAN(
            MLPGenerator(4, [1], [64, 64], activation="relu", output="linear"),
            MLPDiscriminator([1], [64, 64], activation="leaky_relu"),
            NonSaturating(),
            {"r1": R1(weight=1.0)},
        )
    players = {role: adam(rate, (0.0, 0.99)) for role in game.roles}
    module = game.bind(players)
    play(module, Numbers(data, batch_size, seed), batches, seed)
    return module.sample(draws, seed=seed, batch_size=draws).double().flatten()


def _draw(
    data: Tensor,
    fits: dict[int, tuple[Tensor, Tensor, Tensor]],
    sampled: dict[str, Tensor],
    numbers: dict[str, float],
) -> Figure:
    rows = len(sampled) // 2 + len(sampled) % 2
    figure = new_figure(14, 3.3 * rows, "Estimating a density from 1-D samples")
    axes = figure.subplots(rows, 2, sharex=True, sharey=True).flatten()
    for panel in axes[len(sampled) :]:
        panel.remove()
    x = line(*RANGE, 1001)
    truth = log_mixture(x, WEIGHTS, MEANS, STDS).exp()
    titles = {f"mixture_{k}": f"maximum likelihood, {k} Gaussian{'s' * (k > 1)}" for k in fits}
    titles["gan"] = "GAN: G(z) with z ~ N(0, I) in 4 dimensions"
    for panel, (name, title) in zip(axes[: len(sampled)], titles.items(), strict=True):
        panel.hist(
            data, BINS, RANGE, density=True, color="black", alpha=0.18, label="data (histogram)"
        )
        panel.plot(x, truth, "k--", linewidth=1, label="true density")
        if name == "gan":
            label = "samples of G (histogram)"
            style = {"histtype": "step", "color": "tab:red", "linewidth": 2}
            panel.hist(sampled[name], BINS, RANGE, density=True, label=label, **style)
        else:
            fit = fits[int(name.rpartition("_")[2])]
            panel.plot(x, log_mixture(x, *fit).exp(), color="tab:blue", linewidth=2, label="model")
        score = f"W1 to the data {numbers[f'{name}/w1']:.3f}\nKL {numbers[f'{name}/kl']:.3f}"
        panel.text(0.02, 0.95, score, transform=panel.transAxes, va="top", fontsize=10)
        panel.set(title=title, xlabel="x", ylabel="density", xlim=RANGE)
        panel.legend(fontsize=9, loc="upper right")
    return figure
