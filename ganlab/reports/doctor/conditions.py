"""What may be wrong with a run, judged from its log: one function for each condition."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import isfinite, sqrt
from statistics import median
from typing import Any, Literal

from ganlab.reports.doctor.evidence import Evidence, swings

# Thresholds, each with the values of healthy runs. "Late" is the last third of the log; separation
# is the probability that a real example scores above a generated one.
LOSS_OF_GUESSING = 10.0  # D's late loss diverges above this; guessing costs 0.25 to 2 if not critic
LOSS_LOST = 100.0  # G's late loss diverges above this; a strong D costs it a few tens
GROWTH = 100.0  # a critic's loss, which has no scale, diverges above so many times its early value
FAR_APART = 20.0  # distance of samples relative to real ones; healthy 0.6 to 1.5, drifting 5
STILL = 1e-7  # relative change of weights per step: below float32's resolution of a weight
VANISHED = 1e-3  # G's late gradient relative to its early one; healthy runs stay above 1/30
TELLS = 0.9  # separation from which D is blamed for a vanished gradient
SEPARATED = 0.99  # separation of a D that is too strong; healthy 0.5 to 0.9
SURE = 0.95  # such a D's accuracy on real and on generated samples; healthy below 0.9
ALL_THE_SAME = 0.3  # late distance between samples, relative to real ones: full collapse below
FEW_KINDS = 0.7  # the same distance: partial collapse below; healthy above 0.9
MISSED = 0.9  # found share of the modes or classes: some are missing below
ON_MODES = 0.3  # high quality from which missing modes count as collapse; below, few points hit any
ONE_CLASS = 0.5  # share of samples in one of several classes
FEW_IMAGES = 2000  # training examples that D may memorise; for more, runs are too short
PASSES = 150  # passes over the training examples from which D may have memorised them
KNOWN = 0.95  # separation of a D that has memorised them; with enough examples below 0.9
COPIES = 0.5  # distance to the nearest training example, relative to a real one's; fresh samples 1
SWING = 0.15  # an oscillating separation goes from below 0.5 − SWING to above 0.5 + SWING, or back
CHANCE = 4.0  # a swing is also wider than so many standard deviations of one batch's separation
SWINGS = 4  # such changes of side: two full turns
ROWS = 12  # rows of the log that are needed to judge how the game goes
LAST = 3  # last rows whose values must all be infinite or NaN
SAMPLE_ROWS = 2  # rows with samples that collapse needs: untrained generators make similar samples
COPIED = 0.1  # share of samples suspiciously near a training example; 0.01 for new data


@dataclass(frozen=True)
class Finding:
    """A statement about a run, made from its log.

    Attributes:
        condition: the name of the condition, such as "collapse".
        explanation: what is going on, for a newcomer.
        evidence: sentences with the numbers that show it.
        remedies: what usually helps.
        kind: "problem", "advice", or "unknown" for what the log cannot show.
    """

    condition: str
    explanation: str
    evidence: list[str] = field(default_factory=list)
    remedies: list[str] = field(default_factory=list)
    kind: Literal["problem", "advice", "unknown"] = "problem"

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as in doctor.json, where the explanation has the key "words"."""
        return {"words" if k == "explanation" else k: v for k, v in asdict(self).items()}


def divergence(run: Evidence) -> Finding | None:
    """Find losses or other values that are not finite or far too large, and samples far apart."""
    seen = []
    error = str(run.record.get("error") or "")
    if error.startswith("NonFiniteLossError"):
        seen.append(error.partition(": ")[2] or error)
    terms = [(p, n) for p in run.players for n in run.names(f"{p}/adversarial")]
    for player, name in terms:
        loss = run[name]
        if not loss:
            continue
        now, early = abs(loss.now), abs(median(loss.early))
        bound = LOSS_OF_GUESSING if player == "discriminator" else LOSS_LOST
        if run.is_critic:
            bound = max(GROWTH * early, 10 * LOSS_LOST)
        if now > bound:
            seen.append(f"The late median of {name} is {now:.3g}; above {bound:.3g} is too much.")
    apart = run["doctor/pairwise_distance"].now
    if apart is not None and apart > FAR_APART:
        seen.append(f"Generated samples are {apart:.3g} times as far apart as real ones.")
    if wild := [name for name in run.names("") if _is_wild(run, name)]:
        seen.append(f"Not finite in the last rows: {', '.join(wild)}.")
    if not seen:
        return None
    return Finding(
        "divergence",
        "Training has diverged: losses, gradients or samples have grown out of all bounds.",
        seen,
        [
            "Divide the learning rates by ten: model.players.<player>.optimizer.lr=…",
            "Clip gradients: model.players.<player>.gradient_clip=1.0",
            "Hold the discriminator back: regularizer=[r1] or regularizer=[spectral_norm]",
            "Start again, or from an earlier checkpoint: diverged weights do not recover.",
        ],
    )


