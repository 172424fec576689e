"""Lecture on vanishing gradients of the generator as the densities of data and samples separate.

Arjovsky and Bottou 2017 (arXiv:1701.04862), section 2; Arjovsky et al. 2017 (arXiv:1701.07875),
section 2, for the distances.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ganlab.lectures.densities import (
    jsd,
    line,
    log_normal,
    normal_quantiles,
    wasserstein_of_samples,
)
from ganlab.lectures.lesson import (
    Lesson,
    are_numbers,
    increasing,
    is_number,
    new_figure,
    require,
    require_counts,
)
from ganlab.losses import AdversarialLoss, LeastSquares, Minimax, NonSaturating, Wasserstein


def _logit(x: Tensor, theta: float) -> Tensor:
    """Return log p(x)/q(x) for p = N(0, 1), q = N(θ, 1)."""
    return theta * (theta / 2 - x)


# the loss, and the scores of its optimal discriminator or critic as a function of x and θ
GAMES: dict[str, tuple[AdversarialLoss, Callable[[Tensor, float], Tensor]]] = {
    "minimax": (Minimax(), _logit),
    "non_saturating": (NonSaturating(), _logit),
    "least_squares": (LeastSquares(), lambda x, theta: _logit(x, theta).sigmoid()),
    "wasserstein": (Wasserstein(), lambda x, theta: -x if theta > 0 else x),
}


def lesson(
    distances: Sequence[float] = (1.0, 3.0, 6.0),
    furthest: float = 8.0,
    points: int = 100_000,
    seed: int = 0,
) -> Lesson:
    """Compute distances between p = N(0, 1) and q = N(θ, 1), and the generator's gradients in θ.

    The generator is G(z) = z + θ. Each gradient is taken at the discriminator that is optimal for
    this θ.

    Args:
        distances: values of θ, above 0 and increasing, whose numbers and densities are shown.
        furthest: the largest θ of the curves.
        points: number of samples, or quantiles, that represent a distribution.
        seed: seed of the samples that the Wasserstein distance is estimated from.

    Raises:
        ConfigError: a setting is outside its range.
    """
    fits = are_numbers(distances, above=0) and increasing(distances)
    require(fits, "distances", distances, "increasing numbers above 0, at least one")
    require(is_number(furthest, above=0.1), "furthest", furthest, "a number above 0.1")
    require_counts(points=points)
    thetas = torch.linspace(0.1, furthest, 80, dtype=torch.float64).tolist()
    divergences = [divergence(theta) for theta in thetas]
    rng = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, points, generator=rng, dtype=torch.float64)
    estimates = [float(wasserstein_of_samples(a, b + theta)) for theta in thetas]
    gradients = {name: [gradient(name, t, points) for t in thetas] for name in GAMES}
    gradients["hinge"] = [hinge_gradient(theta) for theta in thetas]

    numbers = {}
    for theta in distances:
        part = f"theta_{theta:g}"
        numbers[f"{part}/jsd"] = divergence(theta)
        numbers[f"{part}/w1"] = float(wasserstein_of_samples(a, b + theta))
        numbers |= {f"{part}/gradient_{name}": gradient(name, theta, points) for name in GAMES}
        numbers[f"{part}/gradient_hinge"] = hinge_gradient(theta)
        ratio = numbers[f"{part}/gradient_minimax"] / numbers[f"{part}/gradient_non_saturating"]
        numbers[f"{part}/minimax_to_non_saturating"] = ratio
    first, last = (f"theta_{theta:g}" for theta in (min(distances), max(distances)))
    sentences = [
        f"From θ = {min(distances):g} to {max(distances):g} the JSD rises from "
        f"{numbers[f'{first}/jsd']:.4f} to {numbers[f'{last}/jsd']:.4f}, and never exceeds "
        f"log 2 = {math.log(2):.4f}; W1 grows with θ, from {numbers[f'{first}/w1']:.2f} to "
        f"{numbers[f'{last}/w1']:.2f}.",
        f"At θ = {max(distances):g} {'D is certain, and ' if ratio < 0.05 else ''}the gradient of "
        f"the minimax generator is {ratio:.2%} of the non-saturating generator's gradient.",
        "As θ grows, the gradients of least squares and hinge at their optimal discriminators "
        "vanish too. For the hinge loss this discriminator is a step function, through which "
        "backpropagation gives 0; the curve is the slope of the expected loss.",
        "The Wasserstein critic has slope 1 everywhere, so the generator's gradient is 1 at any "
        "distance.",
    ]
    figure = _draw(thetas, divergences, estimates, gradients, distances)
    return Lesson(figure, numbers, sentences)


def divergence(theta: float) -> float:
    """Return the JSD of N(0, 1) and N(θ, 1), by quadrature."""
    x = line(min(0, theta) - 12, max(0, theta) + 12)
    return float(jsd(x, log_normal(x, 0, 1), log_normal(x, theta, 1)))


def gradient(game: str, theta: float, points: int = 100_000) -> float:
    """Return dL_G/dθ by autograd, with the optimal discriminator for `theta` held fixed.

    Args:
        game: a key of `GAMES`.
        theta: θ, the mean of the generated samples.
        points: number of quantiles of z over which the expectation is taken.
    """
    loss, scores = GAMES[game]
    mean = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    value = loss.generator(scores(normal_quantiles(points) + mean, theta))
    return float(torch.autograd.grad(value, mean)[0])


def hinge_gradient(theta: float) -> float:
    """Return dL_G/dθ for the hinge loss, whose optimal D is sign(p − q): it is 2φ(θ/2).

    With D = sign(θ/2 − x), E[−D(z + t)] = 2Φ(t − θ/2) − 1; its slope at t = θ > 0 is 2φ(θ/2).
    """
    return 2 * math.exp(-(theta**2) / 8) / math.sqrt(2 * math.pi)


COLOURS = {
    "minimax": "tab:red",
    "non_saturating": "tab:blue",
    "least_squares": "tab:purple",
    "hinge": "tab:brown",
    "wasserstein": "tab:green",
}


def _draw(
    thetas: list[float],
    divergences: list[float],
    estimates: list[float],
    gradients: dict[str, list[float]],
    distances: Sequence[float],
) -> Figure:
    figure = new_figure(15, 4.8, "Two Gaussians apart: distances and gradients of the generator")
    left, middle, right = figure.subplots(1, 3)
    x = line(-3.5, max(distances) + 3.5, 2001)
    left.fill_between(x, log_normal(x, 0, 1).exp(), color="black", alpha=0.25, label="data N(0, 1)")
    for i, theta in enumerate(distances, start=1):
        shade = f"C{i}"
        left.plot(x, log_normal(x, theta, 1).exp(), color=shade, label=f"generated N({theta:g}, 1)")
        left.plot(x, _logit(x, theta).sigmoid(), "--", color=shade, label=f"its D*, θ = {theta:g}")
    left.set(title="D* is more certain at larger θ", xlabel="x", ylabel="density, D*(x)")
    left.set_ylim(0, 1.4)
    left.legend(fontsize=9, ncols=2, loc="upper right")

    middle.plot(thetas, thetas, color="tab:green", linewidth=4, alpha=0.35, label="W1 = θ")
    middle.plot(thetas, estimates, "k:", label="W1 of samples, sorted")
    middle.set(title="W1 grows, the JSD saturates at log 2", xlabel="θ", ylabel="W1")
    twin = middle.twinx()
    twin.plot(thetas, divergences, color="tab:red", linewidth=2.5, label="JSD (right axis)")
    twin.axhline(math.log(2), color="tab:red", linestyle="--", linewidth=1, label="log 2")
    twin.set_ylim(0, 1)
    twin.set_ylabel("JSD in nats", color="tab:red")
    handles = [*middle.get_lines(), *twin.get_lines()]
    middle.legend(handles=handles, fontsize=9, loc="upper left")

    for name, values in gradients.items():
        label = name.replace("_", "-")
        right.plot(thetas, values, color=COLOURS[name], linewidth=2.5, label=label)
    right.set(yscale="log", ylim=(5e-5, 30), xlabel="θ", ylabel="dL_G / dθ")
    right.set_title("The generator's gradient at the best D")
    right.legend(fontsize=9, loc="lower left")
    right.grid(alpha=0.3)
    return figure
