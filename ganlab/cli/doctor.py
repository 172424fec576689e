"""`ganlab doctor`: diagnose the training of a run."""

from __future__ import annotations

from pathlib import Path

from ganlab.cli.arguments import REQUIRED, Argument, parse, usage, wants_help

ARGUMENTS = {"run": Argument(Path, "the run's folder, outputs/…", REQUIRED)}


def main(argv: list[str]) -> int:
    """Print the diagnosis, and write it to `doctor.json` in the run's folder."""
    if wants_help(argv):
        purpose = "diagnose a run that is training, finished or failed, and say what to change."
        print(usage("doctor", purpose, ARGUMENTS))
        return 0
    folder = parse(argv, ARGUMENTS)["run"]
    from ganlab.reports.doctor.diagnosis import as_text, examine, write_findings
    from ganlab.reports.doctor.evidence import Evidence

    run = Evidence.read(folder)
    findings = examine(run)
    name = run.record.get("name", folder)
    print(f"{name}: {run.record['status']}, {run.examples:,} examples in the log.")
    print(as_text(findings))
    print(f"Wrote {write_findings(folder, findings, run.examples)}")
    return 0
