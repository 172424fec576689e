"""The jobs of a sweep: one run for each combination of values.

A sweep is a folder of planned runs. All runs are written to disk before the first run is trained,
so that `ganlab sweep resume` can continue a killed sweep.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from ganlab.config.checks import check
from ganlab.config.compose import compose, to_plain
from ganlab.config.groups import check_choice, groups
from ganlab.config.overrides import spelled_out
from ganlab.config.source import initialized
from ganlab.errors import ConfigError, RunError
from ganlab.files import write_json
from ganlab.ranks import launched
from ganlab.record.lock import hold
from ganlab.record.machine import command_line
from ganlab.record.old_names import refuse_old_names
from ganlab.record.run import read_config, read_record, timestamp
from ganlab.record.stored import check_overrides, check_stored, needs_trust, stored_config
from ganlab.record.sweep import Job, jobs_of, read_sweep_file
from ganlab.runs.planned import composed, write_plan
from ganlab.runs.train import new_folder


def check_started_once() -> None:
    """Raise if a launcher of distributed jobs would start the sweep once per process.

    Raises:
        ConfigError: torchrun or srun has started this process.
    """
    if (by := launched().by) != "ganlab":
        raise ConfigError(
            f"-m: a sweep starts the processes of its runs itself, several per run with "
            f"trainer=ddp. Start the sweep once, without {by}; on Slurm use "
            "hydra/launcher=submitit_slurm."
        )


def expand(overrides: list[str]) -> list[list[str]]:
    """Return the overrides of each job, in Hydra's order: the last key changes fastest.

    Raises:
        ConfigError: an override cannot be parsed, names an unknown choice of its config group, has
            no values, the same value twice or an interval of values, or has an old name.
    """
    refuse_old_names(overrides)
    with initialized():
        parser = OverridesParser.create(GlobalHydra.instance().config_loader())  # for glob(…)
        choices: dict[str, list[str]] = {}  # of each key; if given twice, the last counts
        for override in (_parse(parser, text) for text in map(spelled_out, overrides)):
            key = override.get_key_element()
            if override.is_sweep_override():
                values = override.sweep_string_iterator()
            else:
                values = [override.get_value_element_as_str()]
            choices[key] = [f"{key}={value}" for value in values]
        return [list(job) for job in itertools.product(*choices.values())]


def _parse(parser: Any, text: str) -> Any:
    """Return one override of Hydra; raise ConfigError unless `expand` can use it."""
    if text.startswith("-"):
        raise ConfigError(f"{text}: no such option; write key=value, see --help.")
    try:
        override = parser.parse_overrides([text])[0]
    except HydraException:
        raise ConfigError(f"{text}: cannot be read; write key=value or key=a,b,c.") from None
    if not override.is_sweep_override():
        return override
    if not override.is_discrete_sweep():
        raise ConfigError(
            f"{text}: a sweep needs a list of values, key=a,b,c or key=range(1,4). To search an "
            "interval use ganlab tune."
        )
    group = override.key_or_group.split("@")[0]
    values = list(override.sweep_string_iterator())
    if not values:
        raise ConfigError(f"{text}: matches no value.")
    if repeated := [value for value in dict.fromkeys(values) if values.count(value) > 1]:
        raise ConfigError(f"{text}: has {repeated[0]} twice; give each value once.")
    for value in values if group in groups() else []:
        if not value.startswith("[") and value != "null":
            check_choice(group, value)
    return override


def plan_missing(folder: Path, trust: bool | None = None) -> bool:
    """Plan and check all jobs without a complete plan; record invalid jobs as failed.

    Args:
        folder: the sweep's folder.
        trust: see `ganlab.sweeps.launch.launch`.

    Returns:
        Whether jobs may name classes that are not part of ganlab: `trust`, or for None whether the
        overrides name some.

    Raises:
        RunError: the folder cannot be written; or, with `trust` false, overrides or planned jobs
            name what may not be built. Nothing is written then.
    """
    content, jobs = read_sweep_file(folder), jobs_of(folder)
    missing = [job for job in jobs if not _is_planned(job.folder)]
    if trust is False:
        for job in jobs:
            source = f"sweep: {folder / 'sweep.json'}"
            check_overrides(job.overrides, source, folder)
            if job not in missing:
                stored_config(job.folder)
    if len(missing) > 20:
        print(f"ganlab: planning {len(missing)} runs …", file=sys.stderr, flush=True)
    name, base, trusted = content["name"], Path(content.get("cwd") or "."), bool(trust)
    plans: dict[int, dict[str, Any] | ConfigError] = {}
    for job in missing:
        try:
            plans[job.number] = composed(job.folder, job.overrides, _info(job, folder, name), base)
        except ConfigError as error:
            plans[job.number] = error
            continue
        if trust is False:
            check_stored(plans[job.number], f"sweep: {folder / 'sweep.json'}", job.folder)
        elif trust is None and needs_trust(plans[job.number], job.folder):
            trusted = True
    for job in missing:
        _remove_incomplete(job.folder / "run.json")
        sweep_info, config = _info(job, folder, name), plans[job.number]
        try:
            if isinstance(config, ConfigError):
                raise config
            write_plan(job.folder, config, sweep_info)
            check(config)
        except ConfigError as error:
            print(f"job {job.number}: {error}", file=sys.stderr, flush=True)
            record = {"status": "failed", "error": f"ConfigError: {error}", "sweep": sweep_info}
            write_json(job.folder / "run.json", record | {"name": name})
    return trusted


def _info(job: Job, folder: Path, name: str) -> dict[str, Any]:
    """Return what a job's run.json says about its sweep."""
    return {
        "name": name,
        "group": f"{name}/{folder.name}",
        "kind": "sweep",
        "job": job.number,
        "overrides": job.differing,
    }


