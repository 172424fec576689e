"""The table of `ganlab compare` as plain text, for a terminal or a log."""

from __future__ import annotations

import textwrap
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from ganlab.printable import one_line
from ganlab.reports.comparison.facts import NOT_PROTOCOL, ComparedRun, Comparison
from ganlab.reports.comparison.settings import short_names
from ganlab.reports.comparison.table import Group, Part, Spread, Table

WIDTH = 100
OTHERS = 4  # maximum number of scores in the table besides the main score
FEWEST = 2  # settings with a dotted key, or else scores, that are shown even if it gets too wide
LINES = 12  # maximum number of notes, and of reasons of failures, that are printed
LETTERS = 240  # maximum number of characters of an error's first line
NO_VALUE = "–"

Column = tuple[str, Callable[[Group], str], bool]  # heading, cell, whether it is right-aligned


def render(comparison: Comparison, table: Table, width: int = WIDTH) -> str:
    """Return the output of `ganlab compare`: a title, the table, errors of runs, and notes.

    Settings that are equal in all groups of a part stand above the part, not in a column.

    Args:
        comparison: the runs.
        table: the table of these runs.
        width: the terminal's width in characters. If a part of the table is wider, first further
            scores and then settings that were not chosen with --group-by are left out of it;
            without a main score, first such settings.
    """
    is_chosen = table.keys != comparison.varying  # with --group-by
    fitted = [_fitted(table, part, is_chosen, width) for part in table.parts]
    known = {key for shown in fitted for key in (*shown.equal, *shown.keys)}
    keys = [key for key in table.keys if key in known]
    others = max((shown.others for shown in fitted), key=len, default=())
    blocks = ["\n".join(_wrapped(_title(comparison, table, keys, others), width))]
    for shown, part in zip(fitted, table.parts, strict=True):
        lines = _wrapped([_protocol(part)], width, "  ") if part.protocol else []
        if not part.protocol and table.score and len(table.parts) > 1:
            lines = [f"Without {table.score}:"]
        if texts := [f"{k} {_value(v)}" for k, v in shown.equal.items() if v is not None]:
            lines += _wrapped([f"Equal in all: {', '.join(texts)}"], width, "  ")
        widths = _widths(shown.columns, part.groups)
        rows = [[heading for heading, _, _ in shown.columns]]
        rows += [[cell(group) for _, cell, _ in shown.columns] for group in part.groups]
        lines += [_line(row, shown.columns, widths) for row in rows]
        blocks.append("\n".join(lines))
    blocks += _errors(comparison.runs, width)
    if table.notes or comparison.notes:
        notes = [*table.notes, *_cut(comparison.notes, "notes")]
        blocks.append("\n".join(_wrapped((f"Note: {note}" for note in notes), width, "  ")))
    return "\n\n".join(blocks)


@dataclass(frozen=True)
class _Fitted:
    """What is shown of a part.

    Attributes:
        equal: the settings that are equal in all groups of the part; empty for a single group.
        keys: the other settings for which there is room.
        others: the further scores for which there is room.
        columns: the columns.
    """

    equal: dict[str, Any]
    keys: Sequence[str]
    others: Sequence[str]
    columns: list[Column]


def _fitted(table: Table, part: Part, is_chosen: bool, width: int) -> _Fitted:
    """Return what is shown of a part; `is_chosen` says that all its settings are."""
    groups = part.groups
    equal = {
        key: value
        for key, value in groups[0].values.items()
        if len(groups) > 1 and all(repr(group.values[key]) == repr(value) for group in groups)
    }
    equal = {} if is_chosen else equal
    differing = keys = [key for key in table.keys if key not in equal]
    have = {name for group in groups for name, spread in group.scores.items() if spread}
    others = [name for name in table.others if name in have][:OTHERS]

    def columns() -> list[Column]:
        is_named = table.is_split or len(keys) < len(differing)
        is_named = is_named or all(len(group.runs) == 1 for group in groups)
        return _columns(table, groups, keys, others, is_named)

    while others and table.score and _width(columns(), groups) > width:
        others = others[:-1]
    fewest = FEWEST if table.score else 0
    while not is_chosen and sum("." in key for key in keys) > fewest:
        if _width(columns(), groups) <= width:
            break
        keys = keys[:-1]
    while len(others) > FEWEST and _width(columns(), groups) > width:
        others = others[:-1]
    return _Fitted(equal, keys, others, columns())