def not_moving(run: Evidence) -> Finding | None:
    """Find a player whose weights do not change although it has a gradient."""
    for player in run.players:
        changes, gradients = run[f"doctor/change/{player}"], run[f"doctor/gradient/{player}"]
        settings = ((run.config.get("model") or {}).get("players") or {}).get(player) or {}
        rate = (settings.get("optimizer") or {}).get("lr")
        seen = []
        if rate == 0:
            seen.append(f"model.players.{player}.optimizer.lr is 0.")
        if changes and max(changes.values) < STILL and (gradients.now or 0) > 0:
            seen.append(
                f"Its weights change per step by at most {max(changes.values):.2g} of their norm, "
                f"although its gradient has norm {gradients.now:.2g}."
            )
        if len(run.rows) >= ROWS and run[f"{player}/steps"].newest == 0:
            seen.append("It has not made a step.")
        if seen:
            return Finding(
                f"{player}_not_moving",
                f"The {player} does not learn: its weights do not change.",
                seen,
                [
                    f"Set its learning rate, e.g. model.players.{player}.optimizer.lr=2e-4; a "
                    "schedule must not begin at 0.",
                    f"Check that model.players.{player}.modules names the networks to train.",
                ],
            )
    return None


def discriminator_too_strong(run: Evidence) -> Finding | None:
    """Find a vanished gradient of the generator, or a discriminator that is nearly always right."""
    seen = []
    gradient = run["doctor/gradient/generator"]
    if len(run["doctor/separation"]) < ROWS or len(gradient) < ROWS:
        return None
    separation, fake = run["doctor/separation"].now, run["doctor/fake_accuracy"].now
    real, early = run["doctor/real_accuracy"].now, median(gradient.early)
    is_sure = separation >= TELLS or (fake is not None and fake >= SURE)
    if is_sure and gradient.now <= VANISHED * early:
        seen.append(
            f"The generator's gradient now has norm {gradient.now:.2g}; early it had {early:.2g}."
        )
    # with other terms in its loss, a generator learns even if the discriminator is always right
    is_separated = separation >= SEPARATED and not run.has_other_terms
    if is_separated and real is not None and fake is not None:
        if min(real, fake) >= SURE:
            seen.append(
                f"It classifies {fake:.0%} of the generated and {real:.0%} of the real samples "
                f"correctly; real scores above generated in {separation:.1%} of the pairs."
            )
    elif seen and fake is not None:
        seen.append(f"It recognises {fake:.0%} of the generated samples as generated.")
    if not seen:
        return None
    explanation = (
        "The discriminator is too strong: it nearly always tells real from generated samples"
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
        seen,
        [
            *(
                ["Use a generator loss that does not saturate: loss=non_saturating"]
                if run.loss == "Minimax"
                else []
            ),
            "Lower the discriminator's learning rate, or raise the generator's: "
            "model.players.discriminator.optimizer.lr=…",
            "Hold the discriminator back: regularizer=[r1], [instance_noise] or [spectral_norm].",
            "Use a loss whose gradient does not vanish: loss=wgan_gp or loss=r3gan",
        ],
    )


def collapse(run: Evidence) -> Finding | None:
    """Find samples that are all alike, or of a few kinds only."""
    full, partial = [], []
    apart, nearest = run["doctor/pairwise_distance"].now, run["doctor/nearest_generated"].now
    if len(run["doctor/pairwise_distance"]) < SAMPLE_ROWS:
        apart = nearest = None
    if apart is not None and apart < FEW_KINDS:
        (full if apart < ALL_THE_SAME else partial).append(
            f"Two generated samples are {apart:.2g} times as far apart as two real ones."
        )
    if nearest is not None and nearest < ALL_THE_SAME:
        partial.append(f"The nearest other sample is {nearest:.2g} times as far as for real ones.")
    if run.modes:
        found, total = run.modes
        quality = run["high_quality"].newest
        if found < MISSED * total and (quality is None or quality >= ON_MODES):
            partial.append(f"{found:.0f} of {total} modes or classes are found.")
    shares = {n: run[n].newest for n in run.names("class_share") if run[n]}
    if len(shares) > 2 and max(shares.values()) >= ONE_CLASS:
        name = max(shares, key=shares.__getitem__)
        partial.append(f"Class {name.rpartition('/')[2]} has {shares[name]:.0%} of the samples.")
    if not full and not partial:
        return None
    makes = "almost the same sample for all latents" if full else "only some kinds of samples"
    return Finding(
        "collapse",
        f"The generator has collapsed {'fully' if full else 'in part'}: it makes {makes}.",
        full + partial,
        [
            "Use a loss or regularizer that keeps modes: loss=wgan_gp, loss=r3gan, "
            "regularizer=[r1], regularizer=[instance_noise]",
            "Lower the generator's learning rate, or let the discriminator see more: a larger "
            "batch, more discriminator steps (model.players.generator.every=2)",
            "Start again: a generator seldom recovers from full collapse.",
        ],
    )


