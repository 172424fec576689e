"""From the arguments of `ganlab train` to a trained model, or a lesson in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganlab.config.compose import compose, to_plain
from ganlab.errors import ConfigError
from ganlab.runs.resume import continued


def prepare(overrides: list[str]) -> tuple[dict[str, Any], bool]:
    """What `ganlab train` makes of its arguments: `train(*prepare(["experiment=quickstart"]))`.

    Args:
        overrides: as on the command line; `run=DIR` with `resume=true` continues a run.

    Returns:
        The plain configuration, with a new folder in run_dir unless one is named, and whether it
        continues a run.

    Raises:
        ConfigError, RunError: whatever is wrong with the overrides.
    """
    values = dict(text.partition("=")[::2] for text in overrides)
    if "sweep" in values:
        raise ConfigError("sweep: is for several runs; add -m, or use `ganlab tune`.")
    if values.get("run") and values.get("resume", "").lower() in ("true", "1", "yes"):
        return continued(Path(values["run"]), overrides), True
    if values.get("run"):
        raise ConfigError(
            "run: is for continuing a run; add resume=true, or use run_dir= to name a folder."
        )
    config = compose(overrides)
    config.run_dir = str(config.run_dir or new_folder(config.name))
    plain = to_plain(config)
    if plain.get("resume"):
        if not values.get("run_dir"):
            raise ConfigError("resume: needs run=DIR, the folder of the run to continue.")
        return continued(Path(plain["run_dir"]), [], plain), True
    return plain, False


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
        raise ConfigError(
            "dry_run: train() has no dry run; ganlab.estimate.dry_run has. It is for all runs of a "
            "sweep or for none: set dry_run=false."
        )
    from ganlab.config.checks import check

    check(config)
    if config.get("lesson"):
        from ganlab.runs.lesson import run_lesson

        return run_lesson(config)
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
