"""Lecture on the Dirac-GAN, the smallest GAN: data at 0, a generated point at θ, and D(x) = ψ·x.

Mescheder et al. 2018 (arXiv:1801.04406), definition 2.1. The equilibrium is (θ, ψ) = (0, 0). The
lesson shows with which losses and regularizers gradient descent converges to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from ganlab.augment import Augmentation, InstanceNoise
from ganlab.lectures.lesson import (
    Lesson,
    are_numbers,
    is_number,
    new_figure,
    require,
    require_counts,
)
from ganlab.losses import (
    AdversarialLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    RelativisticPairing,
    Wasserstein,
)
from ganlab.regularizers import (
    R1,
    R2,
    GradientPenalty,
    LeCam,
    LocalPenalty,
    Regularizer,
    Regularizers,
    SpectralNorm,
    Step,
    WeightClipping,
    WeightDecay,
)

# D has no bias, so D(0) = 0 for the data: LSGAN needs the labels −1 and 1 with target 0 for G
LOSSES: dict[str, AdversarialLoss] = {
    "minimax": Minimax(),
    "non_saturating": NonSaturating(),
    "least_squares": LeastSquares(a=-1, b=1, c=0),
    "hinge": Hinge(),
    "wasserstein": Wasserstein(),
    "relativistic_pairing": RelativisticPairing(),
    "relativistic_average": RelativisticAverage(),
}
REGULARIZERS: dict[str, Callable[[], Regularizer | Augmentation] | None] = {
    "none": None,
    "r1": lambda: R1(weight=1.0),
    "r2": lambda: R2(weight=1.0),
    "zero_centered": lambda: GradientPenalty(weight=0.5, center=0.0),
    "instance_noise": lambda: InstanceNoise(sigma=1.0),
    "weight_decay": lambda: WeightDecay(weight=1.0),
    "lecam": lambda: LeCam(weight=1.0),
    "gradient_penalty": lambda: GradientPenalty(weight=0.5, center=1.0),
    "dragan": lambda: LocalPenalty(weight=0.5, center=1.0),
    "weight_clipping": lambda: WeightClipping(bound=0.5),
    "spectral_norm": SpectralNorm,
}
# with these regularizers D may keep a slope ≠ 0
BOUNDED = {"gradient_penalty", "dragan", "weight_clipping", "spectral_norm"}
NEAR = 0.1  # a game has converged if its distance is below this fraction of the start's distance


@dataclass(frozen=True)
class Trajectory:
    """The course of a game.

    Args:
        points: (steps + 1, 2), θ and ψ at the start and after each step.
    """

    points: Tensor

    @property
    def distance(self) -> float:
        """Largest distance to (0, 0) in the last tenth of the steps, relative to the start."""
        radii = self.points.norm(dim=1)
        return float(radii[-max(len(radii) // 10, 1) :].max() / radii[0])

    @property
    def fate(self) -> str:
        """What the game does, judged by `distance`, and by whether θ takes both signs."""
        if self.distance < NEAR:
            return "converges"
        if self.distance < 0.9:
            return "comes nearer"
        if self.distance > 1.1 or not math.isfinite(self.distance):
            return "moves away"
        both_sides = self.points[:, 0].min() < 0 < self.points[:, 0].max()
        return "circles" if both_sides else "stays about as far"


def lesson(
    steps: int = 400,
    lr: float = 0.2,
    start: tuple[float, float] = (1.0, 1.0),
    samples: int = 512,
    simultaneous: bool = False,
    seed: int = 0,
) -> Lesson:
    """Play the game with every loss and every regularizer, by gradient descent.

    Args:
        steps: number of steps of each player.
        lr: learning rate of both players.
        start: θ and ψ at the start, not both 0.
        samples: batch size: copies of the data point and of the generated point. They differ only
            under instance noise.
        simultaneous: True if both players step at once; False if G steps after D, as in training.
        seed: seed of the noise and of the points where penalties are computed.

    Raises:
        ConfigError: a setting is outside its range.
    """
    require_counts(steps=steps, samples=samples)
    require(is_number(lr, above=0), "lr", lr, "a number above 0")
    fits = are_numbers(start, 2) and any(start)
    require(fits, "start", start, "two numbers [θ, ψ], not both 0")
    grid = {
        (loss, name): trajectory(loss, name, steps, lr, start, samples, simultaneous, seed)
        for loss in LOSSES
        for name in REGULARIZERS
    }
    numbers = {f"{loss}/{name}": game.distance for (loss, name), game in grid.items()}
    converging = [
        name
        for name in REGULARIZERS
        if name != "none"
        and sum(numbers[f"{loss}/{name}"] < NEAR for loss in LOSSES) >= len(LOSSES) - 1
    ]
    order = "both at once" if simultaneous else "D first, then G"
    plain = [loss.replace("_", " ") for loss in LOSSES if numbers[f"{loss}/none"] < NEAR]
    fates = [
        f"{loss.replace('_', '-')} {game.fate} (it ends at {game.distance:.2f} of the starting "
        "distance)"
        for loss, game in ((loss, grid[loss, "none"]) for loss in ("wasserstein", "non_saturating"))
    ]
    summary = "In these games no regularizer makes nearly every loss converge."
    if converging:
        names = ", ".join(name.replace("_", " ") for name in converging)
        summary = f"These regularizers make nearly every loss converge: {names}."
        if not BOUNDED & {*converging}:
            summary += (
                " They pull the slope of D to 0. Penalties that pull the slope to 1, and bounds of "
                "the slope, are not among them. With spectral norm, the only weight is divided by "
                "its own norm, so that D has nothing left to learn."
            )
    noise = [numbers[f"{loss}/instance_noise"] for loss in ("non_saturating", "wasserstein")]
    curvature = (
        "Instance noise needs a loss with curvature. " if noise[0] < NEAR <= noise[1] else ""
    )
    sentences = [
        f"Each panel is one game of {steps} steps ({order}) from the dot; the cross is the "
        f"equilibrium. Green games end within {NEAR:g} of the starting distance from it: they "
        "converge.",
        f"Without a regularizer these losses converge: {', '.join(plain) or 'none'}; "
        f"{' and '.join(fates)}.",
        summary,
        f"{curvature}With instance noise, the non-saturating loss ends at {noise[0]:.3f} of the "
        f"starting distance, and the linear Wasserstein loss at {noise[1]:.2f}.",
    ]
    return Lesson(_draw(grid, order, lr), numbers, sentences)


@torch.random.fork_rng([])  # penalties and noise use torch's default random generator
def trajectory(
    loss: str,
    regularizer: str,
    steps: int = 400,
    lr: float = 0.2,
    start: tuple[float, float] = (1.0, 1.0),
    samples: int = 512,
    simultaneous: bool = False,
    seed: int = 0,
) -> Trajectory:
    """Play one game with a loss of `LOSSES` and a regularizer of `REGULARIZERS`, given by key.

    The other arguments are those of `lesson`.
    """
    torch.manual_seed(seed)
    critic = nn.Linear(1, 1, bias=False)
    nn.init.constant_(critic.weight, start[1])
    theta = nn.Parameter(torch.tensor(start[0]))
    make = REGULARIZERS[regularizer]
    regularizers = Regularizers({"chosen": make() if make else None})
    regularizers.prepare(critic)
    descent = {
        "D": torch.optim.SGD(critic.parameters(), lr),
        "G": torch.optim.SGD([theta], lr),
    }
    data = torch.zeros(samples, 1)

    def score(x: Tensor) -> Tensor:
        return critic(regularizers.augment(x)).squeeze(1)

    def discriminator_loss(step: int) -> Tensor:
        real, fake = regularizers.inputs(data, theta.expand(samples, 1), step)
        scores = score(real), score(fake)
        terms = regularizers.terms(Step(critic, score, real, fake, *scores, step))
        return LOSSES[loss].discriminator(*scores) + sum(terms.values())

    def generator_loss() -> Tensor:
        fake = score(theta.expand(samples, 1))
        real = score(data) if LOSSES[loss].paired else None
        return LOSSES[loss].generator(fake, real)

    points = [(start[0], critic.weight.item())]
    for step in range(steps):
        descent["D"].zero_grad()
        discriminator_loss(step).backward()
        if not simultaneous:
            descent["D"].step()
            regularizers.constrain(critic)
        (gradient,) = torch.autograd.grad(generator_loss(), theta)
        theta.grad = gradient
        descent["G"].step()
        if simultaneous:
            descent["D"].step()
            regularizers.constrain(critic)
        points.append((theta.item(), critic.weight.item()))
    return Trajectory(torch.tensor(points))


def _draw(grid: dict[tuple[str, str], Trajectory], order: str, lr: float) -> Figure:
    title = (
        "Dirac-GAN: data at 0, generated point θ, D(x) = ψx; gradient descent, rate "
        f"{lr:g}, {order}\ndot: start; cross: equilibrium; green: converges; red: does not; "
        "number: distance from the equilibrium at the end, in starting distances"
    )
    figure = new_figure(16, 10.6, title)
    axes = figure.subplots(len(LOSSES), len(REGULARIZERS), sharex=True, sharey=True)
    for panel, name in zip(axes[0], REGULARIZERS, strict=True):
        panel.set_title(name.replace("_", " "), fontsize=11)
    for panel in axes[-1]:
        panel.set_xlabel("θ")
    for row, loss in zip(axes, LOSSES, strict=True):
        for panel, name in zip(row, REGULARIZERS, strict=True):
            game = grid[loss, name]
            converged = game.distance < NEAR
            colour = "tab:green" if converged else "tab:red"
            panel.plot(*game.points.T, color=colour, linewidth=0.8)
            panel.plot(*game.points[0], "o", color="black", markersize=4)
            panel.plot(0, 0, "+", color="black", markersize=9)
            panel.set(xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), aspect="equal")
            panel.set_facecolor("#eaf6ea" if converged else "#fbeeee")
            panel.text(-2.4, -2.4, f"ends at {game.distance:.2f}", fontsize=9)
        row[0].set_ylabel(f"{loss.replace('_', chr(10))}\nψ", fontsize=11)
    return figure
