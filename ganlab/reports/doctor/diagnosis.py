"""The doctor: findings on the condition of a run, with evidence and the usual remedies."""

from __future__ import annotations

import json
from pathlib import Path

from ganlab.files import write_text
from ganlab.reports.doctor.conditions import PROBLEMS, ROWS
from ganlab.reports.doctor.evidence import Evidence, Series
from ganlab.reports.doctor.finding import Finding
from ganlab.reports.doctor.samples import ALL_FOUND, SAMPLE_ROWS, alike, missing, rise

POINTS = 4  # minimum values of a score to judge whether it improves
GAIN = 0.02  # minimum improvement, relative to the best score so far
WAIT = 0.4  # minimum share of the run without improvement that counts as a plateau
ENDED = 1e-3  # a learning rate of at most this share of its highest value has no effect
WORSE = 0.25  # a score worse than the best by more than this share is not chance


def diagnose(folder: Path) -> list[Finding]:
    """Return the findings on a run, the main finding first.

    Problems come first, causes before their effects. Without problems, the first finding is
    "healthy", "undecided" or "failed". Then comes advice to resume or to stop, and last what the
    log cannot show.

    Args:
        folder: the folder of a run that is running, has ended, or has failed; the callback `Doctor`
            is not required.

    Raises:
        RunError: the folder holds no run, a file is damaged, or nothing was logged yet.
    """
    return examine(Evidence.read(folder))


def examine(run: Evidence) -> list[Finding]:
    """Return the findings on a run whose evidence was already read; see `diagnose`."""
    problems = [finding for check in PROBLEMS if (finding := check(run))]
    advice = [] if _has_failed(run) else [finding for finding in [_progress(run)] if finding]
    return [*(problems or [_no_problem(run)]), *advice, *_unknown(run)]


def write_findings(folder: Path, findings: list[Finding], examples: int) -> Path:
    """Write `doctor.json` into the run's folder, and return its path.

    Raises:
        RunError: the disk is full or read-only.
    """
    path = folder / "doctor.json"
    contents = {
        "diagnosis": findings[0].condition,
        "examples_seen": examples,
        "findings": [finding.as_dict() for finding in findings],
    }
    write_text(path, json.dumps(contents, indent=2, ensure_ascii=False) + "\n")
    return path


def as_text(findings: list[Finding]) -> str:
    """Return the findings as text for a terminal."""
    lines: list[str] = []
    for finding in (f for f in findings if f.kind != "unknown"):
        lines.append(f"{finding.condition.replace('_', ' ').upper()}  {finding.explanation}")
        lines += [f"  because  {text}" for text in finding.evidence]
        lines += [f"  try      {text}" for text in finding.remedies]
    if unknown := [f for f in findings if f.kind == "unknown"]:
        lines.append("What the log does not show:")
        lines += [f"  - {finding.explanation}" for finding in unknown]
    return "\n".join(lines)


# --- no problem, and advice to resume or to stop -----------------------------------------------


def _has_failed(run: Evidence) -> bool:
    return run.record.get("status") == "failed"


def _no_problem(run: Evidence) -> Finding:
    if _has_failed(run):
        return Finding(
            "failed",
            "The run failed with an error; no problem of the training itself was found.",
            [str(run.record.get("error"))],
        )
    found, total = run.modes or (1, 1)
    sampled = len(run["doctor/pairwise_distance"])
    full, partial = alike(run)
    partial += missing(run)
    if (full or partial) and (rising := rise(run)):  # else the problem is collapse
        return Finding(
            "undecided",
            "The run is young: its samples are still too much alike, but become more varied.",
            [*full, *partial, rising],
            [_further(run)],
            kind="advice",
        )
    too_few = len(run["doctor/separation"]) < ROWS or sampled < SAMPLE_ROWS
    if too_few or found < ALL_FOUND * total:
        return Finding(
            "undecided",
            "It is too early to judge this run: too little was logged."
            if too_few
            else "No clear problem was found, but the samples are too poor for a healthy run.",
            [f"{len(run.rows)} rows of the log, {run.examples:,} examples.", *_modes(run)],
            kind="advice",
        )
    evidence = []
    for name, says in (
        (
            "doctor/separation",
            "The discriminator now scores real above generated samples in {:.0%} of all pairs.",
        ),
        ("doctor/gradient/generator", "The generator's gradient now has norm {:.2g}."),
        ("doctor/pairwise_distance", "Samples are {:.2f} times as far apart as real examples."),
    ):
        if run[name]:
            evidence.append(says.format(run[name].now))
    explanation = "No problem was found in this run."
    return Finding("healthy", explanation, [*evidence, *_modes(run)], kind="advice")


def _modes(run: Evidence) -> list[str]:
    return ["{:.0f} of {} modes or classes are found.".format(*run.modes)] if run.modes else []


