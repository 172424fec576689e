"""Lecture on KL, reverse KL and JSD: which mistakes of a model each divergence tolerates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ganlab.lectures.densities import jsd, kl, line, log_mixture, log_normal
from ganlab.lectures.lesson import Lesson, are_numbers, increasing, new_figure, require

Divergence = Callable[[Tensor, Tensor, Tensor], Tensor]
DIVERGENCES: dict[str, tuple[str, Divergence]] = {
    "kl": ("KL(p‖q): maximum likelihood", kl),
    "reverse_kl": ("KL(q‖p)", lambda x, p, q: kl(x, q, p)),
    "jsd": ("JSD(p, q): the first GAN", jsd),
}
COLOURS = {"kl": "tab:blue", "reverse_kl": "tab:red", "jsd": "tab:green"}


def lesson(
    weights: Sequence[float] = (0.65, 0.35),
    means: Sequence[float] = (-2.0, 2.5),
    stds: Sequence[float] = (0.5, 0.7),
    seed: int = 0,
) -> Lesson:
    """Fit one Gaussian q to a mixture p of two Gaussians by each divergence (quadrature, L-BFGS).

    Args:
        weights: weights of p's two components, above 0 with sum 1.
        means: means of p's components, in increasing order.
        stds: standard deviations of p's components, above 0.
        seed: not used, since nothing is random.

    Raises:
        ConfigError: a setting is outside its range.
    """
    allowed = are_numbers(weights, 2, above=0) and math.isclose(sum(weights), 1, abs_tol=1e-6)
    require(allowed, "weights", weights, "two numbers above 0 with sum 1")
    allowed = are_numbers(means, 2) and increasing(means)
    require(allowed, "means", means, "two increasing numbers")
    require(are_numbers(stds, 2, above=0), "stds", stds, "two numbers above 0")
    x = line(-12, 12, 6001)
    parts = [torch.tensor(list(v), dtype=torch.float64) for v in (weights, means, stds)]
    log_p = log_mixture(x, *parts)
    fits = {name: fit_gaussian(x, log_p, how, parts[1]) for name, (_, how) in DIVERGENCES.items()}

    numbers = {}
    for name, (mean, std) in fits.items():
        log_q = log_normal(x, mean, std)
        numbers |= {f"{name}/mean": mean, f"{name}/std": std}
        for other, (_, how) in DIVERGENCES.items():
            numbers[f"{name}/{other}"] = float(how(x, log_p, log_q))
        valley = (x > parts[1][0] + 2 * parts[2][0]) & (x < parts[1][1] - 2 * parts[2][1])
        numbers[f"{name}/between_modes"] = float(torch.trapezoid((log_q.exp() * valley), x))
    sentences = [
        f"KL(p‖q) punishes q ≈ 0 where p > 0: its Gaussian (mean {numbers['kl/mean']:.2f}, "
        f"deviation {numbers['kl/std']:.2f}) covers both modes and puts "
        f"{numbers['kl/between_modes']:.0%} of its mass between them, where there is hardly any "
        "data.",
        f"KL(q‖p) punishes q > 0 where p ≈ 0: its Gaussian (mean {numbers['reverse_kl/mean']:.2f}, "
        f"deviation {numbers['reverse_kl/std']:.2f}) covers one mode and misses the other.",
        "The JSD is at most log 2 and punishes both mistakes. Its Gaussian has mean "
        f"{numbers['jsd/mean']:.2f}, deviation {numbers['jsd/std']:.2f} and a JSD of "
        f"{numbers['jsd/jsd']:.3f}; the Gaussian of KL(p‖q), which covers both modes, has a JSD of "
        f"{numbers['kl/jsd']:.3f}.",
    ]
    return Lesson(_draw(x, log_p, fits, numbers), numbers, sentences)


def fit_gaussian(
    x: Tensor, log_p: Tensor, divergence: Divergence, starts: Tensor
) -> tuple[float, float]:
    """Return mean and standard deviation of the Gaussian q that minimises a divergence from p.

    L-BFGS starts from each mean in `starts` with standard deviation 1, and from the mean and the
    standard deviation of p; the best result is returned.

    Args:
        x: points (N,), float64.
        log_p: log-density (N,) of p at x.
        divergence: function of x, log p and log q.
        starts: means (K,).
    """
    p = log_p.exp()
    p_mean = torch.trapezoid(p * x, x)
    p_std = torch.trapezoid(p * (x - p_mean).square(), x).sqrt()
    best = (float("inf"), 0.0, 1.0)
    for mean, std in [*((m, torch.ones_like(m)) for m in starts), (p_mean, p_std)]:
        q = torch.stack([mean, std.log()]).requires_grad_()
        optimizer = torch.optim.LBFGS([q], max_iter=200, line_search_fn="strong_wolfe")

        def closure(q: Tensor = q, optimizer: torch.optim.Optimizer = optimizer) -> Tensor:
            optimizer.zero_grad()
            value = divergence(x, log_p, log_normal(x, q[0], q[1].exp()))
            value.backward()
            return value

        optimizer.step(closure)
        with torch.no_grad():
            value = float(divergence(x, log_p, log_normal(x, q[0], q[1].exp())))
        best = min(best, (value, q[0].item(), q[1].exp().item()))
    return best[1:]


def _draw(
    x: Tensor, log_p: Tensor, fits: dict[str, tuple[float, float]], numbers: dict[str, float]
) -> Figure:
    figure = new_figure(13, 7.5, "One Gaussian q fitted to data p with two modes")
    axes = figure.subplots(2, 3, height_ratios=[3, 2.4])
    for panel, (name, (title, _)) in zip(axes[0], DIVERGENCES.items(), strict=True):
        log_q = log_normal(x, *fits[name])
        panel.fill_between(x, log_p.exp(), color="grey", alpha=0.35, label="data p")
        panel.plot(x, log_q.exp(), color=COLOURS[name], linewidth=2.5, label="fitted q")
        panel.set(title=f"min {title}", xlabel="x", xlim=(-6, 6.5), ylim=(0, 0.9))
        values = "\n".join(
            f"{label.split(':')[0]} = {numbers[f'{name}/{other}']:.3f}"
            for other, (label, _) in DIVERGENCES.items()
        )
        panel.text(0.97, 0.96, values, transform=panel.transAxes, ha="right", va="top", fontsize=9)
        panel.legend(loc="upper left", fontsize=9)
    axes[0][0].set_ylabel("density")

    log_q = log_normal(x, *fits["kl"])
    means = line(-5, 5.5, 106)
    narrow, wide = axes[1][0], axes[1][1]
    for panel, std in ((narrow, 0.7), (wide, fits["kl"][1])):
        for name, (title, how) in DIVERGENCES.items():
            values = [float(how(x, log_p, log_normal(x, mean, std))) for mean in means]
            panel.plot(means, values, color=COLOURS[name], linewidth=2, label=title.split(":")[0])
        panel.set(title=f"q = N(m, {std:.2g}²) for different means", xlabel="m", yscale="log")
        panel.set(ylabel="divergence in nats")
        panel.axhline(math.log(2), color="black", linestyle=":", linewidth=1)
        panel.text(-4.9, 0.72, "log 2", fontsize=9, va="bottom")
        panel.legend(fontsize=8)
    share = line(0.001, 0.999, 999)
    for name, (title, _) in DIVERGENCES.items():
        price, label = prices(share)[name], title.split(":")[0]
        axes[1][2].plot(share, price, color=COLOURS[name], linewidth=2, label=label)
    axes[1][2].set(title="cost at a point x, per mass of (p + q)/2", ylim=(0, 6))
    axes[1][2].set(xlabel="fraction of data at x, p/(p + q)", ylabel="nats")
    axes[1][2].set_xticks(
        [0, 0.5, 1], ["0\n(q alone: bad samples)", "½", "1\n(p alone: missed data)"]
    )
    axes[1][2].legend(fontsize=9, loc="upper center")
    return figure


def prices(share: Tensor) -> dict[str, Tensor]:
    """Return each divergence's cost per mass of m = (p + q)/2, at d = p/(p + q) in (0, 1).

    KL(p‖q) = ∫ m (2 [d log(d/(1 − d)) − (2d − 1)]). The reverse KL has d and 1 − d exchanged. JSD =
    ∫ m [d log d + (1 − d) log(1 − d) + log 2]. The integrands are never negative.
    """
    d, rest = share, 1 - share
    return {
        "kl": 2 * (d * (d / rest).log() - (2 * d - 1)),
        "reverse_kl": 2 * (rest * (rest / d).log() + (2 * d - 1)),
        "jsd": d * d.log() + rest * rest.log() + math.log(2),
    }
