"""Mode collapse on a ring of Gaussians, and what is done against it.

WGAN-GP (Gulrajani et al. 2017, arXiv:1704.00028), unrolling (Metz et al. 2017, arXiv:1611.02163),
minibatch statistics (Karras et al. 2018, arXiv:1710.10196, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ganlab.data import Ring
from ganlab.errors import one_of
from ganlab.families import GAN
from ganlab.lectures.lesson import (
    Lesson,
    adam,
    is_number,
    new_figure,
    play,
    require,
    require_counts,
)
from ganlab.losses import NonSaturating, Unrolling, Wasserstein
from ganlab.metrics import ModeCoverage
from ganlab.networks import MLPDiscriminator, MLPGenerator
from ganlab.networks.checks import check_count
from ganlab.regularizers import GradientPenalty

TITLES = {
    "baseline": "non-saturating GAN",
    "wgan_gp": "WGAN-GP",
    "unrolled": "unrolled, K = {steps}",
    "minibatch_std": "minibatch deviation",
}


def lesson(
    remedies: Sequence[str] = ("baseline", "wgan_gp", "unrolled", "minibatch_std"),
    batches: int = 4000,
    batch_size: int = 128,
    width: int = 64,
    sigma: float = 0.05,
    steps: int = 5,
    snapshots: int = 3,
    seed: int = 0,
) -> Lesson:
    """Train each game from the same weights, on the same data, for as many batches.

    The baseline's discriminator learns more slowly than its generator, which then runs from mode to
    mode. Unrolling and minibatch deviation change that one thing alone; WGAN-GP brings its own
    rates and, as in its paper, moves the critic more often than the generator.

    Args:
        remedies: keys of `TITLES`.
        batches: of each training.
        batch_size: of each training.
        width: units of each of the two hidden layers of both networks.
        sigma: standard deviation of the 8 modes, on a circle of radius 2.
        steps: that the unrolled generator looks ahead.
        snapshots: how many times each game is shown, evenly spaced, the end among them.
        seed: of weights, data and latents.

    Raises:
        ConfigError: an unknown remedy or none, or another setting outside its range.
    """
    require(len(remedies) > 0, "remedies", remedies, f"some of {', '.join(TITLES)}")
    for name in remedies:
        one_of("lesson.remedies", name, TITLES)
    require_counts(batch_size=batch_size, width=width, steps=steps, snapshots=snapshots)
    check_count("lesson.batches", batches, least=snapshots)
    require(is_number(sigma, above=0), "sigma", sigma, "a number above 0")
    data = Ring(samples=20_000, batch_size=batch_size, sigma=sigma, seed=seed)
    at = {batches * part // snapshots for part in range(1, snapshots + 1)}
    shown: dict[str, list[Tensor]] = {}
    numbers: dict[str, float] = {}
    for name in remedies:
        module = _games(steps)[name](width=width, seed=seed)
        shown[name] = times = []

        def look(seen: int, module: GAN = module, times: list[Tensor] = times) -> None:
            if seen in at:
                times.append(module.sample(10_000, seed=seed))

        play(module, data, batches, seed, after=look)
        coverage = ModeCoverage(means=data.means, sigma=sigma)
        coverage.update(shown[name][-1])
        numbers |= {f"{name}/{key}": float(value) for key, value in coverage.compute().items()}
    found = [
        f"{TITLES[name].format(steps=steps)}: {numbers[f'{name}/modes']:.0f} modes, "
        f"{numbers[f'{name}/high_quality']:.0%} of the samples within 3σ of one"
        for name in remedies
    ]
    sentences = [
        f"After {batches:,} batches of {batch_size}: {'; '.join(found)}.",
        "High quality alone hides a collapse, and the number of modes alone hides scattered "
        "samples: both are needed. This is one seed and a short run.",
    ]
    if "baseline" in remedies:
        sentences.insert(
            1,
            "A generator that is asked for a sample that D takes for real, and for nothing else, "
            "may give the same sample for every z, and run to the next place when D has caught "
            f"up: see the column “{TITLES['baseline']}” from top to bottom.",
        )
    return Lesson(_draw(shown, numbers, data, batches, steps), numbers, sentences)


def _games(steps: int) -> dict[str, Callable[..., GAN]]:
    slow = {"discriminator": adam(3e-4), "generator": adam(1e-3)}
    critic = {
        "discriminator": adam(1e-3, (0.5, 0.9)),
        "generator": adam(1e-3, (0.5, 0.9), every=5),
    }
    plain = partial(_game, players=slow, adversarial=NonSaturating())
    return {
        "baseline": plain,
        "wgan_gp": partial(
            _game,
            players=critic,
            adversarial=Wasserstein(),
            regularizers={"gradient_penalty": GradientPenalty(weight=0.1)},
        ),
        "unrolled": partial(plain, unrolling=Unrolling(steps, lr=0.1)),
        "minibatch_std": partial(plain, minibatch_std=True),
    }


def _game(*, width: int, seed: int, minibatch_std: bool = False, **parts: Any) -> GAN:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        generator = MLPGenerator(16, [2], [width, width], output="linear")
        discriminator = MLPDiscriminator(
            [2], [width, width], activation="tanh", minibatch_std=minibatch_std
        )
    return GAN(generator, discriminator, **parts)


def _draw(
    shown: dict[str, list[Tensor]], numbers: dict[str, float], data: Ring, batches: int, steps: int
) -> Figure:
    times = len(next(iter(shown.values())))
    figure = new_figure(
        3.2 * len(shown) + 0.6, 3.15 * times + 1, "Mode collapse on a ring of 8 Gaussians"
    )
    axes = figure.subplots(times, len(shown), sharex=True, sharey=True, squeeze=False)
    circle = {"mfc": "none", "mec": "black", "markersize": 11}
    for column, (name, looks) in zip(axes.T, shown.items(), strict=True):
        for place, points in zip(column, looks, strict=True):
            place.plot(*points[:2000].T, ".", color="tab:orange", markersize=2, label="generated")
            place.plot(*data.means.T, "o", label="mode", **circle)
            place.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), aspect="equal")
            place.grid(alpha=0.3)
        column[0].set_title(TITLES[name].format(steps=steps), fontsize=12)
        score = (
            f"{numbers[f'{name}/modes']:.0f} of {data.modes} modes, "
            f"{numbers[f'{name}/high_quality']:.0%} high quality"
        )
        column[-1].set_xlabel(score, fontsize=11)
    for row, place in enumerate(axes[:, 0], start=1):
        place.set_ylabel(f"{batches * row // times:,} batches", fontsize=11)
    axes[0][0].legend(fontsize=8, loc="upper right", markerscale=0.8)
    return figure
