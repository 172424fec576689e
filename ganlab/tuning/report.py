"""Plots and a summary of a search."""

from __future__ import annotations

import shlex
import warnings
from collections import Counter
from typing import Any

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ganlab.errors import RunError
from ganlab.files import atomic
from ganlab.record.machine import without_password
from ganlab.record.old_names import current_override
from ganlab.record.run import read_record
from ganlab.tuning.study import Search

HISTORY, IMPORTANCES = "history.png", "importances.png"
LABELS = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running or stopped",
}


def draw(search: Search) -> None:
    """Write `history.png` and `importances.png` of the trials so far, if there are enough trials.

    Raises:
        RunError: a plot cannot be written.
    """
    with search.lock:  # so that of several processes the last one draws all finished trials
        trials = search.study.get_trials(deepcopy=False)
        if sum(trial.state is TrialState.COMPLETE for trial in trials) > 1:
            _draw_history(search, trials)
        if importances := importances_of(search.study):
            _draw_importances(search, importances)


def importances_of(study: optuna.Study) -> dict[str, float]:
    """Return a dict from each setting to its share of the importance for a good score.

    The shares are those of PED-ANOVA (Watanabe, Bansal, Hutter 2023, arXiv:2304.10255), and add up
    to 1. The dict is empty if there is only one setting, if fewer than two trials have finished, or
    if all shares are equal.
    """
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(done) < 2 or len({key for trial in done for key in trial.params}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a warning on equal shares, which are handled below
        shares = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return shares if len(set(shares.values())) > 1 else {}


def report(search: Search) -> int:
    """Print the best trial and the paths of all files; return 0 if a trial finished, else 1."""
    trials = search.study.get_trials(deepcopy=False)
    counts = Counter(trial.state for trial in trials)
    states = ", ".join(
        f"{counts[state]} {label}" for state, label in LABELS.items() if counts[state]
    )
    print(f"\nSearch {search.folder.name}: {len(trials)} trials: {states}.")
    failed: dict[str, list[str]] = {}
    for trial in trials:
        if error := trial.user_attrs.get("error"):
            failed.setdefault(error, []).append(str(trial.number))
    for error, numbers in failed.items():
        print(f"  failed: {', '.join(numbers)}: {error}")
    if counts[TrialState.COMPLETE]:
        _report_best(search)
    for name, what in ((HISTORY, "history"), (IMPORTANCES, "importance")):
        path = search.folder / name
        why = "none yet: needs two finished trials" + (
            ", and two settings of unequal importance" if name == IMPORTANCES else ""
        )
        print(f"  {what:<11} {path if path.exists() else why}")
    print(f"  study       {_storage(search)}")
    print(f"  all runs    ganlab compare {search.folder}")
    return 0 if counts[TrialState.COMPLETE] else 1


def _report_best(search: Search) -> None:
    best = search.study.best_trial
    folder = search.run_of(best)
    better = "higher" if search.study.direction is StudyDirection.MAXIMIZE else "lower"
    print(f"Best: trial {best.number}, {search.score} {best.value:g} ({better} is better)")
    settings = [current_override(f"{key}={value}") for key, value in best.params.items()]
    for setting in settings:
        print(f"  {setting}")
    try:
        protocol = dict(read_record(folder)["scores"][search.score]["protocol"])
        name = protocol.pop("protocol", "")
        print(f"  protocol    {name}: {', '.join(f'{key} {v}' for key, v in protocol.items())}")
        print(f"  run         {folder}")
    except (RunError, KeyError):
        print(f"  run         not found: {folder} is on another machine, or was moved")
    print(f"  train it    {shlex.join(['ganlab', 'train', *search.fixed, *settings])}")


def _storage(search: Search) -> str:
    return without_password(search.storage or str(search.folder / "study.db"))


def _draw_history(search: Search, trials: list[FrozenTrial]) -> None:
    figure, axes = _figure(4)
    maximize = search.study.direction is StudyDirection.MAXIMIZE
    styles: dict[TrialState, dict[str, Any]] = {
        TrialState.COMPLETE: {"marker": "o", "color": "tab:blue"},
        TrialState.PRUNED: {"marker": "x", "color": "tab:gray"},
    }
    for state, style in styles.items():
        points = [(t.number, t.value) for t in trials if t.state is state and t.value is not None]
        if points:
            axes.plot(*zip(*points, strict=True), linestyle="", label=LABELS[state], **style)
    best, line = None, []
    for trial in trials:
        if trial.state is TrialState.COMPLETE:
            best = trial.value if best is None else (max if maximize else min)(best, trial.value)
        if best is not None:
            line.append((trial.number, best))
    axes.step(*zip(*line, strict=True), where="post", color="tab:orange", label="best so far")
    for trial in trials:
        if trial.state is TrialState.FAIL:
            axes.axvline(trial.number, color="tab:red", alpha=0.3, linewidth=1)
    values = [t.value for t in trials if t.state is TrialState.COMPLETE]
    if min(values) > 0 and max(values) > 10 * min(values):
        axes.set_yscale("log")
    axes.set(
        title=f"{search.folder.name}: best {search.study.best_value:g}",
        xlabel="trial" + (" (red: failed)" if any("error" in t.user_attrs for t in trials) else ""),
        ylabel=f"{search.score}\n({'higher' if maximize else 'lower'} is better)",
    )
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    with atomic(search.folder / HISTORY) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


def _draw_importances(search: Search, importances: dict[str, float]) -> None:
    figure, axes = _figure(1.2 + 0.4 * len(importances))
    keys = list(importances)[::-1]
    axes.barh(keys, [importances[key] for key in keys], color="tab:blue")
    done = len(search.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
    figure.suptitle(f"Importance of settings for {search.score}", fontsize=11)
    axes.set_xlabel(f"share (PED-ANOVA, {done} trials{', too few to rely on' * (done < 20)})")
    axes.grid(alpha=0.3, axis="x")
    with atomic(search.folder / IMPORTANCES) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


def _figure(height: float) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, height), layout="tight")
    return figure, figure.add_subplot()
