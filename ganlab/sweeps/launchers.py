"""Hydra's launchers: their names, checks that they can be used, and the number of workers."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from hydra import compose
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from ganlab.config.source import initialized
from ganlab.errors import ConfigError, RunError, one_of
from ganlab.ranks import devices_of
from ganlab.record.run import read_config
from ganlab.record.stored import TRUST_HINT
from ganlab.record.sweep import Job, read_sweep_file

LAUNCHERS = {  # launcher to the pip extra of ganlab that installs it
    "basic": None,
    "joblib": "joblib",
    "submitit_local": "submitit",
    "submitit_slurm": "submitit",
    "ray": "ray",
}

# settings of launchers that hold no commands, paths or code
PLAIN_SETTINGS = (
    "account",
    "array_parallelism",
    "constraint",
    "cpus_per_gpu",
    "cpus_per_task",
    "gpus_per_node",
    "gpus_per_task",
    "max_num_timeout",
    "mem_gb",
    "mem_per_cpu",
    "mem_per_gpu",
    "n_jobs",
    "name",
    "nodes",
    "partition",
    "qos",
    "tasks_per_node",
    "timeout_min",
)


def launcher_of(settings: list[str]) -> str:
    """Return the launcher that Hydra's overrides choose; "basic" by default."""
    chosen = [text.partition("=")[2] for text in settings if text.startswith("hydra/launcher=")]
    return chosen[-1] if chosen else "basic"


def stored_settings(folder: Path, trust: bool = False) -> list[str]:
    """Return the overrides of Hydra's settings that a sweep was started with.

    Args:
        folder: the sweep's folder.
        trust: whether the settings may hold commands, paths and code.

    Raises:
        RunError: the folder holds no sweep; or, without `trust`, a setting is not one of
            `PLAIN_SETTINGS` with a plain value.
    """
    kept = []
    for text in read_sweep_file(folder).get("launcher") or []:
        key, _, value = str(text).partition("=")
        allowed = key == "hydra/launcher" or (
            key.startswith("hydra.launcher.")
            and key.count(".") == 2
            and key.rpartition(".")[2] in PLAIN_SETTINGS
        )
        if not trust and not (allowed and re.fullmatch(r"[\w.:@-]*", value)):
            raise RunError(
                f"sweep: {folder / 'sweep.json'}: the launcher's setting {text} may hold a command "
                f"or code. Give the launcher yourself, e.g. hydra/launcher=basic. {TRUST_HINT}"
            )
        if not trust and key == "hydra.launcher.n_jobs" and value.isdecimal():
            text = f"{key}={min(int(value), os.cpu_count() or 1)}"
        kept.append(text)
    return kept


def check_launcher(settings: list[str]) -> None:
    """Raise unless the launcher that Hydra's overrides choose can be used with its settings.

    Raises:
        ConfigError: the launcher is unknown or not installed, Slurm is not available, or the
            launcher has no such setting.
    """
    name = launcher_of(settings)
    one_of("hydra/launcher", name, LAUNCHERS)
    extra = LAUNCHERS[name]
    if extra and find_spec(f"hydra_plugins.hydra_{extra}_launcher") is None:
        raise ConfigError(
            f"hydra/launcher={name}: not installed. Install it with "
            f"pip install 'ganlab[{extra}]' (in a checkout: pip install -e '.[{extra}]')."
        )
    if name == "submitit_slurm" and shutil.which("srun") is None:
        raise ConfigError(
            "hydra/launcher=submitit_slurm: Slurm is not available (no srun). Start the sweep on "
            "a login node of the cluster, or use hydra/launcher=joblib."
        )
    given = ["job=0", "folder=.", "cwd=.", "pid=0", *settings]
    with initialized(), as_config_error(settings):
        compose("sweep_job", given, return_hydra_config=True)


@contextmanager
def as_config_error(settings: list[str]) -> Iterator[None]:
    """Convert Hydra's exceptions about its settings into a ConfigError."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        given = " ".join(settings) or "hydra"
        raise ConfigError(f"{given}: {str(error).splitlines()[0]}") from None


def worker_override(launcher: str, settings: list[str], jobs: list[Job]) -> list[str]:
    """Return ganlab's override for a launcher: the number of joblib's worker processes.

    The number is the number of jobs or, if lower, the number of GPUs or cores divided by the
    devices per job; it is at least 1. joblib limits the threads of each worker so that
    the workers share the cores. The list is empty for other launchers, and if `settings` set the
    number.
    """
    if launcher != "joblib" or any("hydra.launcher.n_jobs=" in text for text in settings):
        return []
    import joblib
    import torch

    trainer = read_config(jobs[0].folder).get("trainer") or {}
    on_gpu = trainer.get("accelerator") in ("gpu", "cuda", "auto") and torch.cuda.is_available()
    devices = torch.cuda.device_count() if on_gpu else joblib.cpu_count()
    return [f"hydra.launcher.n_jobs={max(1, min(len(jobs), devices // devices_of(trainer)))}"]
