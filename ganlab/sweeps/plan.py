"""The jobs of a sweep: one run for each combination of values.

A sweep is a folder of planned runs: all of them are written down before the first is trained, so
that one that is killed is continued by `ganlab sweep resume`.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from ganlab.config.compose import compose, spelled_out, to_plain
from ganlab.config.groups import check_choice, groups
from ganlab.config.source import initialized
from ganlab.errors import ConfigError, RunError
from ganlab.files import cannot_write, write_json
from ganlab.ranks import launched
from ganlab.record.machine import command_line
from ganlab.record.run import read_config, read_record, timestamp
from ganlab.record.sweep import jobs_of, read_sweep_file
from ganlab.runs.planned import plan
from ganlab.runs.train import new_folder


def check_started_once() -> None:
    """Refuse to start a sweep in each of several processes.

    Raises:
        ConfigError: torchrun or srun has started this process.
    """
    if (by := launched().by) != "ganlab":
        raise ConfigError(
            f"-m: a sweep starts its runs itself, over several processes each where trainer=ddp "
            f"says so. Start it once, without {by}; for jobs of Slurm use "
            "hydra/launcher=submitit_slurm."
        )


def expand(overrides: list[str]) -> list[list[str]]:
    """The overrides of each job, in Hydra's order: the last key changes fastest.

    Raises:
        ConfigError: a text that cannot be read, a choice that is not there, a sweep without end.
    """
    with initialized():
        parser = OverridesParser.create(GlobalHydra.instance().config_loader())  # for glob(…)
        values: dict[str, list[str]] = {}  # of several for one key the last counts, as in Hydra
        for override in (_parsed(parser, text) for text in map(spelled_out, overrides)):
            key, single = override.get_key_element(), override.get_value_element_as_str
            own = override.sweep_string_iterator() if override.is_sweep_override() else [single()]
            values[key] = [f"{key}={value}" for value in own]
        return [list(job) for job in itertools.product(*values.values())]


def _parsed(parser: Any, text: str) -> Any:
    """One override, whose values are choices of its group if it has one."""
    if text.startswith("-"):
        raise ConfigError(f"{text}: there is no such option; write key=value, see --help.")
    try:
        override = parser.parse_overrides([text])[0]
    except HydraException:
        raise ConfigError(f"{text}: cannot be read; write key=value or key=a,b,c.") from None
    if not override.is_sweep_override():
        return override
    if not override.is_discrete_sweep():
        raise ConfigError(
            f"{text}: a sweep needs single values, key=a,b,c or key=range(1,4). To search an "
            "interval use ganlab tune."
        )
    group = override.key_or_group.split("@")[0]
    values = list(override.sweep_string_iterator())
    if not values:
        raise ConfigError(f"{text}: this is no value at all.")
    for value in values if group in groups() else []:
        if not value.startswith("[") and value != "null":
            check_choice(group, value)
    return override


def plan_missing(folder: Path) -> None:
    """Plan the jobs that have not been; those that do not compose are written down as failed.

    Raises:
        RunError: the folder cannot be written.
    """
    content, jobs = read_sweep_file(folder), jobs_of(folder)
    missing = [job for job in jobs if not _is_planned(job.folder)]
    if len(missing) > 20:
        print(f"ganlab: planning {len(missing)} runs …", file=sys.stderr, flush=True)
    for job in missing:
        _put_aside(job.folder / "run.json")
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
            write_json(job.folder / "run.json", record | {"name": content["name"]})


def _is_planned(folder: Path) -> bool:
    try:
        return bool(read_record(folder)) and bool(read_config(folder))
    except RunError:
        return False


def _put_aside(record: Path) -> None:
    """Make room for a new plan where a record has no configuration, or cannot be read."""
    try:
        read_record(record.parent)
        record.unlink()
    except RunError:
        if record.exists():
            record.replace(record.with_suffix(".json.damaged"))


def first_that_composes(jobs: list[list[str]]) -> dict[str, Any]:
    """The checked configuration of the first job that can be composed, of nine at most.

    Raises:
        ConfigError: what is wrong with the first job, where none can be.
    """
    from ganlab.config.checks import check

    first = None
    for overrides in [*jobs[:: -(-len(jobs) // 8)], jobs[-1]]:
        try:
            composed = compose(overrides)
            composed.run_dir = "unknown yet"
            config = to_plain(composed)
            check(config)
            return config
        except ConfigError as error:
            first = first or error
    raise first or ConfigError("-m: received no jobs.")


def name_of(jobs: list[list[str]]) -> str:
    """The name, or the experiment, that all jobs have; else "sweep"."""
    for key in ("name=", "experiment="):
        named = {text.partition("=")[2] for job in jobs for text in job if text.startswith(key)}
        if len(named) == 1:
            return named.pop()
    return "sweep"


def write(given: list[str], name: str, settings: list[str], jobs: list[list[str]]) -> Path:
    """Write sweep.json, and return the sweep's folder.

    Args:
        given: the folder, if the user names one; else it is outputs/<name>/<date>_<time>.
        name: of the sweep.
        settings: Hydra's own.
        jobs: overrides of each.

    Raises:
        RunError: the folder holds a sweep or a run already, or cannot be written.
    """
    folder = Path(given[-1]) if given else new_folder(name)
    if (folder / "run.json").exists():
        raise RunError(f"run_dir: {folder} holds a run; choose another folder for a sweep.")
    content = {
        "name": name,
        "planned": timestamp(),
        "command": ["ganlab", *command_line()[1:]],
        "cwd": str(Path.cwd()),
        "launcher": [text for text in settings if not text.startswith("hydra.sweep.dir=")],
        "jobs": [
            {"job": number, "folder": str(number), "overrides": overrides}
            for number, overrides in enumerate(jobs)
        ],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".sweep.{os.getpid()}.part"
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        try:
            os.link(part, folder / "sweep.json")  # whole, and of one of two who start at once
        finally:
            part.unlink()
    except FileExistsError:
        raise RunError(
            f"run_dir: {folder} holds a sweep already. Continue it with `ganlab sweep resume "
            f"{folder}`, or choose another folder."
        ) from None
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder
