"""What may be wrong with a run, one function for each condition, from what was logged of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import isfinite, sqrt
from statistics import median
from typing import Any, Literal

from ganlab.reports.doctor.evidence import Evidence, swings

# Each threshold with what it stands between. "Late" is the last third of the log.
LOSS_OF_GUESSING = 10.0  # D's late loss; knowing nothing costs 0.25 to 2 in all losses with a bound
LOSS_LOST = 100.0  # G's late loss: logits of a mere strong D reach a few tens
GROWTH = 100.0  # of a critic's loss, which has no natural scale
FAR_APART = 20.0  # samples relative to real ones: 0.6 to 1.5 if healthy, 5 if left to drift
STILL = 1e-7  # relative change of weights a step: below float32's resolution of a single weight
VANISHED = 1e-3  # of the generator's largest early gradient; healthy runs stay above 1/30 of it
TELLS = 0.9  # separation from which a vanished gradient is the discriminator's doing
SEPARATED = 0.99  # P(real scores above generated): 0.5 to 0.9 in healthy games
SURE = 0.95  # accuracy on both kinds, beside separation; below 0.9 in healthy games
ALL_THE_SAME = 0.3  # late pairwise distance relative to real samples
FEW_KINDS = 0.7  # the same; healthy runs are above 0.9
MISSED = 0.9  # share of the modes or classes below which some are missing
ON_MODES = 0.3  # high quality from which points lie on modes at all, so that others are missed
ONE_CLASS = 0.5  # share of samples in one of several classes
FEW_IMAGES = 2000  # that a discriminator may know by heart; more take longer than runs last
PASSES = 150  # over the training examples, from which a discriminator may know them by heart
KNOWN = 0.95  # separation that it then has; it stays below 0.9 with enough examples
COPIES = 0.5  # nearest training example relative to that of a real one: fresh samples are near 1
SWING = 0.15  # of separation to either side of 0.5, between which D goes when it chases G
CHANCE = 4.0  # standard deviations of a batch's separation, which a swing must exceed too
SWINGS = 4  # from one side to the other: two full turns
ROWS = 12  # of the log, below which its course tells nothing
LAST = 3  # rows whose values must all be infinite or NaN
SAMPLE_ROWS = 2  # with samples, before which an untrained generator's likeness is no collapse
COPIED = 0.1  # share of samples near a training example; 0.01 of new data is


@dataclass(frozen=True)
class Finding:
    """Something that a run's log shows.

    Attributes:
        condition: its name.
        explanation: what is going on, for a newcomer.
        evidence: the numbers that say so.
        remedies: what usually helps.
        kind: "problem", "advice", or "unknown" for what cannot be told.
    """

    condition: str
    explanation: str
    evidence: list[str] = field(default_factory=list)
    remedies: list[str] = field(default_factory=list)
    kind: Literal["problem", "advice", "unknown"] = "problem"

    def as_dict(self) -> dict[str, Any]:
        """As doctor.json has it, where the explanation is called "words"."""
        return {"words" if k == "explanation" else k: v for k, v in asdict(self).items()}


def divergence(run: Evidence) -> Finding | None:
    """Losses that are not finite or out of all proportion, or samples far outside the data."""
    seen = []
    error = str(run.record.get("error") or "")
    if error.startswith("NonFiniteLossError"):
        seen.append(error.partition(": ")[2] or error)
    terms = [(p, n) for p in run.players for n in run.names(f"{p}/adversarial")]
    for player, name in terms:
        loss = run[name]
        if not loss:
            continue
        now, then = abs(loss.now), abs(median(loss.early))
        bound = LOSS_OF_GUESSING if player == "discriminator" else LOSS_LOST
        if run.is_critic:
            bound = max(GROWTH * then, 10 * LOSS_LOST)
        if now > bound:
            seen.append(f"{name} is at {now:.3g} of late; {bound:.3g} is far too much.")
    apart = run["doctor/pairwise_distance"].now
    if apart is not None and apart > FAR_APART:
        seen.append(f"Generated samples are {apart:.3g} times as far apart as real ones.")
    if wild := [name for name in run.names("") if _is_wild(run, name)]:
        seen.append(f"Not finite in the last rows: {', '.join(wild)}.")
    if not seen:
        return None
    return Finding(
        "divergence",
        "Training has diverged: the players no longer play the game, their numbers run away.",
        seen,
        [
            "Lower the learning rates by ten: model.players.<player>.optimizer.lr=…",
            "Clip gradients: model.players.<player>.gradient_clip=1.0",
            "Hold the discriminator back: regularizer=[r1] or regularizer=[spectral_norm]",
            "Begin anew, or from a checkpoint of before: weights that diverged do not come back.",
        ],
    )


def not_moving(run: Evidence) -> Finding | None:
    """A player whose weights stay where they are although it has a gradient."""
    for player in run.players:
        changes, gradients = run[f"doctor/change/{player}"], run[f"doctor/gradient/{player}"]
        settings = ((run.config.get("model") or {}).get("players") or {}).get(player) or {}
        rate = (settings.get("optimizer") or {}).get("lr")
        seen = []
        if rate == 0:
            seen.append(f"model.players.{player}.optimizer.lr is 0.")
        if changes and max(changes.values) < STILL and (gradients.now or 0) > 0:
            seen.append(
                f"Its weights change by at most {max(changes.values):.2g} of their norm a step, "
                f"while its gradient has norm {gradients.now:.2g}."
            )
        if len(run.rows) >= ROWS and run[f"{player}/steps"].newest == 0:
            seen.append("It has not made a step.")
        if seen:
            return Finding(
                f"{player}_not_moving",
                f"The {player} does not learn: its weights stay where they are.",
                seen,
                [
                    f"Set its learning rate, e.g. model.players.{player}.optimizer.lr=2e-4; a "
                    "schedule must not begin at 0.",
                    f"See that model.players.{player}.modules names the networks it shall train.",
                ],
            )
    return None


def discriminator_too_strong(run: Evidence) -> Finding | None:
    """A generator that gets no gradient, or nothing that fools the discriminator."""
    seen = []
    gradient = run["doctor/gradient/generator"]
    if len(run["doctor/separation"]) < ROWS or len(gradient) < ROWS:
        return None
    separation, fake = run["doctor/separation"].now, run["doctor/fake_accuracy"].now
    real, early = run["doctor/real_accuracy"].now, median(gradient.early)
    is_sure = separation >= TELLS or (fake is not None and fake >= SURE)
    if is_sure and gradient.now <= VANISHED * early:
        seen.append(
            f"The generator's gradient has norm {gradient.now:.2g} of late; it was {early:.2g}."
        )
    # a generator that is led by other terms learns beside a discriminator that knows its pictures
    is_separated = separation >= SEPARATED and not run.has_other_terms
    if is_separated and real is not None and fake is not None:
        if min(real, fake) >= SURE:
            seen.append(
                f"It tells {fake:.0%} of the generated and {real:.0%} of the real samples right; a "
                f"real one scores above a generated one in {separation:.1%} of the pairs."
            )
    elif seen and fake is not None:
        seen.append(f"It takes {fake:.0%} of the generated samples for generated.")
    if not seen:
        return None
    explanation = (
        "The discriminator is too strong: it tells real from generated samples without fail"
    )
    if not is_separated:
        explanation = (
            "The generator's gradient has vanished: the discriminator is too strong, or saturated, "
            "and flat where the samples are"
        )
    explanation += ", so the generator learns little or nothing from it."
    return Finding(
        "discriminator_too_strong",
        explanation,
        seen,
        [
            *(
                ["Let the generator's loss not saturate: loss=non_saturating"]
                if run.loss == "Minimax"
                else []
            ),
            "Lower the discriminator's learning rate, or raise the generator's: "
            "model.players.discriminator.optimizer.lr=…",
            "Hold the discriminator back: regularizer=[r1], [instance_noise] or [spectral_norm].",
            "Take a loss whose gradient does not vanish: loss=wgan_gp or loss=r3gan",
        ],
    )


def collapse(run: Evidence) -> Finding | None:
    """Samples that are all the same, or of a few kinds only."""
    full, partial = [], []
    apart, nearest = run["doctor/pairwise_distance"].now, run["doctor/nearest_generated"].now
    if len(run["doctor/pairwise_distance"]) < SAMPLE_ROWS:
        apart = nearest = None
    if apart is not None and apart < FEW_KINDS:
        (full if apart < ALL_THE_SAME else partial).append(
            f"Two generated samples are {apart:.2g} times as far apart as two real ones."
        )
    if nearest is not None and nearest < ALL_THE_SAME:
        partial.append(f"A sample's nearest other one is {nearest:.2g} times as far as real ones.")
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
    how = "almost the same sample whatever the latent" if full else "only some kinds of samples"
    return Finding(
        "collapse",
        f"The generator has collapsed {'fully' if full else 'in part'}: it makes {how}.",
        full + partial,
        [
            "Take a loss or regularizer that keeps modes: loss=wgan_gp, loss=r3gan, "
            "regularizer=[r1], regularizer=[instance_noise]",
            "Lower the generator's learning rate, or let the discriminator see more: a larger "
            "batch, more discriminator steps (model.players.generator.every=2)",
            "Train from the start: a generator seldom comes back from full collapse.",
        ],
    )


def memorisation(run: Evidence) -> Finding | None:
    """Samples that are nearly training examples, or a discriminator that knows those by heart."""
    apart, ratio = run["doctor/pairwise_distance"].now, run["doctor/nearest_training"].now
    if ratio is None or apart is None or apart < FEW_KINDS:
        return None
    total, compared = (run[f"doctor/{kind}_examples"].newest for kind in ("training", "compared"))
    passes, separation = run.examples / total, run["doctor/separation"].now
    copies = [run[name].newest or 0.0 for name in run.names("copies")]
    copies = [share for share in copies if share >= COPIED]
    are_copies = ratio <= COPIES or bool(copies)
    # a critic may be sure of itself without knowing anything by heart
    is_small = total <= FEW_IMAGES and passes >= PASSES and not run.is_critic
    by_heart = is_small and separation is not None and separation >= KNOWN
    if not are_copies and not by_heart:
        return None
    who = "generator repeats" if are_copies else "discriminator knows"
    so = "samples are nearly copies" if are_copies else "it overfits, and teaches little else"
    seen = [f"There are {total:,} training examples; each was seen {passes:,.0f} times."]
    seen += [f"{share:.0%} of the samples lie suspiciously near one." for share in copies]
    if by_heart:
        seen.append(
            f"A training example scores above a generated one in {separation:.1%} of the pairs, "
            "while the samples are diverse."
        )
    seen.append(
        f"A sample's nearest of {compared:,} training examples is {ratio:.2g} times as far as a "
        "real one's nearest other one; copies would be near 0, fresh samples near 1 or above."
    )
    return Finding(
        "memorisation",
        f"The {who} its few training examples by heart: {so}.",
        seen,
        [
            "Train on more examples (data.limit=null), or with fewer passes (budget.examples).",
            "Augment what the discriminator sees, or hold it back: a larger regularizer=[r1].",
            "Take smaller networks.",
        ],
    )


def oscillation(run: Evidence) -> Finding | None:
    """Players that chase each other in circles."""
    separation = run["doctor/separation"]
    values = separation.values[len(separation) // 3 :]
    # of n real against n generated scores that tell nothing, separation has variance 1 / 6n
    n = (run.config.get("data") or {}).get("batch_size") or 1000
    margin = max(SWING, CHANCE / sqrt(6 * n))
    low, high = 0.5 - margin, 0.5 + margin
    turns = swings(values, low, high)
    if len(separation) < ROWS or turns < SWINGS:
        return None
    return Finding(
        "oscillation",
        "The players go in circles: the discriminator takes generated samples for the more real "
        "ones, then learns, then the generator escapes again.",
        [
            f"Separation of real from generated samples swung {turns} times between below "
            f"{low:.2f} and above {high:.2f} in {len(values)} rows; in a game that settles it "
            "stays at 0.5 or above, but for chance."
        ],
        [
            "Less momentum: model.players.<player>.optimizer.betas=[0.0,0.99]",
            "Damp the game: regularizer=[r1] or regularizer=[instance_noise]",
            "Lower both learning rates, and look at averaged weights (callbacks.ema).",
        ],
    )


def _is_wild(run: Evidence, name: str) -> bool:
    """Whether none of the last values is finite; a single one may be a step of 16-bit training."""
    last = [row[name] for row in run.rows[-LAST:] if name in row]
    return bool(last) and not any(map(isfinite, last))


# a cause before what it may lead to
PROBLEMS = (
    divergence,
    not_moving,
    memorisation,
    discriminator_too_strong,
    collapse,
    oscillation,
)
