"""Lecture on the optimal discriminator D*(x) = p(x) / (p(x) + q(x)).

Goodfellow et al. 2014 (arXiv:1406.2661), proposition 1 and theorem 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import softplus

from ganlab.lectures.densities import jsd, line, log_normal
from ganlab.lectures.lesson import (
    Lesson,
    are_numbers,
    is_number,
    legend_below,
    new_figure,
    require,
    require_counts,
)
from ganlab.losses import Minimax
from ganlab.networks import MLPDiscriminator
from ganlab.networks.checks import check_counts


def lesson(
    real: Sequence[float] = (-1.0, 1.0),
    fake: Sequence[float] = (1.0, 0.6),
    hidden: Sequence[int] = (32, 32),
    steps: int = 1200,
    batch_size: int = 2048,
    lr: float = 1e-2,
    seed: int = 0,
) -> Lesson:
    """Train a discriminator on numbers from two Gaussians, and compare it with D*.

    Args:
        real: mean and standard deviation of the data density p.
        fake: mean and standard deviation of the density q of generated samples.
        hidden: units of each hidden layer.
        steps: steps of Adam, each on new numbers.
        batch_size: number of real examples per step; as many generated samples are used.
        lr: initial learning rate; it falls along a half cosine to 0.
        seed: seed of the weights and the numbers.

    Raises:
        ConfigError: a setting is outside its range.
    """
    for name, pair in (("real", real), ("fake", fake)):
        fits = are_numbers(pair, 2) and pair[1] > 0
        require(fits, name, pair, "a mean and a standard deviation above 0, as [mean, std]")
    check_counts("lesson.hidden", hidden, "units of each hidden layer")
    require_counts(steps=steps, batch_size=batch_size)
    require(is_number(lr, above=0), "lr", lr, "a number above 0")
    x = line(min(real[0], fake[0]) - 9, max(real[0], fake[0]) + 9, 6001)
    log_p, log_q = log_normal(x, *real), log_normal(x, *fake)
    mass = 0.5 * (log_p.exp() + log_q.exp())
    best = log_p - log_q  # the logit of D*
    value_of_best = _value(x, log_p, log_q, best)
    divergence = jsd(x, log_p, log_q)

    snapshots, values, shown = {}, [], (5, 20, steps)
    for step, network in _training(real, fake, hidden, steps, batch_size, lr, seed):
        if step < 50 or step % 25 == 0 or step == steps:
            with torch.no_grad():
                scores = network(x[:, None].float()).double()
            values.append((step, float(_value(x, log_p, log_q, scores))))
            if step in shown:
                snapshots[step] = scores.sigmoid()

    error = (snapshots[steps] - best.sigmoid()).abs()
    weight = mass / mass.sum()
    central = (weight.cumsum(0) > 0.005) & (weight.cumsum(0) < 0.995)
    numbers = {
        "mean_error": float((error * weight).sum()),
        "largest_error": float(error[central].max()),
        "value_of_learned_d": values[-1][1],
        "value_of_best_d": float(value_of_best),
        "closed_form_value": float(-math.log(4) + 2 * divergence),
        "jsd": float(divergence),
    }
    sentences = [
        f"The learned D differs from p/(p + q) by {numbers['mean_error']:.4f} on average, and by "
        f"at most {numbers['largest_error']:.4f} over the central 99 % of the samples.",
        "Outside this range D has seen hardly any samples, and its output is arbitrary: see the "
        "tails.",
        f"The value of the learned D is V(D, G) = {numbers['value_of_learned_d']:.4f}. It cannot "
        "exceed the value of the best D, −log 4 + 2·JSD(p, q) = "
        f"{numbers['closed_form_value']:.4f}: a trained D measures the Jensen-Shannon divergence.",
    ]
    figure = _draw(x, log_p, log_q, best, snapshots, values, central, numbers)
    return Lesson(figure, numbers, sentences)


def _value(x: Tensor, log_p: Tensor, log_q: Tensor, scores: Tensor) -> Tensor:
    """Return V(D, G) = E_p log D + E_q log(1 − D), equation 1, by quadrature.

    `log_p`, `log_q` and `scores`, the logits of D, are (N,) at points x (N,).
    """
    log_d, log_not_d = -softplus(-scores), -softplus(scores)
    return torch.trapezoid(log_p.exp() * log_d + log_q.exp() * log_not_d, x)


def _training(
    real: Sequence[float],
    fake: Sequence[float],
    hidden: Sequence[int],
    steps: int,
    batch_size: int,
    lr: float,
    seed: int,
) -> Iterator[tuple[int, MLPDiscriminator]]:
    """Yield the number of steps so far and the network, after each step."""
    rng = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        network = MLPDiscriminator([1], hidden, activation="tanh")
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(1, steps + 1):
        noise = torch.randn(2, batch_size, 1, generator=rng)
        scores = [network(m + s * z) for (m, s), z in zip((real, fake), noise, strict=True)]
        loss = Minimax().discriminator(*scores)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
        yield step, network


def _draw(
    x: Tensor,
    log_p: Tensor,
    log_q: Tensor,
    best: Tensor,
    snapshots: dict[int, Tensor],
    values: list[tuple[int, float]],
    central: Tensor,
    numbers: dict[str, float],
) -> Figure:
    figure = new_figure(12, 5.2, "The best discriminator: D*(x) = p(x) / (p(x) + q(x))")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    left.fill_between(x, log_p.exp(), color="tab:blue", alpha=0.2, label="data p(x)")
    left.fill_between(x, log_q.exp(), color="tab:orange", alpha=0.3, label="generated q(x)")
    for (step, d), shade in zip(snapshots.items(), (0.75, 0.55, 0.0), strict=False):
        style = {"color": str(shade), "linewidth": 1.2}
        if step == max(snapshots):
            style = {"color": "tab:red", "linewidth": 2.5}
        left.plot(x, d, label=f"learned D, {step:,} steps", **style)
    left.plot(x, best.sigmoid(), "k--", linewidth=1.5, label="D* = p / (p + q)")
    for edge in (x[central][0], x[central][-1]):
        left.axvline(float(edge), color="grey", linestyle=":", linewidth=1)
    left.set(xlabel="x  (dotted: central 99 % of the samples)", ylabel="density, D(x)")
    left.set(title="D learned from samples, and in closed form", ylim=(0, 1.05))
    left.set(xlim=(float(x[0]) + 4.5, float(x[-1]) - 4.5))
    legend_below(left, 3)
    right.plot(*zip(*values, strict=True), color="tab:red", label="V(D, G) of the learned D")
    best_value = numbers["closed_form_value"]
    right.axhline(best_value, color="black", linestyle="--", label="−log 4 + 2·JSD(p, q)")
    lowest = -math.log(4)
    right.axhline(lowest, color="grey", linestyle=":", label="−log 4: D = ½ everywhere")
    right.set(xlabel="steps of D", ylabel="V(D, G) in nats", xscale="log", title="What D can gain")
    right.set_ylim(lowest - 0.15 * (best_value - lowest), best_value + 0.1)
    legend_below(right, 2)
    return figure