def memorisation(run: Evidence) -> Finding | None:
    """Find samples that nearly copy training examples, or a discriminator that memorised them."""
    apart, ratio = run["doctor/pairwise_distance"].now, run["doctor/nearest_training"].now
    if ratio is None or apart is None or apart < FEW_KINDS:
        return None
    total, compared = (run[f"doctor/{kind}_examples"].newest for kind in ("training", "compared"))
    passes, separation = run.examples / total, run["doctor/separation"].now
    copies = [run[name].newest or 0.0 for name in run.names("copies")]
    copies = [share for share in copies if share >= COPIED]
    are_copies = ratio <= COPIES or bool(copies)
    # a critic may separate real from generated samples well without having memorised any
    is_small = total <= FEW_IMAGES and passes >= PASSES and not run.is_critic
    is_memorised = is_small and separation is not None and separation >= KNOWN
    if not are_copies and not is_memorised:
        return None
    who = "generator repeats" if are_copies else "discriminator has memorised"
    effect = "samples are nearly copies" if are_copies else "it overfits"
    seen = [f"There are {total:,} training examples; each was seen {passes:,.0f} times."]
    seen += [f"{share:.0%} of the samples lie suspiciously near one." for share in copies]
    if is_memorised:
        seen.append(
            f"A training example scores above a generated one in {separation:.1%} of the pairs, "
            "although the samples are diverse."
        )
    seen.append(
        f"The nearest of {compared:,} training examples is {ratio:.2g} times as far from a sample "
        "as from another training example; copies are near 0, fresh samples near 1 or above."
    )
    return Finding(
        "memorisation",
        f"The {who} its few training examples: {effect}.",
        seen,
        [
            "Train on more examples (data.limit=null), or with fewer passes (budget.examples).",
            "Augment what the discriminator sees, or hold it back: a larger regularizer=[r1].",
            "Use smaller networks.",
        ],
    )


def oscillation(run: Evidence) -> Finding | None:
    """Find players that chase each other in circles."""
    separation = run["doctor/separation"]
    values = separation.values[len(separation) // 3 :]
    # separation of n real from n generated scores of one distribution has variance 1 / 6n
    n = (run.config.get("data") or {}).get("batch_size") or 1000
    margin = max(SWING, CHANCE / sqrt(6 * n))
    low, high = 0.5 - margin, 0.5 + margin
    turns = swings(values, low, high)
    if len(separation) < ROWS or turns < SWINGS:
        return None
    return Finding(
        "oscillation",
        "The players go in circles: the generator fools the discriminator, the discriminator "
        "catches up, and then the generator fools it again.",
        [
            f"Separation (P(real scores above generated)) changed {turns} times between below "
            f"{low:.2f} and above {high:.2f} in {len(values)} rows; in a game that settles it "
            "stays at 0.5 or above, up to chance."
        ],
        [
            "Reduce momentum: model.players.<player>.optimizer.betas=[0.0,0.99]",
            "Damp the game: regularizer=[r1] or regularizer=[instance_noise]",
            "Lower both learning rates, and use EMA weights (callbacks.ema).",
        ],
    )


def _is_wild(run: Evidence, name: str) -> bool:
    """Whether none of the last values is finite; 16-bit training may log a single infinite one."""
    last = [row[name] for row in run.rows[-LAST:] if name in row]
    return bool(last) and not any(map(isfinite, last))


# each condition before those that it may cause
PROBLEMS = (
    divergence,
    not_moving,
    memorisation,
    discriminator_too_strong,
    collapse,
    oscillation,
)
