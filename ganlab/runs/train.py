"""Trains from a plain configuration: a model, or a study in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganlab.errors import ConfigError


def train(config: dict[str, Any], resume: bool = False, *callbacks: Any) -> int:
    """Train from a plain configuration; returns 0 when finished, 130 when interrupted.

    Args:
        config: plain and resolved.
        resume: go on from the newest checkpoint in its run_dir.
        *callbacks: of Lightning, beside the configuration's.

    Raises:
        GanlabError: what a user can mend; the record says so too. A ConfigError for a dry run,
            which `ganlab.estimate.dry_run` makes.
    """
    if config.get("dry_run"):
        raise ConfigError("dry_run: is for all runs of a sweep or for none; set dry_run=false.")
    from ganlab.config.checks import check

    check(config)
    if config.get("study"):
        from ganlab.runs.study import run_study

        return run_study(config)
    from ganlab.runs.session import Session

    with Session(config, resume, *callbacks) as session:
        session.fit()
    return session.exit_code


def new_folder(name: str) -> Path:
    """outputs/<name>/<date>_<time>, with a number where two runs start in one second."""
    import os
    import time

    from ganlab.ranks import agreed

    if pinned := os.environ.get("GANLAB_RUN_DIR"):  # a further rank of a run that has begun
        return Path(pinned)
    base = Path("outputs") / name / time.strftime("%Y-%m-%d_%H-%M-%S")
    folder, number = base, 1
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}_{number}")
    return Path(agreed(str(folder)))
