"""`ganlab tune`: search for good settings with Optuna."""

from __future__ import annotations

from collections.abc import Sequence

from ganlab.cli.arguments import Argument, parse, say_loading, split_options, usage, wants_help
from ganlab.config.values import boolean, count, natural, number, seed
from ganlab.errors import ConfigError, nearest


def _minutes(text: str) -> float:
    if (minutes := number(text)) <= 0:
        raise ValueError(f"received {text}; needs a number above 0")
    return minutes


def _name(text: str) -> str:
    if not text.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise ValueError(f"received {text!r}; needs letters, digits, -, _ and .")
    return text


ARGUMENTS = {
    "sweep": Argument(
        str, "name of a search space, a file of conf/sweep; see `ganlab list sweeps`"
    ),
    "trials": Argument(count, "total number of runs, over all processes and restarts", 20),
    "score": Argument(
        str,
        "name of the score to optimize (default: callbacks.checkpoints.monitor; if that is null, "
        "a score of quality such as FID)",
    ),
    "study": Argument(
        _name, "name of the study; its folder is outputs/tune/NAME (default: the sweep's name)"
    ),
    "storage": Argument(
        str, "URL of a database, or a file (default: study.db in the study's folder)"
    ),
    "prune": Argument(
        boolean,
        "true to stop runs that score worse than the median of the other runs",
        True,
    ),
    "startup": Argument(
        natural,
        "number of first runs, which have random settings and are never pruned",
        5,
    ),
    "sampler_seed": Argument(seed, "seed of the search; seed= is the seed of the runs", 0),
    "timeout": Argument(
        _minutes, "minutes after which this process starts no further run (default: no limit)"
    ),
}

HELP = """
Further arguments are overrides as in `ganlab train`. Values such as key=a,b key=range(1,9,2)
key=interval(0.1,0.9) and key=tag(log,interval(1e-4,1e-2)) are searched; single values are fixed.
Your values replace the sweep's values. Each trial is a run, in outputs/tune/<study>/<number>;
compare the trials with ganlab compare.

After Ctrl-C or a crash, the same command resumes the search. Several processes with the same
command share one search; on one machine, give each of them threads=1. Machines with a shared
network folder need storage=FILE in that folder, since SQLite fails on network folders. Machines
without a shared folder need storage=postgresql://user@host/database or mysql://….
"""


def main(argv: list[str]) -> int:
    """Start or join a search; return 0 if it has a best trial."""
    if wants_help(argv):
        print(usage("tune", "search for good settings with Optuna", ARGUMENTS) + "\n" + HELP)
        return 0
    positional, texts = split_options(argv, ARGUMENTS)
    given = [text for text in texts if text.partition("=")[0] in ARGUMENTS]
    overrides = [text for text in texts if text not in given]
    _check_overrides([*positional, *overrides])
    arguments = parse(given, ARGUMENTS)
    say_loading("tune", "the search space")
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
        return search(overrides, arguments)
    except optuna.exceptions.StorageInternalError as error:
        reason = without_password(str(error.__cause__ or error).splitlines()[0])
        raise ConfigError(
            f"storage: {reason}. Once the storage can be written, resume the search with the "
            "same command."
        ) from error


def _check_overrides(overrides: Sequence[str]) -> None:
    for text in overrides:
        key, equals, _ = text.partition("=")
        if not equals:
            raise ConfigError(
                f"{text}: cannot be read; write key=value.{nearest(key, list(ARGUMENTS))}"
            )
        if key.lstrip("+~") in ("run", "run_dir", "resume", "dry_run"):
            raise ConfigError(f"{key}: ganlab tune sets it for each trial; leave it out.")
