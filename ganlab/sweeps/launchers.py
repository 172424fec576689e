"""Hydra's launchers: which there are, whether they work here, and what ganlab sets of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from hydra import compose
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from ganlab.config.source import initialized
from ganlab.errors import ConfigError, one_of
from ganlab.ranks import devices_of
from ganlab.record.run import read_config
from ganlab.record.sweep import Job

LAUNCHERS = {  # and the extra of the package that has it
    "basic": None,
    "joblib": "joblib",
    "submitit_local": "submitit",
    "submitit_slurm": "submitit",
    "ray": "ray",
}


def launcher_of(settings: list[str]) -> str:
    """The launcher that Hydra's overrides choose."""
    chosen = [text.partition("=")[2] for text in settings if text.startswith("hydra/launcher=")]
    return chosen[-1] if chosen else "basic"


def check_launcher(settings: list[str]) -> None:
    """Check that the launcher that Hydra's overrides choose can be used here, and its settings.

    Raises:
        ConfigError: an unknown one, one that is not installed, Slurm where there is none, or
            settings that it has not.
    """
    import shutil

    name = launcher_of(settings)
    one_of("hydra/launcher", name, LAUNCHERS)
    extra = LAUNCHERS[name]
    if extra and find_spec(f"hydra_plugins.hydra_{extra}_launcher") is None:
        raise ConfigError(
            f"hydra/launcher={name}: is not installed. Install it with "
            f"pip install 'ganlab[{extra}]' (in a checkout: pip install -e '.[{extra}]')."
        )
    if name == "submitit_slurm" and shutil.which("srun") is None:
        raise ConfigError(
            "hydra/launcher=submitit_slurm: there is no Slurm here (no srun). Start the sweep on "
            "a login node of the cluster, or use hydra/launcher=joblib."
        )
    given = ["job=0", "folder=.", "cwd=.", *settings]
    with initialized(), as_config_error(settings):
        compose("sweep_job", given, return_hydra_config=True)


@contextmanager
def as_config_error(settings: list[str]) -> Iterator[None]:
    """Turn what Hydra says of its own settings into a ConfigError."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        given = " ".join(settings) or "hydra"
        raise ConfigError(f"{given}: {str(error).splitlines()[0]}") from None


def own_settings(launcher: str, settings: list[str], jobs: list[Job]) -> list[str]:
    """What ganlab sets of a launcher, unless the user has: how many processes joblib starts.

    As many as the jobs' processes find cores or GPUs; the cores are shared out among them as
    threads by joblib.
    """
    if launcher != "joblib" or any("hydra.launcher.n_jobs=" in text for text in settings):
        return []
    import joblib
    import torch

    trainer = read_config(jobs[0].folder).get("trainer") or {}
    on_gpu = trainer.get("accelerator") in ("gpu", "cuda", "auto") and torch.cuda.is_available()
    places = torch.cuda.device_count() if on_gpu else joblib.cpu_count()
    return [f"hydra.launcher.n_jobs={max(1, min(len(jobs), places // devices_of(trainer)))}"]
