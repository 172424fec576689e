"""`ganlab train -m`: one run for each combination of values, by Hydra's launchers."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

from ganlab.errors import ConfigError, GanlabError


def sweep(argv: list[str]) -> int:
    """Launch the jobs of a Hydra multirun; returns 0 when all of them finished.

    A job that fails says so at once, and leaves its error in its run.json if it had begun to train;
    the others go on. Ctrl-C ends the sweep.

    Raises:
        ConfigError: an override that no job could be composed with.
    """
    import hydra

    from ganlab.cli.compose import CONF, register_resolvers, spelled_out

    argv = [word if word.startswith("-") else spelled_out(word) for word in argv]
    _check_overrides([word for word in argv if not word.startswith("-")])

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


def _check_overrides(overrides: list[str]) -> None:
    """Compose the first job, and look up every option that is swept over."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from ganlab.cli.compose import CONF, check_choice, compose

    parser, first = OverridesParser.create(), []
    for text in overrides:
        try:
            override = parser.parse_override(text)
        except HydraException:
            raise ConfigError(f"{text}: cannot be read; write key=value or key=a,b,c.") from None
        if not override.is_sweep_override() or not override.is_discrete_sweep():
            first += [] if override.is_sweep_override() else [text]
            continue
        values = list(override.sweep_string_iterator())
        if (CONF / override.key_or_group).is_dir():
            for value in values:
                check_choice(override.key_or_group, value)
        first.append(f"{text.partition('=')[0]}={values[0]}")
    compose(first)


def run_job(config: Any) -> tuple[Path, str | None]:
    """Train one job of a sweep in its own folder; returns the folder and what went wrong."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf, open_dict

    from ganlab.cli.compose import mark_changed_protocol, name_and_choices, to_plain
    from ganlab.cli.train import train

    hydra_config = HydraConfig.get()
    folder = Path(hydra_config.runtime.output_dir)
    config = OmegaConf.create(OmegaConf.to_container(config))
    with open_dict(config):
        name_and_choices(config, OmegaConf.to_container(hydra_config.runtime.choices))
        mark_changed_protocol(config, list(hydra_config.overrides.task))
        config.run_dir = str(folder)
    overrides = ", ".join(hydra_config.overrides.task)
    print(f"job {hydra_config.job.num}: {overrides}", file=sys.stderr, flush=True)
    try:
        plain = to_plain(config)
        if str(plain["trainer"].get("strategy")).startswith("ddp"):
            raise ConfigError(
                "trainer.strategy: the jobs of a sweep run in one process each; choose "
                "trainer=auto, or start the runs one by one for several devices."
            )
        code = train(plain)
        if code == 130:
            raise KeyboardInterrupt
        return folder, None if code == 0 else f"exit code {code}"
    except GanlabError as error:
        print(f"job {hydra_config.job.num}: {error}", file=sys.stderr, flush=True)
        return folder, str(error)
    except Exception as error:
        traceback.print_exc()
        return folder, f"{type(error).__name__}: {error}"
