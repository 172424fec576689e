"""The study of a search: its storage, its fixed settings, and how processes share its trials."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.trial import FrozenTrial, TrialState

from ganlab.errors import ConfigError, RunError
from ganlab.files import refuse_links_in
from ganlab.record.lock import is_held, lock_file
from ganlab.record.machine import without_password
from ganlab.record.old_names import current, current_override
from ganlab.tuning.space import Space, changes

# of SQLite's schema: constraints that Optuna makes, and what computes when rows are used
_PLAIN_CHECK = re.compile(r"CHECK \((version_info_id ?= ?1|\w+ IN \('[^()]*'\))\)")
_COMPUTES = re.compile(
    r"\b(VIRTUAL|AS|WHERE|DEFAULT|CHECK)\b|\bINDEX\b[^(]*\([^)]*\(", re.IGNORECASE
)
# the end of a journal that names another file, sqlite.org/fileformat
_NAMES_ANOTHER_FILE = bytes.fromhex("d9d505f920a163d7")
# keys that say how a trial is executed; they may differ between the processes of one search
MAY_DIFFER = (
    "trainer",
    "threads",
    "metrics_memory",
    "logger",
    "data.root",
    "data.download",
    "callbacks.progress",
)


@dataclass(frozen=True)
class Search:
    """A study that was opened for a search.

    Attributes:
        folder: the folder of the study; its runs are in `<number>/`.
        study: Optuna's study.
        score: the score to search by.
        fixed: overrides of every trial.
        space: the distributions to search over.
        storage: the file or URL of the study's storage, as the user gave it. None for study.db in
            the folder: then all processes share the folder, which holds the runs of all trials.
    """

    folder: Path
    study: optuna.Study
    score: str
    fixed: list[str]
    space: Space
    storage: str | None

    @property
    def lock(self) -> FileLock:
        """The lock for taking a trial, and for drawing the plots."""
        return lock_file(self.folder / ".study")

    def run_of(self, trial: FrozenTrial | optuna.Trial) -> Path:
        """Return the folder of a trial's run."""
        return self.folder / str(trial.number)


