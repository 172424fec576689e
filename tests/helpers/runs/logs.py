"""Invented logs of runs, for tests of the doctor."""

from ganlab.reports.doctor.diagnosis import examine
from ganlab.reports.doctor.evidence import Evidence

LOSS = {"adversarial": {"_target_": "ganlab.losses.NonSaturating"}}
ROWS = 30
HEALTHY = {
    "discriminator/adversarial": 1.3,
    "generator/adversarial": 0.8,
    "discriminator/steps": 100,
    "generator/steps": 100,
    "doctor/gradient/discriminator": 1.0,
    "doctor/gradient/generator": 0.3,
    "doctor/change/discriminator": 0.005,
    "doctor/change/generator": 0.005,
    "doctor/separation": 0.7,
    "doctor/real_accuracy": 0.6,
    "doctor/fake_accuracy": 0.6,
    "doctor/pairwise_distance": 0.98,
    "doctor/nearest_generated": 1.0,
    "doctor/nearest_training": 1.2,
    "doctor/training_examples": 5000,
    "doctor/compared_examples": 5000,
}


def log(changes=(), rows=ROWS, record=None, **config):
    """Return the evidence of a healthy run with some columns changed.

    Args:
        changes: maps a column to a number, to a list that is spread over the rows ([a, b] changes
            in the middle), or to None to leave the column out.
    """
    columns = HEALTHY | dict(changes)

    def value(given, index):
        return given[index * len(given) // rows] if isinstance(given, list) else given

    made = [
        {"examples_seen": 1000 * (i + 1)}
        | {name: value(given, i) for name, given in columns.items() if given is not None}
        for i in range(rows)
    ]
    return Evidence(made, {"status": "finished", **(record or {})}, {"loss": LOSS, **config})


def main_finding(*args, **options):
    return examine(log(*args, **options))[0]


def scored(curve, name="frechet_distance_digits", **changes):
    """Return a run with the scores of `curve`, one in every tenth row."""
    run = log(changes, rows=10 * len(curve))
    for row, value in zip(run.rows[9::10], curve, strict=True):
        row[name] = value
    return run


def conditions_of(run):
    return [finding.condition for finding in examine(run) if finding.kind != "unknown"]
