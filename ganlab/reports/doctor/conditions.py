"""The problems that a run may have, judged from its log: one function for each problem.

Those of the samples are in `samples`.
"""

from __future__ import annotations

from math import isfinite, sqrt
from statistics import median

from ganlab.reports.doctor.evidence import Evidence, swings
from ganlab.reports.doctor.finding import Finding
from ganlab.reports.doctor.remedies import HOLD_BACK, remedy
from ganlab.reports.doctor.samples import collapse, memorisation

# Thresholds, with the values that healthy runs have. "Late" is the last third of the log,
# "early" the first. "Separation" is the probability that D scores a real example above a sample.
D_LOSS_MAX = 10.0  # D's late loss, unless D is a critic; a D that only guesses has 0.25 to 2
G_LOSS_MAX = 100.0  # G's late loss, unless D is a critic; against a strong D it reaches a few tens
CRITIC_GROWTH_MAX = 100.0  # late loss / early loss of a critic, whose loss has no fixed scale
SPREAD_MAX = 20.0  # late doctor/pairwise_distance; healthy 0.6 to 1.5, drifting samples 5
LAST = 3  # a quantity counts as not finite if it is infinite or NaN in this many last rows
CHANGE_MIN = 1e-7  # relative change of weights per step; float32 rounds smaller changes away
VANISHED = 1e-3  # maximum of G's late gradient / early gradient; healthy above 1/30
BLAMED = 0.9  # minimum separation at which D is blamed for a vanished gradient
SEPARATED = 0.99  # minimum separation at which D may be too strong; healthy 0.5 to 0.9
SURE = 0.95  # minimum accuracy, on real examples and on samples, of such a D; healthy below 0.9
# oscillation: separation changes between below 0.5 - margin and above 0.5 + margin
SWING = 0.15  # minimum margin
CHANCE = 4.0  # minimum margin in standard deviations of one batch's separation
SWINGS = 4  # minimum number of such changes: two full cycles
ROWS = 12  # minimum rows of the log to judge how the game goes


def divergence(run: Evidence) -> Finding | None:
    """Find losses or other values that are not finite or far too large, and samples far apart."""
    evidence = []
    error = str(run.record.get("error") or "")
    if error.startswith("NonFiniteLossError"):
        evidence.append(error.partition(": ")[2] or error)
    terms = [(p, n) for p in run.players for n in run.names(f"{p}/adversarial")]
    for player, name in terms:
        loss = run[name]
        if not loss:
            continue
        now, early = abs(loss.now), abs(median(loss.early))
        bound = D_LOSS_MAX if player == "discriminator" else G_LOSS_MAX
        if run.is_critic:
            bound = max(CRITIC_GROWTH_MAX * early, 10 * G_LOSS_MAX)
        if now > bound:
            evidence.append(
                f"The late median of {name} is {now:.3g}; above {bound:.3g} is too much."
            )
    apart = run["doctor/pairwise_distance"].now
    if apart is not None and apart > SPREAD_MAX:
        evidence.append(f"Generated samples are {apart:.3g} times as far apart as real examples.")
    if not_finite := [name for name in run.names("") if _is_not_finite(run, name)]:
        evidence.append(f"Not finite in the last rows: {', '.join(not_finite)}.")
    if not evidence:
        return None
    return Finding(
        "divergence",
        "Training has diverged: losses, gradients or samples have grown far too large.",
        evidence,
        [
            "Divide the learning rates by ten: model.players.<player>.optimizer.lr=…",
            *remedy(run, "Clip gradients", "model.players.<player>.gradient_clip=1.0"),
            *remedy(run, HOLD_BACK, "regularizer=[r1]", "regularizer=[spectral_norm]"),
            "Start again, or from an earlier checkpoint: diverged weights do not recover.",
        ],
    )


def not_moving(run: Evidence) -> Finding | None:
    """Find a player with a learning rate of 0, without steps, or whose weights do not change."""
    for player in run.players:
        changes, gradients = run[f"doctor/change/{player}"], run[f"doctor/gradient/{player}"]
        evidence = []
        if run.number(f"model.players.{player}.optimizer.lr") == 0:
            evidence.append(f"model.players.{player}.optimizer.lr is 0.")
        if changes and max(changes.values) < CHANGE_MIN and (gradients.now or 0) > 0:
            evidence.append(
                f"Its weights change per step by at most {max(changes.values):.2g} of their norm, "
                f"although its gradient has norm {gradients.now:.2g}."
            )
        if len(run.rows) >= ROWS and run[f"{player}/steps"].newest == 0:
            evidence.append("It has not made an optimizer step.")
        if evidence:
            return Finding(
                f"{player}_not_moving",
                f"The {player} does not learn: its weights do not change.",
                evidence,
                [
                    f"Set its learning rate, e.g. model.players.{player}.optimizer.lr=2e-4; a "
                    "schedule must not begin at 0.",
                    f"Check that model.players.{player}.modules names the networks to train.",
                ],
            )
    return None