def _progress(run: Evidence) -> Finding | None:
    """Return advice to resume or to stop; None if the run has too few values of a score."""
    score = run.score()
    if score is None or len(score[1]) < POINTS:
        return None
    name, curve, more_is_better = score
    sign = 1 if more_is_better else -1
    best, at = curve.values[0], 0
    for index, value in enumerate(curve.values):
        if sign * (value - best) > GAIN * abs(best):
            best, at = value, index
    since = run.examples - curve.examples[at]
    evidence = [
        f"{name} was {curve.values[0]:.4g} at {curve.examples[0]:,} examples, best at "
        f"{curve.examples[at]:,} ({best:.4g}), and is {curve.values[-1]:.4g} at "
        f"{curve.examples[-1]:,}."
    ]
    monitored = run.monitor == name
    take_best = "Take the best checkpoint: " + (
        "checkpoints/best.ckpt"
        if monitored
        else f"callbacks.checkpoints.monitor={name}"
        + (" callbacks.checkpoints.mode=max" if more_is_better else "")
    )
    if since >= WAIT * run.examples and len(curve) - 1 - at >= POINTS - 1:
        return Finding(
            "plateau",
            f"The score has not improved for {since:,} examples: stop, or change something.",
            evidence,
            [
                take_best,
                *_lower(run),
                "Use the time for another seed or setting.",
            ],
            "advice",
        )
    if sign * (best - curve.values[-1]) > WORSE * abs(best):
        return Finding(
            "past_its_best",
            f"The score is worse than its best value, {since:,} examples ago.",
            evidence,
            [take_best, *_lower(run)],
            "advice",
        )
    last_gain = f"the last gain of more than {GAIN:.0%} was {since:,} examples ago"
    return Finding(
        "still_improving",
        f"The score is still improving, train further: {last_gain}.",
        evidence,
        [_further(run)],
        "advice",
    )


def _further(run: Evidence) -> str:
    """Return how a run that still improves can be trained further."""
    if any(rate and rate.values[-1] <= ENDED * max(rate.values) for rate in _rates(run)):
        return "Start again with a longer budget: a learning rate has fallen to almost 0."
    return "Train further: ganlab train run=… resume=true budget.examples=…"


def _lower(run: Evidence) -> list[str]:
    """Return the advice to lower the learning rates, unless one is lower than it was."""
    if any(rate and rate.values[-1] < max(rate.values) for rate in _rates(run)):
        return []
    return ["Lower the learning rates towards the end (ganlab.core.Ramp)."]


def _rates(run: Evidence) -> list[Series]:
    return [run[f"{player}.lr"] for player in run.players]


# --- what the log does not show ----------------------------------------------------------------


def _unknown(run: Evidence) -> list[Finding]:
    """Return a finding for each thing that the log cannot show, with the reason."""
    sentences = []
    distances = run["doctor/pairwise_distance"]
    if not run.names("doctor/"):
        sentences.append(
            "gradients, the discriminator's accuracy, and samples: the run had no doctor "
            "(callbacks.doctor), so only its losses and scores are known."
        )
    elif not distances:
        sentences.append(
            "the condition of samples: no samples were examined yet "
            "(callbacks.doctor.every_examples)."
        )
    elif not run["doctor/separation"]:
        sentences.append(
            "how well the discriminator separates real from generated samples: this model does "
            "not report the discriminator's scores."
        )
    if 0 < len(run["doctor/separation"]) < ROWS:
        sentences.append(f"how the game goes: {len(run['doctor/separation'])} rows are too few.")
    if run.is_critic and run["doctor/separation"]:
        sentences.append(
            "accuracies: a critic's scores have no boundary between real and generated; only "
            "their differences count. Whether a critic is too strong cannot be judged either."
        )
    sentences += _unknown_scores(run)
    if run.modes is None:
        sentences.append(
            "which kinds of samples are missing: no modes or classes are counted in the samples."
        )
    counts = (run["doctor/training_examples"], run["doctor/compared_examples"])
    if distances and all(counts):
        total, compared = (
            run[f"doctor/{kind}_examples"].newest for kind in ("training", "compared")
        )
        sentences.append(
            f"memorisation beyond pixels: {compared:,} of {total:,} training examples were "
            "compared pixel by pixel, so shifted, mirrored or otherwise changed copies are not "
            "found. Real examples that the discriminator was not trained on are not scored."
        )
        if run.setting("model.generator.classes"):
            sentences.append(
                "collapse within a class: distances are measured over all classes together."
            )
    return [Finding("unknown", text, kind="unknown") for text in sentences]


def _unknown_scores(run: Evidence) -> list[str]:
    score = run.score()
    if score is None:
        return ["how good the samples are: no score is known, and losses do not show it."]
    if len(score[1]) < POINTS:
        return [
            f"whether the run still improves: {score[0]} was taken {len(score[1])} times; at least "
            f"{POINTS} are needed (callbacks.evaluation.every_examples)."
        ]
    return []
