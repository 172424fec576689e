"""KL and its reverse and JSD side by side: which mistakes each of them forgives."""

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
    "jsd": ("JSD(p, q): the GAN's", jsd),
}
COLOURS = {"kl": "tab:blue", "reverse_kl": "tab:red", "jsd": "tab:green"}


def lesson(
    weights: Sequence[float] = (0.65, 0.35),
    means: Sequence[float] = (-2.0, 2.5),
    stds: Sequence[float] = (0.5, 0.7),
    seed: int = 0,
) -> Lesson:
    """Fit one Gaussian q to a mixture p of two by each divergence, by quadrature and L-BFGS.

    Args:
        weights: of p's components.
        means: of p's components.
        stds: their standard deviations.
        seed: not used; nothing is random here.

    Raises:
        ConfigError: not two of each, weights that are no shares, deviations that are not above 0.
    """
    fits = are_numbers(weights, 2, above=0) and math.isclose(sum(weights), 1, abs_tol=1e-6)
    require(fits, "weights", weights, "two numbers above 0 with sum 1")
    fits = are_numbers(means, 2) and increasing(means)
    require(fits, "means", means, "two increasing numbers")
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
        f"deviation {numbers['reverse_kl/std']:.2f}) sits on one mode and forgets the other.",
        f"The JSD is bounded by log 2 and charges both mistakes: its Gaussian has mean "
        f"{numbers['jsd/mean']:.2f} and deviation {numbers['jsd/std']:.2f}, with a JSD of "
        f"{numbers['jsd/jsd']:.3f}, against {numbers['kl/jsd']:.3f} where both modes are covered.",
    ]
    return Lesson(_draw(x, log_p, fits, numbers), numbers, sentences)


def fit_gaussian(
    x: Tensor, log_p: Tensor, divergence: Divergence, starts: Tensor
) -> tuple[float, float]:
    """Mean and deviation of the Gaussian nearest to p, the best of several starts.

    Args:
        x: places (N,), float64.
        log_p: log-density (N,) there.
        divergence: of x, log p and log q.
        starts: means (K,) to begin from; deviations of 1 and of p itself are tried.
    """
    p = log_p.exp()
    mean = torch.trapezoid(p * x, x)
    wide = torch.trapezoid(p * (x - mean).square(), x).sqrt()
    best = (float("inf"), 0.0, 1.0)
    for start, spread in [*((m, torch.ones_like(m)) for m in starts), (mean, wide)]:
        q = torch.stack([start, spread.log()]).requires_grad_()
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
    for place, (name, (title, _)) in zip(axes[0], DIVERGENCES.items(), strict=True):
        log_q = log_normal(x, *fits[name])
        place.fill_between(x, log_p.exp(), color="grey", alpha=0.35, label="data p")
        place.plot(x, log_q.exp(), color=COLOURS[name], linewidth=2.5, label="fitted q")
        place.set(title=f"min {title}", xlabel="x", xlim=(-6, 6.5), ylim=(0, 0.9))
        values = "\n".join(
            f"{label.split(':')[0]} = {numbers[f'{name}/{other}']:.3f}"
            for other, (label, _) in DIVERGENCES.items()
        )
        place.text(0.97, 0.96, values, transform=place.transAxes, ha="right", va="top", fontsize=9)
        place.legend(loc="upper left", fontsize=9)
    axes[0][0].set_ylabel("density")

    log_q = log_normal(x, *fits["kl"])
    means = line(-5, 5.5, 106)
    narrow, wide = axes[1][0], axes[1][1]
    for place, std in ((narrow, 0.7), (wide, fits["kl"][1])):
        for name, (title, how) in DIVERGENCES.items():
            values = [float(how(x, log_p, log_normal(x, mean, std))) for mean in means]
            place.plot(means, values, color=COLOURS[name], linewidth=2, label=title.split(":")[0])
        place.set(title=f"q = N(m, {std:.2g}²) slides over p", xlabel="its mean m", yscale="log")
        place.set(ylabel="divergence in nats")
        place.axhline(math.log(2), color="black", linestyle=":", linewidth=1)
        place.text(-4.9, 0.72, "log 2", fontsize=9, va="bottom")
        place.legend(fontsize=8)
    share = line(0.001, 0.999, 999)
    for name, (title, _) in DIVERGENCES.items():
        price, label = prices(share)[name], title.split(":")[0]
        axes[1][2].plot(share, price, color=COLOURS[name], linewidth=2, label=label)
    axes[1][2].set(title="what each place costs, per mass of (p + q)/2", ylim=(0, 6))
    axes[1][2].set(xlabel="share of data there, p/(p + q)", ylabel="nats")
    axes[1][2].set_xticks(
        [0, 0.5, 1], ["0\n(q alone: bad samples)", "½", "1\n(p alone: missed data)"]
    )
    axes[1][2].legend(fontsize=9, loc="upper center")
    return figure


def prices(share: Tensor) -> dict[str, Tensor]:
    """Integrands over (p + q)/2 of each divergence, at d = p/(p + q) in (0, 1), never negative.

    With m = (p + q)/2 it is KL(p‖q) = ∫ m (2 [d log(d/(1 − d)) − (2d − 1)]), the reverse is its
    mirror image, and JSD = ∫ m [d log d + (1 − d) log(1 − d) + log 2].
    """
    d, rest = share, 1 - share
    return {
        "kl": 2 * (d * (d / rest).log() - (2 * d - 1)),
        "reverse_kl": 2 * (rest * (rest / d).log() + (2 * d - 1)),
        "jsd": d * d.log() + rest * rest.log() + math.log(2),
    }
