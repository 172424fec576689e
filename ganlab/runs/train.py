"""Trains a model, or runs a lesson, from the arguments of `ganlab train`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ganlab.config.compose import compose, to_plain
from ganlab.config.reads import warn_of_repeated
from ganlab.config.values import split_trust
from ganlab.errors import ConfigError
from ganlab.files import cannot_write
from ganlab.runs.resume import continued

# folders that this process has made, and the working directories of that time
_made: dict[Path, Path] = {}


def prepare(overrides: list[str]) -> tuple[dict[str, Any], bool]:
    """Return arguments for `train`, as in `train(*prepare(["experiment=quickstart"]))`.

    Args:
        overrides: as on the command line; `run=DIR` with `resume=true` resumes a run, and
            `trust=true` allows that run to name classes that are not part of ganlab.

    Returns:
        The plain configuration, whose run_dir is a new folder unless the overrides name one; and
        whether the configuration resumes a run. The new folder is made, except for a dry run.

    Raises:
        ConfigError, RunError: an override is wrong, or the run cannot be resumed.
    """
    trust, overrides = split_trust(overrides)
    warn_of_repeated(overrides)
    values = dict(text.partition("=")[::2] for text in overrides)
    if "sweep" in values:
        raise ConfigError("sweep: is for several runs; add -m, or use `ganlab tune`.")
    if values.get("run") and values.get("resume", "").lower() in ("true", "1", "yes"):
        return continued(Path(values["run"]), overrides, trust=bool(trust)), True
    if values.get("run"):
        raise ConfigError(
            "run: is for resuming a run; add resume=true, or name a folder with run_dir=DIR."
        )
    config = compose(overrides)
    if trust is not None:
        raise ConfigError(
            "trust: is for a run that is resumed with run=DIR resume=true; leave it out here."
        )
    if not config.run_dir:
        config.run_dir = str(new_folder(config.name, make=not config.dry_run))
    with removed_after_error(Path(config.run_dir)):
        plain = to_plain(config)
    if plain.get("resume"):
        if not values.get("run_dir"):
            raise ConfigError("resume: needs run=DIR, the folder of the run to resume.")
        return continued(Path(plain["run_dir"]), [], plain), True
    return plain, False


def train(config: dict[str, Any], resume: bool = False, *callbacks: Any) -> int:
    """Train from a plain configuration; return 130 if the run was interrupted, else 0.

    Args:
        config: the configuration, plain and resolved.
        resume: whether to resume from the newest checkpoint in run_dir.
        *callbacks: Lightning callbacks in addition to the configuration's callbacks.

    Raises:
        GanlabError: an error that a user can fix; it is also written to the run's record.
        ConfigError: dry_run is set. `ganlab.estimate.dry_run` makes dry runs.
    """
    if config.get("dry_run"):
        raise ConfigError(
            "dry_run: train() does not support dry runs, but ganlab.estimate.dry_run does. A sweep "
            "cannot mix dry runs with others: set dry_run=false."
        )
    from ganlab.config.checks import check

    with removed_after_error(Path(config["run_dir"])):
        check(config)
        if config.get("lesson"):
            from ganlab.runs.lesson import run_lesson

            return run_lesson(config)
        from ganlab.runs.session import Session

        with Session(config, resume, *callbacks) as session:
            session.fit()
        return session.exit_code


def new_folder(name: str, make: bool = True) -> Path:
    """Return outputs/<name>/<date>_<time>, with a number appended if that folder exists.

    Args:
        name: the name of a run, a sweep or the like.
        make: whether to make the folder, so that no other process gets the same one.

    Raises:
        RunError: the folder cannot be made.
    """
    import time

    from ganlab.ranks import is_main, text_of_main_process

    if chosen := os.environ.get("GANLAB_RUN_DIR"):  # chosen by the main process of this run
        return Path(chosen)
    base = folder = Path("outputs") / name / time.strftime("%Y-%m-%d_%H-%M-%S")
    number = 1
    while is_main() and not _is_free(folder, make):
        number += 1
        folder = base.with_name(f"{base.name}_{number}")
    return Path(text_of_main_process(str(folder)))


@contextmanager
def removed_after_error(folder: Path) -> Iterator[None]:
    """If the block raises an error, remove the folder if `new_folder` has made it and it is empty.

    Then its parents below the working directory of that time are removed too, if they are empty.
    """
    try:
        yield
    except BaseException:
        path = Path(os.path.abspath(folder))
        working = _made.pop(path, path)
        with suppress(OSError):
            while path != working:
                path.rmdir()
                path = path.parent
        raise


def _is_free(folder: Path, make: bool) -> bool:
    if not make:
        return not folder.exists()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
    except FileExistsError:
        return False
    except OSError as error:
        raise cannot_write(folder, error) from error
    _made[Path(os.path.abspath(folder))] = Path.cwd()
    return True
