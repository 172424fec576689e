"""Tables of the state and progress of a sweep's jobs."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from ganlab.printable import one_line
from ganlab.record.states import state_and_record
from ganlab.record.sweep import jobs_of


def status_table(folder: Path) -> tuple[str, Counter[str]]:
    """Return a table with a line for each job, and the number of jobs per state.

    Raises:
        RunError: the folder holds no sweep, or its sweep.json is damaged.
    """
    rows, counts = [], Counter[str]()
    for job in jobs_of(folder):
        state, record = state_and_record(job.folder)
        counts[state] += 1
        rows.append([str(job.number), state, _progress(record), one_line(" ".join(job.differing))])
        if error := record.get("error"):
            rows[-1][-1] += f"\n{' ' * 8}{str(error).splitlines()[0][:160]}"
    heads = ["job", "state", "examples", "what differs"]
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in (0, 1, 2)]
    lines = [
        f"{row[0]:>{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}"
        for row in [heads, *rows]
    ]
    return "\n".join(lines), counts


def print_end(folder: Path, interrupted: bool) -> int:
    """Print the final state of a sweep and the next commands; return the exit code.

    Returns:
        0 if all jobs finished, else 130 if `interrupted`, else 1.
    """
    table, counts = status_table(folder)
    print(table)
    print(f"{describe_counts(counts)}. The sweep is in {folder}.")
    if any(state_and_record(job.folder)[1].get("scores") for job in jobs_of(folder)):
        print(f"  ganlab compare {folder}")
    if set(counts) == {"finished"}:
        return 0
    print(f"  ganlab sweep resume {folder}", file=sys.stderr)
    return 130 if interrupted else 1


def describe_counts(counts: Counter[str]) -> str:
    """Return the number of jobs per state as text: "4 jobs: 2 finished, 2 failed"."""
    total = sum(counts.values())
    states = ", ".join(f"{n} {state}" for state, n in counts.most_common())
    return f"{total} job{'s' * (total != 1)}: {states}"


def _progress(record: dict[str, Any]) -> str:
    seen = (record.get("counters") or {}).get("examples_seen")
    return f"{seen:,}" if seen else "–"
