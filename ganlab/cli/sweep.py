"""`ganlab train -m`: one run for each combination of values, by Hydra's launchers.

A sweep is a folder of planned runs: all of them are written down before the first is trained, so
that one that is killed is continued by `ganlab sweep resume`.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganlab.errors import ConfigError, RunError


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Attributes:
        number: from 0 on.
        folder: of the run.
        overrides: all of them, as for `ganlab train`.
        differing: those in which the jobs differ.
    """

    number: int
    folder: Path
    overrides: list[str]
    differing: list[str]


def sweep(argv: list[str]) -> int:
    """Plan and launch the jobs of a sweep; returns 0 when all of them finished.

    A job that fails says so at once, and in its run.json; the others go on. Ctrl-C ends the sweep.

    Raises:
        ConfigError: overrides that no job can be composed of; nothing has been written then.
    """
    from ganlab.cli.launch import check_launcher, launch, launcher_of
    from ganlab.cli.plan import with_sweep

    words = [word for word in argv if word not in ("-m", "--multirun")]
    hydra_words = [word for word in words if word.startswith(("hydra.", "hydra/"))]
    name, words = with_sweep([word for word in words if word not in hydra_words])
    words = [w for w in words if not w.startswith("run_dir=")]
    check_launcher(launcher_of(hydra_words))
    jobs = expand(words)
    _check_one_composes(jobs)
    if any(word.lower() in ("dry_run=true", "dry_run=1", "dry_run=yes") for word in words):
        return _dry_run(jobs)
    folder = _folder(argv, name or _name_of(words))
    _write(folder, name or _name_of(words), hydra_words, jobs)
    plan_missing(folder)
    return launch(folder, hydra_words)


def expand(words: list[str]) -> list[list[str]]:
    """The overrides of each job, in Hydra's order: the last key changes fastest.

    Raises:
        ConfigError: a text that cannot be read, a choice that is not there, a sweep without end.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from ganlab.cli.compose import CONF, check_choice, spelled_out

    parser, overrides = OverridesParser.create(), []
    for text in map(spelled_out, words):
        if text.startswith("-"):
            raise ConfigError(f"{text}: there is no such option; write key=value, see --help.")
        try:
            override = parser.parse_override(text)
        except HydraException:
            raise ConfigError(f"{text}: cannot be read; write key=value or key=a,b,c.") from None
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise ConfigError(
                f"{text}: a sweep needs single values, key=a,b,c or key=range(1,4). To search an "
                "interval use ganlab tune."
            )
        group = override.key_or_group.split("@")[0]
        if override.is_sweep_override() and (CONF / group).is_dir():
            for value in override.sweep_string_iterator():
                if not value.startswith("["):
                    check_choice(group, value)
        overrides.append(override)
    return BasicSweeper.split_arguments(overrides, None)[0]


def read_sweep_file(folder: Path) -> dict[str, Any]:
    """The contents of a sweep's sweep.json.

    Raises:
        RunError: no sweep there, or a damaged file.
    """
    path = folder / "sweep.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(
            f"sweep: {folder} is not a sweep's folder (it has no sweep.json). Sweeps are in "
            "outputs/<name>/<date>_<time>/."
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"sweep: {path} is damaged: {error}.") from error


def jobs_of(folder: Path) -> list[Job]:
    """The jobs of a sweep, in order.

    Raises:
        RunError: see `read_sweep_file`.
    """
    listed = read_sweep_file(folder)["jobs"]
    first = set(listed[0]["overrides"]).intersection(*(job["overrides"] for job in listed))
    return [
        Job(
            entry["job"],
            folder / entry["folder"],
            entry["overrides"],
            [text for text in entry["overrides"] if text not in first],
        )
        for entry in listed
    ]


def plan_missing(folder: Path) -> None:
    """Plan the jobs that have not been; those that do not compose are written down as failed.

    Raises:
        RunError: the folder cannot be written.
    """
    from ganlab.cli.plan import plan

    content, jobs = read_sweep_file(folder), jobs_of(folder)
    missing = [job for job in jobs if not _is_planned(job.folder)]
    if len(missing) > 20:
        print(f"ganlab: planning {len(missing)} runs …", file=sys.stderr, flush=True)
    for job in missing:
        (job.folder / "run.json").unlink(missing_ok=True)
        of = {
            "name": content["name"],
            "group": f"{content['name']}/{folder.name}",
            "kind": "sweep",
            "job": job.number,
            "overrides": job.differing,
        }
        try:
            plan(job.folder, job.overrides, of=of)
        except ConfigError as error:
            print(f"job {job.number}: {error}", file=sys.stderr, flush=True)
            record = {"status": "failed", "error": f"ConfigError: {error}", "sweep": of}
            _write_json(job.folder / "run.json", record | {"name": content["name"]})


def _is_planned(folder: Path) -> bool:
    return (folder / "run.json").exists() and (folder / "config.yaml").exists()


def _check_one_composes(jobs: list[list[str]]) -> None:
    """Raise what is wrong with the first job, unless some job can be composed."""
    from ganlab.cli.compose import compose, to_plain

    first = None
    for overrides in jobs:
        try:
            to_plain(compose(overrides))
            return
        except ConfigError as error:
            first = first or error
    raise first or ConfigError("sweep: received no jobs.")


def _dry_run(jobs: list[list[str]]) -> int:
    """Say which jobs there would be, and what the first of them would do."""
    from ganlab.cli.train import prepare, train

    print(f"{len(jobs)} jobs:")
    for number, overrides in enumerate(jobs):
        print(f"  {number}  {' '.join(text for text in overrides if 'dry_run' not in text)}")
    print("\nThe first of them:\n")
    return train(*prepare(jobs[0]))


def _name_of(words: list[str]) -> str:
    """The experiment's name, if there is one alone; else "sweep"."""
    named = [word.partition("=")[2] for word in words if word.startswith("experiment=")]
    return named[0] if named and "," not in named[0] and "(" not in named[0] else "sweep"


def _folder(argv: list[str], name: str) -> Path:
    """The folder of a new sweep: run_dir= or hydra.sweep.dir=, else outputs/<name>/<date>_<time>.

    Raises:
        RunError: it holds a sweep or a run already.
    """
    from ganlab.cli.train import new_folder

    given = [w.partition("=")[2] for w in argv if w.startswith(("run_dir=", "hydra.sweep.dir="))]
    if not given:
        return new_folder(name)
    folder = Path(given[-1])
    if (folder / "sweep.json").exists():
        raise RunError(
            f"run_dir: {folder} holds a sweep already. Continue it with `ganlab sweep resume "
            f"{folder}`, or choose another folder."
        )
    if (folder / "run.json").exists():
        raise RunError(f"run_dir: {folder} holds a run; choose another folder for a sweep.")
    return folder


def _write(folder: Path, name: str, words: list[str], jobs: list[list[str]]) -> None:
    entries = [
        {"job": number, "folder": str(number), "overrides": overrides}
        for number, overrides in enumerate(jobs)
    ]
    content = {
        "name": name,
        "planned": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "launcher": [word for word in words if not word.startswith("hydra.sweep.dir=")],
        "jobs": entries,
    }
    _write_json(folder / "sweep.json", content)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    from ganlab.reports.files import write_text

    write_text(path, json.dumps(content, indent=2) + "\n")
