"""`ganlab train -m`: one run for each combination of values, by Hydra's launchers."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

from ganlab.errors import GanlabError


def sweep(argv: list[str]) -> int:
    """Launch the jobs of a Hydra multirun; returns 0 when all of them finished.

    A job that fails says so at once and leaves its error in its run.json; the others go on.
    """
    import hydra

    from ganlab.cli.compose import CONF, register_resolvers

    register_resolvers()
    failed: list[str] = []

    @hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")
    def job(config: Any) -> str:
        folder, error = run_job(config)
        if error:
            failed.append(f"{folder}: {error}")
        return str(folder)

    sys.argv = ["ganlab train", *argv]
    job()
    if failed:
        print(f"{len(failed)} jobs did not finish:", file=sys.stderr)
        print("\n".join(f"  {line}" for line in failed), file=sys.stderr)
    return 1 if failed else 0


def run_job(config: Any) -> tuple[Path, str | None]:
    """Train one job of a sweep in its own folder; returns the folder and what went wrong."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf, open_dict

    from ganlab.cli.compose import name_and_choices, to_plain
    from ganlab.cli.train import train

    hydra_config = HydraConfig.get()
    folder = Path(hydra_config.runtime.output_dir)
    config = OmegaConf.create(OmegaConf.to_container(config))
    with open_dict(config):
        name_and_choices(config, OmegaConf.to_container(hydra_config.runtime.choices))
        config.run_dir = str(folder)
    overrides = ", ".join(hydra_config.overrides.task)
    print(f"job {hydra_config.job.num}: {overrides}", file=sys.stderr, flush=True)
    try:
        code = train(to_plain(config))
        return folder, None if code == 0 else "interrupted"
    except GanlabError as error:
        print(f"job {hydra_config.job.num}: {error}", file=sys.stderr, flush=True)
        return folder, str(error)
    except Exception as error:
        traceback.print_exc()
        return folder, f"{type(error).__name__}: {error}"
