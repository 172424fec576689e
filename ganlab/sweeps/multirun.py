"""`ganlab train -m`: plan the jobs of a sweep, and launch them."""

from __future__ import annotations

import sys
from typing import Any

from ganlab.errors import ConfigError
from ganlab.sweeps import plan


def sweep(argv: list[str]) -> int:
    """Plan and launch the jobs of a sweep; returns 0 when all of them finished.

    A job that fails says so at once, and in its run.json; the others go on. Ctrl-C ends the sweep.

    Raises:
        ConfigError: overrides that no job can be composed of; nothing has been written then.
    """
    from ganlab.config.sweeps import is_of_hydra, with_sweep
    from ganlab.sweeps.launch import launch
    from ganlab.sweeps.launchers import check_launcher

    plan.check_started_once()
    overrides = [text for text in argv if text not in ("-m", "--multirun")]
    settings = [text for text in overrides if is_of_hydra(text)]
    name, overrides = with_sweep([text for text in overrides if text not in settings])
    given = [w.partition("=")[2] for w in argv if w.startswith(("run_dir=", "hydra.sweep.dir="))]
    overrides = [text for text in overrides if not text.startswith("run_dir=")]
    for text in overrides:
        if text.startswith(("run=", "resume=")):
            raise ConfigError(f"{text}: a sweep is continued by `ganlab sweep resume DIR`.")
    check_launcher(settings)
    jobs = plan.expand(overrides)
    first = plan.first_that_composes(jobs)
    name = name or plan.name_of(jobs)
    if first["dry_run"]:
        return _dry_run(jobs, first, given)
    if len(jobs) == 1:
        print("ganlab: 1 job; write key=a,b,c for several.", file=sys.stderr)
    folder = plan.write(given, name, settings, jobs)
    return launch(folder, settings)


def _dry_run(jobs: list[list[str]], first: dict[str, Any], given: list[str]) -> int:
    """Say which jobs there would be, and what the first of them would do."""
    from ganlab.config.moved_folder import relocated
    from ganlab.estimate.dry_run import dry_run

    print(f"{len(jobs)} jobs:")
    for number, overrides in enumerate(jobs):
        print(f"  {number}  {' '.join(text for text in overrides if 'dry_run' not in text)}")
    folder = given[-1] if given else f"outputs/{first['name']}/<date>_<time>"
    print("\nEach of them about as the first that can be composed:\n", flush=True)
    return dry_run(relocated(first, first["run_dir"], f"{folder}/0"))
