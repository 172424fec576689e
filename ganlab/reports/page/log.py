"""What a page shows of a run's log: its rows as curves, and the doctor's findings."""

from __future__ import annotations

from typing import Any

from ganlab.errors import GanlabError
from ganlab.record.log import read_metrics
from ganlab.reports.comparison.facts import ComparedRun
from ganlab.reports.doctor.diagnosis import examine
from ganlab.reports.doctor.evidence import Evidence
from ganlab.reports.page.curves import curves, read_times

REMOTE = "This run was read from Weights & Biases: see its curves and pictures on that site."


def read_log(run: ComparedRun) -> tuple[list[dict[str, float]], dict[str, Any], list[str]]:
    """Return the rows of a run's log, the doctor's findings, and notices of unreadable files.

    The findings are {"findings": …}, or {"why": the reason} if the run cannot be diagnosed.
    """
    if run.folder is None:
        return [], {"why": REMOTE}, []
    try:
        evidence = Evidence.read(run.folder)
        return evidence.rows, {"findings": [f.as_dict() for f in examine(evidence)]}, []
    except GanlabError as error:
        why = str(error)
    except Exception as error:  # a file that was edited by hand may hold anything
        why = f"The run cannot be diagnosed: {type(error).__name__}: {error}"
    try:
        return read_metrics(run.folder), {"why": why}, []
    except (OSError, ValueError, KeyError, TypeError, GanlabError) as error:
        return [], {"why": why}, [f"metrics.csv cannot be read: {error}"]


def curves_of(
    run: ComparedRun, rows: list[dict[str, float]], runs: int, notices: list[str]
) -> dict[str, Any]:
    """Return a run's curves, see `curves`.

    Args:
        run: the run.
        rows: the rows of its log.
        runs: the number of runs in the page.
        notices: if the curves cannot be drawn, they are empty and the reason is appended to it.
    """
    if run.folder is not None:
        try:
            times = read_times(run.folder, run.examples_seen, run.batches_seen, run.seconds)
            return curves(rows, times, runs)
        except Exception as error:  # a file that was edited by hand may hold anything
            notices.append(f"its curves cannot be drawn: {type(error).__name__}: {error}")
    return {"axes": [], "series": {}, "times": [[], [], []]}