def _title(
    comparison: Comparison, table: Table, keys: Sequence[str], others: Sequence[str]
) -> list[str]:
    """Return the lines above the table: number of runs, keys, score, and whether it is ranked."""
    counts = [Counter(repr(group.values) for group in part.groups) for part in table.parts]
    n = reduce(or_, counts, Counter()).total()  # a group counts once, however many parts it is in
    runs = len(comparison.runs)
    by = ", ".join([*keys, *(["examples seen"] if table.is_split else [])])
    if not by and runs > 1:
        is_seed = n == 1 and len({run.seed for run in comparison.runs}) > 1
        by = "the seed alone differs" if is_seed else "no setting is known to differ"
    if more := len(table.keys) - len(keys):
        by += f", and {more} more settings (shown by --html FILE and --json FILE)"
    by = f": {by}" if by else ""
    lines = [f"{runs} run{'s' * (runs > 1)} in {n} group{'s' * (n > 1)}{by}"]
    if table.score is None:
        return lines
    better = next((part.better for part in table.parts if part.better), None)
    what = f"Score: {table.score}" + (f", {better} is better" if better else "")
    further = f"; also {', '.join(others)}" if others else ""
    more = len(table.others) - len(others)
    further += f" ({more} more with --score)" if more else ""
    lines.append(what + further + ".")
    if table.unlike:
        lines.append(
            f"Not ranked against each other, because {table.score} was taken by different "
            f"protocols: {table.unlike}. Below, groups of one protocol are listed together."
        )
    elif better is None:
        lines.append("Not ranked: it is unknown whether higher or lower is better.")
    elif n > 1:
        lines.append("Ranked, the best mean first.")
    return lines


def _columns(
    table: Table,
    groups: Sequence[Group],
    keys: Sequence[str],
    others: Sequence[str],
    is_named: bool,
) -> list[Column]:
    """Return the columns of a part; `is_named` says whether a column names each group's run."""
    names = short_names(keys, ("n", "runs", "mean", "sd", "minutes", "examples", "MiB", "status"))
    columns: list[Column] = []
    if is_named:
        columns.append(("run", _labels, False))
    elif not keys:
        columns.append(("runs", _names, False))
    for key in keys:
        is_number = all(isinstance(g.values[key], (int, float, type(None))) for g in groups)
        columns.append((names[key], lambda group, key=key: _value(group.values[key]), is_number))
    if table.score:
        spreads = [spread for group in groups if (spread := group.scores.get(table.score))]
        spread_columns = [
            ("sd", lambda group: _of(group, table.score, _deviation), True),
            ("95 % interval", lambda group: _of(group, table.score, _interval), True),
        ]
        score_columns = [
            ("n", lambda group: _of(group, table.score, lambda s: str(s.n)), True),
            ("mean", lambda group: _of(group, table.score, lambda s: f"{s.mean:.4g}"), True),
            *(spread_columns if any(spread.n > 1 for spread in spreads) else []),
        ]
        columns += score_columns if spreads else []
    for name in others:
        columns.append((name, lambda group, name=name: _of(group, name, _short), True))
    on_gpu = [("GPU MiB", lambda group: _whole(group.peak_gpu_memory_mib), True)]
    return [
        *columns,
        ("minutes", lambda group: _minutes(group.seconds), True),
        ("examples", lambda group: _count(group.examples_seen), True),
        ("MiB", lambda group: _whole(group.peak_memory_mib), True),
        *(on_gpu if any(group.peak_gpu_memory_mib is not None for group in groups) else []),
        ("status", lambda group: ", ".join(f"{n} {s}" for s, n in group.states.items()), False),
    ]


