"""The doctor: findings on the condition of a run, with evidence and the usual remedies."""

from __future__ import annotations

import json
from pathlib import Path

from ganlab.files import write_text
from ganlab.reports.doctor.conditions import MISSED, PROBLEMS, ROWS, SAMPLE_ROWS, Finding
from ganlab.reports.doctor.evidence import Evidence

POINTS = 4  # values of a score that are needed to judge whether it improves
GAIN = 0.02  # change relative to the best score so far that counts as an improvement
WAIT = 0.4  # share of the run without improvement that counts as a plateau
ENDED = 1e-3  # share of its highest value below which a learning rate has no effect
WORSE = 0.25  # change relative to the best score that is more than chance


def diagnose(folder: Path) -> list[Finding]:
    """Return the findings on a run, the main finding first.

    Problems come first, causes before their effects; without problems, "healthy", "undecided" or
    "failed". Then comes advice to resume or to stop, and last what the log cannot show.

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
        lines.append("What cannot be told:")
        lines += [f"  - {finding.explanation}" for finding in unknown]
    return "\n".join(lines)


# --- no problem, and whether to train on -------------------------------------------------------


def _has_failed(run: Evidence) -> bool:
    return run.record.get("status") == "failed"


def _no_problem(run: Evidence) -> Finding:
    if _has_failed(run):
        return Finding(
            "failed",
            "The run failed for a reason that is not in the game itself.",
            [str(run.record.get("error"))],
        )
    found, total = run.modes or (1, 1)
    sampled = len(run["doctor/pairwise_distance"])
    too_few = len(run["doctor/separation"]) < ROWS or sampled < SAMPLE_ROWS
    if too_few or found < MISSED * total:
        why = "too little was logged" if too_few else "the samples are too poor"
        return Finding(
            "undecided",
            f"No problem was found, but {why} to call the run healthy.",
            [f"{len(run.rows)} rows of the log, {run.examples:,} examples.", *_modes(run)],
            kind="advice",
        )
    seen = []
    for name, says in (
        ("doctor/separation", "P(real scores above generated) is now {:.2f}."),
        ("doctor/gradient/generator", "The generator's gradient now has norm {:.2g}."),
        ("doctor/pairwise_distance", "Samples are {:.2f} times as far apart as real ones."),
    ):
        if run[name]:
            seen.append(says.format(run[name].now))
    explanation = "No problem was found in this run."
    return Finding("healthy", explanation, [*seen, *_modes(run)], kind="advice")


def _modes(run: Evidence) -> list[str]:
    return ["{:.0f} of {} modes or classes are found.".format(*run.modes)] if run.modes else []


def _progress(run: Evidence) -> Finding | None:
    """Return advice by whether the score still improves; None with too few values of a score."""
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
    seen = [
        f"{name} was best at {curve.examples[at]:,} examples, {best:.4g}; it is "
        f"{curve.values[-1]:.4g} at {curve.examples[-1]:,}, "
        f"after {curve.values[0]:.4g} at {curve.examples[0]:,}."
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
            seen,
            [
                take_best,
                "Lower the learning rates towards the end (ganlab.core.Ramp).",
                "Use the time for another seed or setting.",
            ],
            "advice",
        )
    if sign * (best - curve.values[-1]) > WORSE * abs(best):
        return Finding(
            "past_its_best",
            f"The score is worse than its best value, {since:,} examples ago.",
            seen,
            [take_best, "Lower the learning rates towards the end (ganlab.core.Ramp)."],
            "advice",
        )
    last_gain = f"the last gain of more than {GAIN:.0%} was {since:,} examples ago"
    rates = [run[f"{player}.lr"] for player in run.players]
    if any(rate and rate.values[-1] <= ENDED * max(rate.values) for rate in rates):
        remedy = "Start again with a longer budget: a learning rate has fallen to almost 0."
    else:
        remedy = "Train further: ganlab train run=… resume=true budget.examples=…"
    return Finding(
        "still_improving",
        f"The score is still improving, train further: {last_gain}.",
        seen,
        [remedy],
        "advice",
    )


# --- what cannot be told -----------------------------------------------------------------------


def _unknown(run: Evidence) -> list[Finding]:
    """Return findings that name what the log cannot show, each with the reason."""
    sentences = []
    distances = run["doctor/pairwise_distance"]
    if not run.names("doctor/"):
        sentences.append(
            "gradients, the discriminator's accuracy, and samples: the run had no doctor "
            "(callbacks.doctor), so only its losses and scores are known."
        )
    elif not distances:
        sentences.append(
            "the condition of samples: none were examined yet (callbacks.doctor.every_examples)."
        )
    elif not run["doctor/separation"]:
        sentences.append(
            "how well the discriminator separates real from generated samples: this family does "
            "not report its scores."
        )
    if 0 < len(run["doctor/separation"]) < ROWS:
        sentences.append(f"how the game goes: {len(run['doctor/separation'])} rows are too few.")
    if run.is_critic and run["doctor/separation"]:
        sentences.append(
            "accuracies: scores of a critic have no boundary between real and generated, only "
            "their differences count; whether a critic is too strong cannot be judged either."
        )
    sentences += _unknown_scores(run)
    if run.modes is None:
        sentences.append("which kinds are missing: no modes or classes are counted in the samples.")
    if distances:
        total, seen = (run[f"doctor/{kind}_examples"].newest for kind in ("training", "compared"))
        sentences.append(
            f"memorisation beyond pixels: {seen:,} of {total:,} training examples were compared "
            "pixel by pixel, so shifted, mirrored or otherwise changed copies are not found; nor "
            "does the discriminator score real examples that it was not trained on."
        )
        if ((run.config.get("model") or {}).get("generator") or {}).get("classes"):
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
