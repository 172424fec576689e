"""Problems of the samples: all alike or of a few kinds, or copies of training examples."""

from __future__ import annotations

from statistics import median

from ganlab.reports.doctor.evidence import Evidence
from ganlab.reports.doctor.finding import Finding
from ganlab.reports.doctor.remedies import HOLD_BACK, remedy

# Thresholds, with the values that healthy runs have. "Late" is the last third of the log.
FULL_COLLAPSE = 0.3  # a smaller late doctor/pairwise_distance is full collapse
PARTIAL_COLLAPSE = 0.7  # a smaller late doctor/pairwise_distance is partial; healthy above 0.9
SAMPLE_ROWS = 2  # minimum rows with distances: samples of an untrained G are alike, too
RISE = (0.05, 1.15)  # minimum difference and ratio of the late to the early median of the distance
CHANCE = 0.95  # the newest distance counts as the largest if it is this share of the largest
EVALUATIONS = 4  # minimum evaluations to judge missing modes while samples become more varied
ALL_FOUND = 0.9  # if a smaller share of the modes or classes is found, some count as missing
ON_MODES = 0.3  # minimum high_quality to call missing modes collapse; below it, few hit any mode
ONE_CLASS = 0.5  # minimum share of the samples in one of three classes or more
FEW_IMAGES = 2000  # maximum of training examples that D may memorise; runs are too short for more
PASSES = 150  # minimum passes over the training examples before D may have memorised them
MEMORISED = 0.95  # minimum separation of a D that memorised them; with enough examples below 0.9
COPY_DISTANCE = 0.5  # maximum of doctor/nearest_training for copies; about 1 without copies
COPY_SHARE = 0.1  # minimum share of copies among the samples; among new real examples 0.01


def collapse(run: Evidence) -> Finding | None:
    """Find samples that are all alike, or of a few kinds only, and become no more varied."""
    full, partial = ([], []) if rise(run) else alike(run)
    partial += [] if is_young(run) else missing(run)
    if not full + partial:
        return None
    makes = "almost the same sample for all latents" if full else "only some kinds of samples"
    return Finding(
        "collapse",
        f"The generator has collapsed {'fully' if full else 'in part'}: it makes {makes}.",
        full + partial,
        [
            *remedy(
                run,
                "Use a loss or regularizer that keeps modes",
                "loss=wgan_gp",
                "loss=r3gan",
                "regularizer=[r1]",
                "regularizer=[instance_noise]",
            ),
            "Lower the generator's learning rate, or use a larger batch.",
            *remedy(
                run,
                "Train the discriminator for more steps than the generator",
                "model.players.generator.every=2",
            ),
            "Start again: a generator seldom recovers from full collapse.",
        ],
    )


def alike(run: Evidence) -> tuple[list[str], list[str]]:
    """Return the evidence that all samples are alike, and that many are, by their distances."""
    full, partial = [], []
    apart, nearest = run["doctor/pairwise_distance"].now, run["doctor/nearest_generated"].now
    if len(run["doctor/pairwise_distance"]) < SAMPLE_ROWS:
        return [], []
    if apart is not None and apart < PARTIAL_COLLAPSE:
        (full if apart < FULL_COLLAPSE else partial).append(
            f"Two generated samples are {apart:.2g} times as far apart as two real examples."
        )
    if nearest is not None and nearest < FULL_COLLAPSE:
        partial.append(
            f"The distance from a sample to the nearest other sample is {nearest:.2g} times the "
            "distance from a training example to the nearest other example."
        )
    return full, partial


def missing(run: Evidence) -> list[str]:
    """Return the evidence that modes or classes are missing, or that one class prevails."""
    found = []
    if run.modes:
        number, total = run.modes
        quality = run["high_quality"].newest
        if number < ALL_FOUND * total and (quality is None or quality >= ON_MODES):
            found.append(f"{number:.0f} of {total} modes or classes are found.")
    shares = {n: run[n].newest for n in run.names("class_share") if run[n]}
    if len(shares) > 2 and max(shares.values()) >= ONE_CLASS:
        name = max(shares, key=shares.__getitem__)
        found.append(f"Class {name.rpartition('/')[2]} has {shares[name]:.0%} of the samples.")
    return found


def is_young(run: Evidence) -> bool:
    """Whether a run has too few evaluations to judge missing modes, and its samples still change.

    They do if they become more varied, or if the run ended before its second row with distances.
    """
    counted = [*run.names("modes"), *run.names("classes_present"), *run.names("class_share")]
    if max((len(run[name]) for name in counted), default=0) >= EVALUATIONS:
        return False
    has_one_row = len(run["doctor/pairwise_distance"]) == 1
    ended = has_one_row and bool(run.number("callbacks.doctor.every_examples"))
    return ended or rise(run) is not None


def rise(run: Evidence) -> str | None:
    """Return how the samples still become more varied, as a sentence; None if they do not.

    They do if the distance between samples, in the median of the last third of the log, is well
    above that of the first third, and the newest distance is the largest, but for chance.
    """
    distances = run["doctor/pairwise_distance"]
    if len(distances) < SAMPLE_ROWS or distances.newest < CHANCE * max(distances.values):
        return None
    before, now, (difference, ratio) = median(distances.early), distances.now, RISE
    if now < before + difference or now < ratio * before:
        return None
    return (
        f"The distance between samples grows: it was {before:.2g} times that of real examples "
        f"early in the run, and now is {now:.2g} times."
    )


def memorisation(run: Evidence) -> Finding | None:
    """Find samples that nearly copy training examples, or a discriminator that memorised them."""
    apart, ratio = run["doctor/pairwise_distance"].now, run["doctor/nearest_training"].now
    if ratio is None or apart is None or apart < PARTIAL_COLLAPSE:
        return None
    total, compared = (run[f"doctor/{kind}_examples"].newest for kind in ("training", "compared"))
    if not total or not compared:  # the log was edited
        return None
    passes, separation = run.examples / total, run["doctor/separation"].now
    copies = [run[name].newest or 0.0 for name in run.names("copies")]
    copies = [share for share in copies if share >= COPY_SHARE]
    are_copies = ratio <= COPY_DISTANCE or bool(copies)
    # a critic may separate real from generated samples well without having memorised any
    is_small = total <= FEW_IMAGES and passes >= PASSES and not run.is_critic
    is_memorised = is_small and separation is not None and separation >= MEMORISED
    if not are_copies and not is_memorised:
        return None
    who = "generator repeats" if are_copies else "discriminator has memorised"
    effect = "samples are nearly copies" if are_copies else "it overfits"
    evidence = [f"There are {total:,} training examples; each was seen {passes:,.0f} times."]
    evidence += [f"{share:.0%} of the samples nearly equal a training example." for share in copies]
    if is_memorised:
        evidence.append(
            f"A training example scores above a sample in {separation:.1%} of the pairs, "
            "although the samples are diverse."
        )
    evidence.append(
        f"The distance from a sample to the nearest of {compared:,} training examples is "
        f"{ratio:.2g} times the distance between a training example and the nearest other: "
        "near 0 for copies, about 1 or more for samples that are no copies."
    )
    return Finding(
        "memorisation",
        f"The {who} its few training examples: {effect}.",
        evidence,
        [
            "Train on more examples, or with fewer passes (budget.examples).",
            *remedy(run, "Use all examples of the data set", "data.limit=null"),
            *remedy(
                run,
                "If examples are pictures, augment the discriminator's inputs",
                "regularizer=[ada]",
            ),
            *remedy(run, HOLD_BACK, "regularizer=[r1]"),
            "Use smaller networks.",
        ],
    )