def discriminator_too_strong(run: Evidence) -> Finding | None:
    """Find a vanished gradient of the generator, or a discriminator that is nearly always right."""
    evidence = []
    gradient = run["doctor/gradient/generator"]
    if len(run["doctor/separation"]) < ROWS or len(gradient) < ROWS:
        return None
    separation, fake = run["doctor/separation"].now, run["doctor/fake_accuracy"].now
    real, early = run["doctor/real_accuracy"].now, median(gradient.early)
    is_sure = separation >= BLAMED or (fake is not None and fake >= SURE)
    if is_sure and gradient.now <= VANISHED * early:
        evidence.append(
            f"The generator's gradient now has norm {gradient.now:.2g}; early it had {early:.2g}."
        )
    # with other terms in its loss, a generator learns even if the discriminator is always right
    is_separated = separation >= SEPARATED and not run.has_other_terms
    if is_separated and real is not None and fake is not None:
        if min(real, fake) >= SURE:
            evidence.append(
                f"It classifies {fake:.0%} of the samples and {real:.0%} of the real examples "
                f"correctly; it scores the real example above the sample in {separation:.1%} of "
                "all pairs."
            )
    elif evidence and fake is not None:
        evidence.append(f"It recognises {fake:.0%} of the generated samples as generated.")
    if not evidence:
        return None
    explanation = (
        "The discriminator is too strong: it nearly always distinguishes real examples from samples"
    )
    if not is_separated:
        explanation = (
            "The generator's gradient has vanished: the discriminator is too strong or saturated, "
            "so its scores hardly change around the samples"
        )
    explanation += ", so the generator learns little or nothing from it."
    return Finding(
        "discriminator_too_strong",
        explanation,
        evidence,
        [
            *(
                remedy(run, "Use a generator loss that does not saturate", "loss=non_saturating")
                if run.loss == "Minimax"
                else []
            ),
            "Lower the discriminator's learning rate, or raise the generator's: "
            "model.players.discriminator.optimizer.lr=…",
            *remedy(
                run,
                HOLD_BACK,
                "regularizer=[r1]",
                "regularizer=[instance_noise]",
                "regularizer=[spectral_norm]",
            ),
            *remedy(run, "Use a loss whose gradient does not vanish", "loss=wgan_gp", "loss=r3gan"),
        ],
    )


def oscillation(run: Evidence) -> Finding | None:
    """Find players that overtake each other again and again, so that the game does not settle."""
    separation = run["doctor/separation"]
    values = separation.values[len(separation) // 3 :]
    # if n real and n generated scores have the same distribution, separation has variance 1 / 6n
    n = max(run.number("data.batch_size") or 1000, 1)
    margin = max(SWING, CHANCE / sqrt(6 * n))
    low, high = 0.5 - margin, 0.5 + margin
    changes = swings(values, low, high)
    if len(separation) < ROWS or changes < SWINGS:
        return None
    return Finding(
        "oscillation",
        "The players go in circles: the generator fools the discriminator, the discriminator "
        "catches up, and then the generator fools it again.",
        [
            f"The probability that a real example scores above a sample changed {changes} times "
            f"between below {low:.2f} and above {high:.2f} in {len(values)} rows. In a game that "
            "settles, it stays at about 0.5 or above."
        ],
        [
            *remedy(run, "Reduce momentum", "model.players.<player>.optimizer.betas=[0.0,0.99]"),
            *remedy(run, "Damp the game", "regularizer=[r1]", "regularizer=[instance_noise]"),
            "Lower both learning rates.",
            *remedy(run, "Use EMA weights", "callbacks.ema"),
        ],
    )


def _is_not_finite(run: Evidence, name: str) -> bool:
    """Whether none of the last values is finite; 16-bit training may log single infinite values."""
    last = [row[name] for row in run.rows[-LAST:] if name in row]
    return bool(last) and not any(map(isfinite, last))


# ordered so that causes come before their effects
PROBLEMS = (
    divergence,
    not_moving,
    memorisation,
    discriminator_too_strong,
    collapse,
    oscillation,
)