def _is_planned(folder: Path) -> bool:
    try:
        return bool(read_record(folder)) and bool(read_config(folder))
    except RunError:
        return False


def _remove_incomplete(record: Path) -> None:
    """Delete a run.json without a config.yaml; rename a damaged run.json to run.json.damaged."""
    try:
        read_record(record.parent)
        record.unlink()
    except RunError:
        if record.exists():
            record.replace(record.with_suffix(".json.damaged"))


def first_that_composes(jobs: list[list[str]]) -> dict[str, Any]:
    """Return the checked configuration of the first valid job, trying up to nine jobs.

    Raises:
        ConfigError: none of the jobs is valid; the error is that of the first job.
    """
    first_error = None
    for overrides in [*jobs[:: -(-len(jobs) // 8)], jobs[-1]]:
        try:
            draft = compose(overrides)
            draft.run_dir = "unknown yet"
            config = to_plain(draft)
            check(config)
            return config
        except ConfigError as error:
            first_error = first_error or error
    raise first_error or ConfigError("-m: received no jobs.")


def name_of(jobs: list[list[str]]) -> str:
    """Return the only name among the jobs' overrides, else the only experiment, else "sweep"."""
    for key in ("name=", "experiment="):
        names = {text.partition("=")[2] for job in jobs for text in job if text.startswith(key)}
        if len(names) == 1:
            return names.pop()
    return "sweep"


def write(given: list[str], name: str, settings: list[str], jobs: list[list[str]]) -> Path:
    """Write sweep.json, and return the sweep's folder.

    Args:
        given: folders that the user gave; the last one is used. If empty, the folder is
            outputs/<name>/<date>_<time>.
        name: name of the sweep.
        settings: overrides of Hydra's settings, such as hydra/launcher=joblib.
        jobs: overrides of each job.

    Raises:
        RunError: the folder holds a sweep or a run already, another process writes to it, or it
            cannot be written.
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
    with hold(folder):
        if (folder / "sweep.json").exists():
            raise RunError(
                f"run_dir: {folder} holds a sweep already. Continue it with `ganlab sweep resume "
                f"{folder}`, or choose another folder."
            )
        if any((folder / job["folder"]).exists() for job in content["jobs"]):
            raise RunError(
                f"run_dir: {folder} holds folders of jobs, but no sweep.json. Choose another "
                "folder."
            )
        write_json(folder / "sweep.json", content)
    return folder
