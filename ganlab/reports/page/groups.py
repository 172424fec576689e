"""The groups of a comparison for the web page: the table of `ganlab compare`, with spreads."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ganlab.reports.comparison.comparison import Comparison
from ganlab.reports.comparison.table import Group, Table


def groups(comparison: Comparison, table: Table) -> dict[str, Any]:
    """Return the table as the page's scripts read it: runs as indices, settings as text.

    Args:
        comparison: the runs.
        table: the table of these runs.
    """
    numbers = {run.label: number for number, run in enumerate(comparison.runs)}

    def as_data(group: Group) -> dict[str, Any]:
        values = group.values.values()
        return {
            "values": [None if value is None else text_of(value) for value in values],
            "runs": [numbers[run.label] for run in group.runs],
            "scores": {name: asdict(spread) for name, spread in group.scores.items() if spread},
            "seconds": group.seconds,
            "examples": group.examples_seen,
            "memory": group.peak_memory_mib,
            "states": ", ".join(f"{n} {state}" for state, n in group.states.items()),
        }

    parts = [
        {
            "protocol": part.protocol,
            "protocol_name": part.protocol_name,
            "better": part.better,
            "groups": [as_data(group) for group in part.groups],
        }
        for part in table.parts
    ]
    return {
        "keys": list(table.keys),
        "score": table.score,
        "others": list(table.others),
        "unlike": table.unlike,
        "isSplit": table.is_split,
        "parts": parts,
    }


def text_of(value: Any) -> str:
    """Return the value of a setting as text: JSON, except that strings stay unquoted."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