def open_search(
    folder: Path,
    storage: str | None,
    pruner: optuna.pruners.BasePruner,
    *,
    score: str,
    more_is_better: bool,
    fixed: list[str],
    space: Space,
) -> Search:
    """Create a study, or join the existing one of this name.

    Args:
        folder: the folder of the study; its name is the study's name.
        storage: a file, or the URL of a database; None for study.db in the folder.
        pruner: decides which runs stop early.
        score: the score to search by.
        more_is_better: whether a higher score is better.
        fixed: overrides of every trial.
        space: the distributions to search over.

    Raises:
        ConfigError: the storage cannot be used, or the existing study belongs to another search;
            then the message names the differences.
        RunError: the folder cannot be made, holds symbolic links, or holds runs of a study that is
            not in the storage.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        refuse_links_in(folder)
        _refuse_foreign_journal(folder / "study.db-journal")
        _refuse_foreign_tables(folder / "study.db")
    except OSError as error:
        raise RunError(f"study: {folder} cannot be used: {error.strerror}.") from error
    with lock_file(folder / ".study"):
        study = optuna.create_study(
            storage=_storage(storage, folder),
            study_name=folder.name,
            pruner=pruner,
            direction="maximize" if more_is_better else "minimize",
            load_if_exists=True,
        )
        # a study of an older version keeps the old names of settings, since its trials have them
        kept = {current_override(f"{key}=")[:-1]: key for key in study.user_attrs.get("space", ())}
        space = {kept.get(key, key): distribution for key, distribution in space.items()}
        attributes = {
            "score": score,
            "fixed": fixed,
            "space": {key: distribution_to_json(d) for key, d in space.items()},
        }
        if "space" not in study.user_attrs:
            if any(path.name.isdecimal() for path in folder.iterdir()):
                raise RunError(
                    f"study: {folder} holds runs, but not the study that they belong to. Move the "
                    "runs away, give the study's storage=…, or choose another study=NAME."
                )
        elif lines := _differences(current(study.user_attrs), attributes, space):
            raise ConfigError(
                f"study: {folder.name} is another search; these settings differ:\n"
                + "\n".join(f"  {line}" for line in lines)
                + "\nRepeat the search with its old settings (ranges may become wider), or begin "
                "a new search with study=NAME."
            )
        for key, value in attributes.items():
            if study.user_attrs.get(key) != value:
                study.set_user_attr(key, value)
    return Search(folder, study, score, fixed, space, storage)


def take(search: Search, trials: int) -> tuple[optuna.Trial, FileLock] | None:
    """Return a trial to run, and a held lock that keeps other processes from this trial.

    An unfinished trial whose process has ended is taken first. Otherwise a new trial is taken, or,
    if the study has `trials` already, None is returned. Only one process takes a trial at a time.
    """
    from ganlab.private import continue_trial  # which imports torch

    with search.lock:
        finished = [t for t in search.study.get_trials(deepcopy=False) if t.state.is_finished()]
        running = search.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        for trial in running:
            if lock := _lock_of(search, trial):
                return continue_trial(search.study, trial), lock
        if len(finished) + len(running) >= trials:
            return None
        new = search.study.ask()
        search.run_of(new).mkdir(exist_ok=True)
        return new, lock_file(search.run_of(new) / ".trial").acquire(blocking=False).lock


def _lock_of(search: Search, trial: FrozenTrial) -> FileLock | None:
    """Return the lock of a trial; None if a process of this or another machine runs the trial."""
    folder = search.run_of(trial)
    if not folder.exists():
        if search.storage is not None:
            return None  # the trial belongs to a machine with another folder
        folder.mkdir()  # the trial's process died before it made the folder
    if is_held(folder):
        return None
    lock = lock_file(folder / ".trial")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock


def _refuse_foreign_journal(path: Path) -> None:
    """Raise if a journal of SQLite names another file, which a rollback would delete.

    A killed search leaves no such journal: it writes one database only.
    """
    if path.exists() and path.read_bytes().endswith(_NAMES_ANOTHER_FILE):
        raise RunError(f"study: {path} names another file, and was not written here. Delete it.")


def _refuse_foreign_tables(path: Path) -> None:
    """Raise if a SQLite file has what Optuna does not make: reading it could take for ever."""
    if not path.exists():
        return
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path, timeout=60)) as database:
        for kind, name, sql in database.execute("SELECT type, name, sql FROM sqlite_master"):
            text = _PLAIN_CHECK.sub("", sql or "")
            if kind not in ("table", "index") or _COMPUTES.search(text):
                raise RunError(
                    f"study: {path} has a {kind}, {name!r}, that Optuna does not make. Choose "
                    "another study=NAME."
                )


def _storage(text: str | None, folder: Path) -> optuna.storages.BaseStorage:
    if text is not None and "://" not in text:
        path = Path(text)
        path.parent.mkdir(parents=True, exist_ok=True)
        file = optuna.storages.journal.JournalFileBackend(str(path))
        return optuna.storages.JournalStorage(file)
    url = text or f"sqlite:///{folder / 'study.db'}"
    # seconds to wait while another process writes
    options: dict[str, Any] = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    try:
        return optuna.storages.RDBStorage(url, engine_kwargs=options)
    except ImportError as error:
        raise ConfigError(
            f"storage: {without_password(url)} needs a driver that is not installed "
            f"({error.__cause__ or error}). Install it, e.g. pip install 'psycopg[binary]'."
        ) from None
    except Exception as error:  # SQLAlchemy and each driver raise their own classes
        reason = without_password(str(error).splitlines()[0]).rstrip(".")
        raise ConfigError(
            f"storage: {without_password(url)} cannot be used: {reason}. Give a file, or a URL "
            "such as postgresql://user@host/database."
        ) from None


def _differences(old: dict[str, Any], new: dict[str, Any], space: Space) -> list[str]:
    lines = []
    if old["score"] != new["score"]:
        lines.append(f"score: {old['score']} → {new['score']}")
    before, after = _by_key(old["fixed"]), _by_key(new["fixed"])
    for key in dict.fromkeys([*before, *after]):
        is_free = any(key == free or key.startswith(f"{free}.") for free in MAY_DIFFER)
        if before.get(key) != after.get(key) and not is_free and key not in space:
            lines.append(f"{key}: {before.get(key, 'not set')} → {after.get(key, 'not set')}")
    old_space = {key: json_to_distribution(text) for key, text in old["space"].items()}
    return lines + changes(old_space, space)


def _by_key(overrides: list[str]) -> dict[str, str]:
    return dict(text.partition("=")[::2] for text in overrides)
