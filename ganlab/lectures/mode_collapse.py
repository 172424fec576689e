"""Lecture on mode collapse: a GAN on a ring of Gaussians, and three remedies.

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

from ganlab.core import Player
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
    """Train the baseline and the remedies with the same initial weights, data and batches.

    The baseline's discriminator learns more slowly than its generator, whose samples therefore
    move from mode to mode. Unrolling and minibatch standard deviation change nothing else in the
    baseline. WGAN-GP also uses other learning rates, and five critic steps per generator step.

    Args:
        remedies: the trainings to compare, keys of `TITLES`.
        batches: number of batches of each training.
        batch_size: batch size of each training.
        width: units of each of the two hidden layers of both networks.
        sigma: standard deviation of the 8 modes, which lie on a circle of radius 2.
        steps: number of discriminator steps that unrolling looks ahead.
        snapshots: number of evenly spaced times at which samples are shown, up to the last batch.
        seed: seed of weights, data and latents.

    Raises:
        ConfigError: `remedies` is empty or has an unknown name, or a setting is outside its range.
    """
    require(len(remedies) > 0, "remedies", remedies, f"some of {', '.join(TITLES)}")
    for name in remedies:
        one_of("lesson.remedies", name, TITLES)
    require_counts(batch_size=batch_size, width=width, steps=steps, snapshots=snapshots)
    check_count("lesson.batches", batches, least=snapshots)
    require(is_number(sigma, above=0), "sigma", sigma, "a number above 0")
    data = Ring(samples=20_000, batch_size=batch_size, sigma=sigma, seed=seed)
    snapshot_batches = {batches * part // snapshots for part in range(1, snapshots + 1)}
    samples: dict[str, list[Tensor]] = {}
    numbers: dict[str, float] = {}
    for name in remedies:
        module = _games(steps)[name](width=width, seed=seed)
        samples[name] = taken = []

        def snapshot(batch: int, module: GAN = module, taken: list[Tensor] = taken) -> None:
            if batch in snapshot_batches:
                taken.append(module.sample(10_000, seed=seed))

        play(module, data, batches, seed, after=snapshot)
        coverage = ModeCoverage(means=data.means, sigma=sigma)
        coverage.update(samples[name][-1])
        numbers |= {f"{name}/{key}": float(value) for key, value in coverage.compute().items()}
    results = [
        f"{TITLES[name].format(steps=steps)}: {numbers[f'{name}/modes']:.0f} modes, "
        f"{numbers[f'{name}/high_quality']:.0%} of the samples within 3σ of a mode"
        for name in remedies
    ]
    sentences = [
        f"After {batches:,} batches of {batch_size}: {'; '.join(results)}.",
        "Both numbers are needed: a collapsed generator can have high quality, and a generator "
        "with scattered samples can cover all modes. These are short runs of one seed.",
    ]
    if "baseline" in remedies:
        sentences.insert(
            1,
            "The generator's loss only asks for samples that D takes for real. The generator may "
            "give the same sample for every z, and move to another mode once D rejects this "
            f"sample: see the column “{TITLES['baseline']}” from top to bottom.",
        )
    return Lesson(_draw(samples, numbers, data, batches, steps), numbers, sentences)


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


def _game(
    *,
    width: int,
    seed: int,
    players: dict[str, Player],
    minibatch_std: bool = False,
    **parts: Any,
) -> GAN:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        generator = MLPGenerator(16, [2], [width, width], output="linear")
        discriminator = MLPDiscriminator(
            [2], [width, width], activation="tanh", minibatch_std=minibatch_std
        )
    return GAN(generator, discriminator, **parts).bind(players)


def _draw(
    samples: dict[str, list[Tensor]],
    numbers: dict[str, float],
    data: Ring,
    batches: int,
    steps: int,
) -> Figure:
    times = len(next(iter(samples.values())))
    figure = new_figure(
        3.2 * len(samples) + 0.6, 3.15 * times + 1, "Mode collapse on a ring of 8 Gaussians"
    )
    axes = figure.subplots(times, len(samples), sharex=True, sharey=True, squeeze=False)
    circle = {"mfc": "none", "mec": "black", "markersize": 11}
    for column, (name, taken) in zip(axes.T, samples.items(), strict=True):
        for panel, points in zip(column, taken, strict=True):
            panel.plot(*points[:2000].T, ".", color="tab:orange", markersize=2, label="generated")
            panel.plot(*data.means.T, "o", label="mode", **circle)
            panel.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), aspect="equal")
            panel.grid(alpha=0.3)
        column[0].set_title(TITLES[name].format(steps=steps), fontsize=12)
        score = (
            f"{numbers[f'{name}/modes']:.0f} of {data.modes} modes, "
            f"{numbers[f'{name}/high_quality']:.0%} high quality"
        )
        column[-1].set_xlabel(score, fontsize=11)
    for row, panel in enumerate(axes[:, 0], start=1):
        panel.set_ylabel(f"{batches * row // times:,} batches", fontsize=11)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure
