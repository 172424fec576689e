"""`ganlab tune`: search for good settings with Optuna."""

from __future__ import annotations

from collections.abc import Sequence

from ganlab.cli.arguments import Argument, parse, split_options, usage, wants_help
from ganlab.config.values import boolean, count, natural, number, seed
from ganlab.errors import ConfigError, nearest


def _minutes(text: str) -> float:
    if (minutes := number(text)) <= 0:
        raise ValueError(f"received {text}; needs more than 0")
    return minutes


def _name(text: str) -> str:
    if not text.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise ValueError(f"received {text!r}; needs letters, digits, -, _ and .")
    return text


ARGUMENTS = {
    "sweep": Argument(str, "what to search over, a file of conf/sweep; `ganlab list sweeps`"),
    "trials": Argument(count, "runs in all, of all processes and sessions together (20)", 20),
    "score": Argument(str, "to search by (that of checkpoints.monitor, else of quality)"),
    "study": Argument(_name, "name of the search, whose folder is outputs/tune/NAME (the sweep's)"),
    "storage": Argument(str, "URL of a database, or a file (study.db in the study's folder)"),
    "prune": Argument(boolean, "end runs early that are below the median of others (true)", True),
    "startup": Argument(natural, "runs at random, and whole, before it learns from them (5)", 5),
    "sampler_seed": Argument(seed, "seed of the search; the runs have theirs, seed= (0)", 0),
    "timeout": Argument(_minutes, "minutes after which this process begins no further run"),
}

HELP = """
All other key=value are those of `ganlab train`: key=a,b key=range(1,9,2) key=interval(0.1,0.9) and
key=tag(log,interval(1e-4,1e-2)) are searched over, all else is fixed; both take the place of the
sweep's own. Each trial is a run, in outputs/tune/<study>/<number>; ganlab compare shows them.

The same command goes on after Ctrl-C or a crash. Started again at the same time, it takes part in
the search: give each of several processes on one machine threads=1. Machines that share a folder
over the network give storage=FILE in it (SQLite is not for that), those that share none give
storage=postgresql://user@host/database or mysql://….
"""


def main(argv: list[str]) -> int:
    """Search, or take part in a search; returns 0 when there is a best trial."""
    if wants_help(argv):
        print(usage("tune", "search for good settings with Optuna", ARGUMENTS) + "\n" + HELP)
        return 0
    positional, texts = split_options(argv, ARGUMENTS)
    own = [text for text in texts if text.partition("=")[0] in ARGUMENTS]
    rest = [text for text in texts if text not in own]
    _check_overrides([*positional, *rest])
    arguments = parse(own, ARGUMENTS)
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(
            f"tune: needs Optuna, which cannot be imported ({error}). Install it: "
            "pip install 'ganlab[tune]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    from ganlab.record.machine import without_password
    from ganlab.tuning.search import search

    try:
        return search(rest, arguments)
    except optuna.exceptions.StorageInternalError as error:
        reason = without_password(str(error.__cause__ or error).splitlines()[0])
        raise ConfigError(
            f"storage: {reason}. The same command goes on where the search stands, once the "
            "storage can be written again."
        ) from error


def _check_overrides(overrides: Sequence[str]) -> None:
    for text in overrides:
        key, equals, _ = text.partition("=")
        if not equals:
            raise ConfigError(
                f"{text}: cannot be read; write key=value.{nearest(key, list(ARGUMENTS))}"
            )
        if key.lstrip("+~") in ("run", "run_dir", "resume", "dry_run"):
            raise ConfigError(f"{key}: each trial has a folder of its own; leave it out.")
