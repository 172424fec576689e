"""A GAN as an estimator of a density, beside maximum likelihood with mixtures of Gaussians."""

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
    """A set of numbers as a data set: float32 of shape (N, 1).

    Args:
        values: (N,).
        batch_size, seed: as in `TensorDataModule`.
    """

    title = "numbers"
    classes = None
    shape = (1,)

    def __init__(self, values: Tensor, batch_size: int, seed: int) -> None:
        super().__init__(batch_size=batch_size, seed=seed)
        self.values = values

    def load(self, split: str) -> dict[str, Tensor]:
        """The numbers, whatever the split."""
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
    """Estimate a density with two modes from samples, by EM and by a GAN.

    Args:
        samples: that every estimator learns from.
        components: of the mixtures that maximum likelihood fits.
        batches: of the GAN's training.
        batch_size: of the GAN's training.
        lr: Adam's rate of both players, which falls to 0 over the second half.
        draws: samples of each model that it is judged by.
        seed: of everything random.

    Raises:
        ConfigError: a setting outside its range.
    """
    require_counts(batches=batches, batch_size=batch_size, draws=draws)
    check_count("lesson.samples", samples, least=2)
    for k in check_counts("lesson.components", components, "Gaussians in each mixture"):
        check_count("lesson.components", k, most=samples)
    require(is_number(lr, above=0), "lr", lr, "a number above 0")
    rng = torch.Generator().manual_seed(seed)
    data = draw_mixture(samples, WEIGHTS, MEANS, STDS, rng)
    fresh = draw_mixture(draws, WEIGHTS, MEANS, STDS, rng)
    fits = {k: fit_mixture(data, k) for k in components}
    drawn = {f"mixture_{k}": draw_mixture(draws, *fit, rng) for k, fit in fits.items()}
    drawn["gan"] = _train_gan(data, batches, batch_size, lr, seed, draws)

    numbers = {}
    for name, points in drawn.items():
        numbers[f"{name}/w1"] = float(wasserstein_of_samples(points, fresh))
        numbers[f"{name}/kl"] = histogram_kl(fresh, points)
    for k, fit in fits.items():
        numbers[f"mixture_{k}/log_likelihood"] = float(log_mixture(fresh, *fit).mean())
    valley = [float(((p > -0.4) & (p < 0.1)).double().mean()) for p in (fresh, drawn["gan"])]
    numbers |= {"data/valley": valley[0], "gan/valley": valley[1]}
    best = min(fits, key=lambda k: numbers[f"mixture_{k}/w1"])
    sentences = []
    if 1 in fits:
        sentences.append(
            "One Gaussian, the best that maximum likelihood finds with too simple a model, covers "
            f"the valley between the modes (W1 to the data {numbers['mixture_1/w1']:.3f})."
        )
    if best >= len(WEIGHTS):
        sentences.append(
            f"With {best} components the family holds the truth "
            f"(W1 {numbers[f'mixture_{best}/w1']:.3f})."
        )
    between = f"{valley[1]:.1%} in [−0.4, 0.1], where the data has {valley[0]:.1%}."
    if numbers["gan/w1"] < 0.15 and valley[1] > valley[0]:
        between = (
            f"Its generator is continuous, so that some samples lie between the modes: {between}"
        )
    else:
        between = f"Of its samples there are {between}"
    sentences += [
        f"The GAN was told no family and no likelihood, and comes to W1 {numbers['gan/w1']:.3f} "
        f"and KL {numbers['gan/kl']:.3f} by histogram (mixture of {best}: "
        f"{numbers[f'mixture_{best}/kl']:.3f}).",
        between,
        "It gives samples and no density: its curve is a histogram of them.",
    ]
    return Lesson(_draw(data, fits, drawn, numbers), numbers, sentences)


def draw_mixture(
    n: int, weights: Tensor, means: Tensor, stds: Tensor, rng: torch.Generator
) -> Tensor:
    """`n` draws, float64 (n,), of a mixture with parameters (K,)."""
    part = torch.multinomial(weights, n, replacement=True, generator=rng)
    return means[part] + stds[part] * torch.randn(n, generator=rng, dtype=torch.float64)


def fit_mixture(
    data: Tensor, components: int, iterations: int = 300
) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, means and deviations (K,) by expectation maximisation, from the data's quantiles.

    Dempster, Laird and Rubin 1977.
    """
    places = (torch.arange(components, dtype=data.dtype) + 0.5) / components
    means = torch.quantile(data, places)
    weights = torch.full_like(means, 1 / components)
    stds = data.std().expand(components) / components
    for _ in range(iterations):
        joint = log_normal(data[:, None], means, stds) + weights.log()
        share = joint.softmax(1)  # of each component in each sample
        mass = share.sum(0)
        weights, means = mass / len(data), (share * data[:, None]).sum(0) / mass
        stds = ((share * (data[:, None] - means).square()).sum(0) / mass).sqrt().clamp(min=1e-3)
    return weights, means, stds


def histogram_kl(p: Tensor, q: Tensor) -> float:
    """KL(p‖q) of the histograms of two sets of draws, half a draw added to every bin."""
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
        module = GAN(
            MLPGenerator(4, [1], [64, 64], activation="relu", output="linear"),
            MLPDiscriminator([1], [64, 64], activation="leaky_relu"),
            {"discriminator": adam(rate, (0.0, 0.99)), "generator": adam(rate, (0.0, 0.99))},
            NonSaturating(),
            {"r1": R1(weight=1.0)},
        )
    play(module, Numbers(data, batch_size, seed), batches, seed)
    return module.sample(draws, seed=seed, batch_size=draws).double().flatten()


def _draw(
    data: Tensor,
    fits: dict[int, tuple[Tensor, Tensor, Tensor]],
    drawn: dict[str, Tensor],
    numbers: dict[str, float],
) -> Figure:
    rows = len(drawn) // 2 + len(drawn) % 2
    figure = new_figure(14, 3.3 * rows, "Estimating a density from 1-D samples")
    axes = figure.subplots(rows, 2, sharex=True, sharey=True).flatten()
    for place in axes[len(drawn) :]:
        place.remove()
    x = line(*RANGE, 1001)
    truth = log_mixture(x, WEIGHTS, MEANS, STDS).exp()
    titles = {f"mixture_{k}": f"maximum likelihood, {k} Gaussian{'s' * (k > 1)}" for k in fits}
    titles["gan"] = "GAN: G(z), z of four normal numbers"
    for place, (name, title) in zip(axes[: len(drawn)], titles.items(), strict=True):
        place.hist(
            data, BINS, RANGE, density=True, color="black", alpha=0.18, label="data (histogram)"
        )
        place.plot(x, truth, "k--", linewidth=1, label="true density")
        if name == "gan":
            label = "samples of G (histogram)"
            style = {"histtype": "step", "color": "tab:red", "linewidth": 2}
            place.hist(drawn[name], BINS, RANGE, density=True, label=label, **style)
        else:
            fit = fits[int(name.rpartition("_")[2])]
            place.plot(x, log_mixture(x, *fit).exp(), color="tab:blue", linewidth=2, label="model")
        score = f"W1 to the data {numbers[f'{name}/w1']:.3f}\nKL {numbers[f'{name}/kl']:.3f}"
        place.text(0.02, 0.95, score, transform=place.transAxes, va="top", fontsize=10)
        place.set(title=title, xlabel="x", ylabel="density", xlim=RANGE)
        place.legend(fontsize=9, loc="upper right")
    return figure