def _of(group: Group, score: str, as_text: Callable[[Spread], str]) -> str:
    spread = group.scores.get(score)
    return as_text(spread) if spread else NO_VALUE


def _deviation(spread: Spread) -> str:
    return NO_VALUE if spread.deviation is None else f"{spread.deviation:.2g}"


def _interval(spread: Spread) -> str:
    if spread.interval is None:
        return NO_VALUE
    low, high = spread.interval
    return f"{low:.4g} … {high:.4g}"


def _short(spread: Spread) -> str:
    more = "" if spread.deviation is None else f" ± {spread.deviation:.1g}"
    return f"{spread.mean:.3g}{more}"


def _names(group: Group) -> str:
    return ", ".join(dict.fromkeys(run.name for run in group.runs))


def _labels(group: Group) -> str:
    more = len(group.runs) - 1
    return group.runs[0].label + (f" + {more}" if more else "")


def _value(value: Any) -> str:
    if value is None:
        return NO_VALUE
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 32 else f"{text[:15]}…{text[-16:]}"


def _whole(value: float | None) -> str:
    return NO_VALUE if value is None else f"{value:,.0f}"


def _minutes(seconds: float | None) -> str:
    """Return seconds as minutes with three significant digits: 2 seconds are 0.0333."""
    if seconds is None or seconds >= 6000:
        return _whole(seconds and seconds / 60)
    return f"{seconds / 60:#.3g}"


def _count(value: float | None) -> str:
    """Return a number with k or M, e.g. 51.2k."""
    if value is None:
        return NO_VALUE
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.0f}"


def _widths(columns: Sequence[Column], groups: Sequence[Group]) -> list[int]:
    return [
        max(len(heading), *(len(cell(group)) for group in groups)) for heading, cell, _ in columns
    ]


def _width(columns: Sequence[Column], groups: Sequence[Group]) -> int:
    widths = _widths(columns, groups)
    return sum(widths) + 2 * (len(widths) - 1)


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = [
        one_line(f"{text:>{width}}" if is_right else f"{text:<{width}}")
        for text, (_, _, is_right), width in zip(cells, columns, widths, strict=True)
    ]
    return "  ".join(padded).rstrip()


def _protocol(part: Part) -> str:
    """Return a part's protocol as one line, without the entries in `NOT_PROTOCOL`."""
    entries = [
        f"{key} {'none' if value is None else value}"
        for key, value in part.protocol.items()
        if key not in NOT_PROTOCOL
    ]
    return f"Protocol {part.protocol_name}: {', '.join(entries)}".replace("Protocol :", "Protocol:")


def _errors(runs: Iterable[ComparedRun], width: int) -> list[str]:
    """Return a block of the reasons why runs failed, each reason once; empty if none failed."""
    labels = defaultdict(list)
    for run in runs:
        if run.state == "failed":
            reason = (run.error or "no reason was recorded").strip().splitlines()[0]
            labels[reason].append(run.label)
    lines = []
    for reason, failed in labels.items():
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        text = reason if len(reason) <= LETTERS else f"{reason[:LETTERS]} …"
        lines.append(f"Failed: {failed[0]}{more}: {text}")
    return ["\n".join(_wrapped(_cut(lines, "reasons"), width, "  "))] if lines else []


def _cut(lines: Sequence[str], what: str) -> list[str]:
    if len(lines) <= LINES:
        return list(lines)
    return [*lines[:LINES], f"… and {len(lines) - LINES} more {what} (--json FILE has all)."]


def _wrapped(texts: Iterable[str], width: int, indent: str = "") -> list[str]:
    options = {"break_long_words": False, "break_on_hyphens": False, "subsequent_indent": indent}
    return [line for text in texts for line in textwrap.wrap(text, width, **options)]
