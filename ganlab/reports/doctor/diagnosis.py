"""The doctor: what is going on in a run, with the evidence and the usual remedies."""

from __future__ import annotations

import json
from pathlib import Path

from ganlab.files import write_text
from ganlab.reports.doctor.conditions import MISSED, PROBLEMS, ROWS, SAMPLE_ROWS, Finding
from ganlab.reports.doctor.evidence import Evidence

POINTS = 4  # of a score's curve, below which its course is not judged
GAIN = 0.02  # of the best score so far, above which a score counts as improved
WAIT = 0.4  # share of the run without improvement that is a plateau
ENDED = 1e-3  # of its highest value, at which a learning rate moves nothing any more
WORSE = 0.25  # of the best score, by which the newest is worse than chance alone makes it


def diagnose(folder: Path) -> list[Finding]:
    """What a run's folder tells of its condition, the main finding first.

    Problems come first, a cause before what it may lead to; without any, `healthy`. Then advice on
    going on or stopping, and last what cannot be told.

    Args:
        folder: of a run that goes on, has ended, or has failed, with the callback `Doctor` or not.

    Raises:
        RunError: no run there, a damaged file, or nothing logged yet.
    """
    return examine(Evidence.read(folder))


def examine(run: Evidence) -> list[Finding]:
    """See `diagnose`."""
    problems = [found for check in PROBLEMS if (found := check(run))]
    advice = [] if _has_failed(run) else [found for found in [_course(run)] if found]
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
    """The findings for a reader at a terminal."""
    lines: list[str] = []
    for finding in (f for f in findings if f.kind != "unknown"):
        lines.append(f"{finding.condition.replace('_', ' ').upper()}  {finding.explanation}")
        lines += [f"  because  {text}" for text in finding.evidence]
        lines += [f"  try      {text}" for text in finding.remedies]
    if unknown := [f for f in findings if f.kind == "unknown"]:
        lines.append("What cannot be told:")
        lines += [f"  - {finding.explanation}" for finding in unknown]
    return "\n".join(lines)


# --- nothing wrong, and whether to go on -------------------------------------------------------


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
        why = "too little was looked at" if too_few else "the samples are too poor"
        return Finding(
            "undecided",
            f"Nothing wrong is seen in the game, but {why} to call the run healthy.",
            [f"{len(run.rows)} rows of the log, {run.examples:,} examples.", *_modes(run)],
            kind="advice",
        )
    seen = []
    for name, says in (
        ("doctor/separation", "P(real scores above generated) is {:.2f} of late."),
        ("doctor/gradient/generator", "The generator's gradient has norm {:.2g} of late."),
        ("doctor/pairwise_distance", "Samples are {:.2f} times as far apart as real ones."),
    ):
        if run[name]:
            seen.append(says.format(run[name].now))
    explanation = "Nothing wrong is seen in this run."
    return Finding("healthy", explanation, [*seen, *_modes(run)], kind="advice")


def _modes(run: Evidence) -> list[str]:
    return ["{:.0f} of {} modes or classes are found.".format(*run.modes)] if run.modes else []


def _course(run: Evidence) -> Finding | None:
    """Whether the score improves."""
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
            f"It has not improved for {since:,} examples: stop, or change something.",
            seen,
            [
                take_best,
                "Lower the learning rates towards the end (ganlab.core.Ramp).",
                "Spend the time on another seed or setting.",
            ],
            "advice",
        )
    if sign * (best - curve.values[-1]) > WORSE * abs(best):
        return Finding(
            "past_its_best",
            f"It has become worse since its best, {since:,} examples ago.",
            seen,
            [take_best, "Lower the learning rates towards the end (ganlab.core.Ramp)."],
            "advice",
        )
    last_gain = f"the last gain of more than {GAIN:.0%} is {since:,} examples ago"
    rates = [run[f"{player}.lr"] for player in run.players]
    if any(rate and rate.values[-1] <= ENDED * max(rate.values) for rate in rates):
        again = "Begin anew with a longer budget: in this run a learning rate has come to its end."
    else:
        again = "Go on: ganlab train run=… resume=true budget.examples=…"
    return Finding(
        "still_improving", f"It is still improving, go on: {last_gain}.", seen, [again], "advice"
    )


# --- what cannot be told -----------------------------------------------------------------------


def _unknown(run: Evidence) -> list[Finding]:
    """What the log has nothing about."""
    sentences = []
    looked = run["doctor/pairwise_distance"]
    if not run.names("doctor/"):
        sentences.append(
            "gradients, the discriminator's accuracy, and samples: the run had no doctor "
            "(callbacks.doctor), only its losses and scores are known."
        )
    elif not looked:
        sentences.append(
            "how samples are: none were looked at yet (callbacks.doctor.every_examples)."
        )
    elif not run["doctor/separation"]:
        sentences.append("how well the discriminator tells: the family lets no scores be watched.")
    if 0 < len(run["doctor/separation"]) < ROWS:
        sentences.append(f"how the game goes: {len(run['doctor/separation'])} rows are too few.")
    if run.is_critic and run["doctor/separation"]:
        sentences.append(
            "accuracies: with this loss scores have no boundary between real and generated, only "
            "their differences count; nor is it said when such a critic is too strong."
        )
    sentences += _unknown_scores(run)
    if run.modes is None:
        sentences.append("which kinds are missing: no modes or classes are counted in the samples.")
    if looked:
        total, seen = (run[f"doctor/{kind}_examples"].newest for kind in ("training", "compared"))
        sentences.append(
            f"memorisation beyond pixels: {seen:,} of {total:,} training examples were compared as "
            "they are, so shifted, mirrored or otherwise changed copies are not found; nor is the "
            "discriminator shown real examples that it was not trained on."
        )
        if ((run.config.get("model") or {}).get("generator") or {}).get("classes"):
            sentences.append(
                "collapse within a class: distances are taken over all classes at once."
            )
    return [Finding("unknown", text, kind="unknown") for text in sentences]


def _unknown_scores(run: Evidence) -> list[str]:
    score = run.score()
    if score is None:
        return ["how good the samples are: no score is known; losses do not tell."]
    if len(score[1]) < POINTS:
        return [
            f"whether it still improves: {score[0]} was taken {len(score[1])} times, and a course "
            f"needs {POINTS} (callbacks.evaluation.every_examples)."
        ]
    return []
