"""The summary that a finished run prints."""

from __future__ import annotations

from pathlib import Path

from ganlab.record.run import read_record


def best_picture(folder: Path) -> Path | None:
    """Return the sample picture from the time of the best score.

    If there is no such picture, the newest picture is returned; without pictures, None.
    """
    pictures = sorted(p for p in (folder / "samples").glob("*.png") if p.stem.isdecimal())
    best = (read_record(folder).get("best") or {}).get("examples_seen")
    at_best = [picture for picture in pictures if int(picture.stem) == best]
    return (at_best or pictures or [None])[-1]


def summary(folder: Path) -> str:
    """Return a text that says where the run's files are and what its scores mean."""
    record = read_record(folder)
    counters = record["counters"]
    lines = [
        f"Finished: {counters['examples_seen']:,} examples, {record['seconds'] / 60:.1f} minutes.",
        f"  folder    {folder}",
    ]
    if picture := best_picture(folder):
        is_best = int(picture.stem) == (record.get("best") or {}).get("examples_seen")
        best = " (the best by score)" if is_best else ""
        lines.append(f"  samples   {picture}{best}")
    if (sheet := folder / "contact_sheet.png").exists():
        lines.append(f"  history   {sheet}")
    if (curves := folder / "curves.png").exists():
        lines.append(f"  curves    {curves}")
    if seconds := record.get("evaluation_seconds"):
        lines.append(f"  scoring   {seconds:.1f} s, {seconds / record['seconds']:.0%} of the time")
    explained = [score["words"] for score in record["scores"].values() if score.get("words")]
    lines += [f"  {text}" for text in explained]
    lines += _diagnosis(folder)
    return "\n".join(lines)


def _diagnosis(folder: Path) -> list[str]:
    """Return the doctor's first finding as lines; no lines if the run has no metrics.csv."""
    from ganlab.errors import RunError
    from ganlab.reports.doctor.diagnosis import diagnose

    try:
        return [f"  {diagnose(folder)[0].explanation}", f"  More: ganlab doctor run={folder}"]
    except RunError:
        return []
