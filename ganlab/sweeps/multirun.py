"""`ganlab train -m`: plan the jobs of a sweep, and launch them."""

from __future__ import annotations

import sys
from typing import Any

from ganlab.errors import ConfigError
from ganlab.sweeps import plan


def sweep(argv: list[str]) -> int:
    """Plan and launch the jobs of a sweep; return 0 if all jobs finished.

    A failed job prints its error and records it in run.json; the other jobs continue. Ctrl-C stops
    the sweep.

    Raises:
        ConfigError: an argument is wrong, or no job has a valid configuration; nothing has been
            written then.
        RunError: the sweep's folder is in use or cannot be written, or no job can be started.
    """
    from ganlab.config.reads import warn_of_repeated
    from ganlab.config.sweeps import is_of_hydra, merge_sweep
    from ganlab.sweeps.launch import launch
    from ganlab.sweeps.launchers import check_launcher

    plan.check_started_once()
    overrides = [text for text in argv if text not in ("-m", "--multirun")]
    warn_of_repeated(overrides)
    settings = [text for text in overrides if is_of_hydra(text)]
    name, overrides = merge_sweep([text for text in overrides if text not in settings])
    folders = [w.partition("=")[2] for w in argv if w.startswith(("run_dir=", "hydra.sweep.dir="))]
    if folders and ("," in folders[-1] or not folders[-1]):
        raise ConfigError(
            f"run_dir: received {folders[-1]!r}; needs one folder, which gets a sub-folder for "
            "each run of the sweep."
        )
    overrides = [text for text in overrides if not text.startswith("run_dir=")]
    for text in overrides:
        if text.startswith(("run=", "resume=")):
            raise ConfigError(
                f"{text}: not for sweeps; resume a sweep with `ganlab sweep resume DIR`."
            )
    check_launcher(settings)
    jobs = plan.expand(overrides)
    first = plan.first_that_composes(jobs)
    name = name or plan.name_of(jobs)
    if first["dry_run"]:
        return _dry_run(jobs, first, folders)
    if len(jobs) == 1:
        print("ganlab: 1 job; for several jobs write key=a,b,c.", file=sys.stderr)
    folder = plan.write(folders, name, settings, jobs)
    return launch(folder, settings)


def _dry_run(jobs: list[list[str]], first: dict[str, Any], folders: list[str]) -> int:
    """List the jobs, print what the first valid job would do, and return the exit code."""
    from ganlab.estimate.dry_run import dry_run
    from ganlab.record.stored import relocated

    print(f"{len(jobs)} jobs:")
    for number, overrides in enumerate(jobs):
        print(f"  {number}  {' '.join(text for text in overrides if 'dry_run' not in text)}")
    folder = folders[-1] if folders else f"outputs/{first['name']}/<date>_<time>"
    print("\nThe first job with a valid configuration, as an example:\n", flush=True)
    return dry_run(relocated(first, first["run_dir"], f"{folder}/0"))
