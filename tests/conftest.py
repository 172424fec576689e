"""Settings of all tests: torch uses one thread, and tests can import `helpers`."""

import sys
from pathlib import Path

import pytest
import torch

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS))
torch.set_num_threads(1)
pytest.register_assert_rewrite("helpers.experiments.acted")

# Each file is run by one process. The longest start first, so that none runs alone at the end.
LONGEST = (
    # files with tests that only `-m contract` runs
    "contract/test_readme.py",
    "sweeps/test_launchers.py",
    "runs/test_killed.py",
    "contract/test_experiments.py",
    "runs/test_launchers.py",
    "tuning/test_processes.py",
    "metrics/protocols/test_distributed_scores.py",
    "core/test_distributed.py",
    # other files
    "config/test_validation.py",
    "reproduction/test_reproduce.py",
    "reproduction/test_baselines.py",
    "sweeps/test_sweep.py",
    "runs/test_session_ends.py",
    "contract/test_reference_losses.py",
    "tuning/test_tune.py",
    "cli/test_bad_input.py",
    "lectures/test_dirac.py",
    "core/test_two_processes.py",
    "config/test_recipe.py",
    "cli/test_evaluate_command.py",
)


def pytest_configure(config):
    """Let `-m contract` skip slow tests; `-m 'contract and slow'` runs them."""
    if config.option.markexpr == "contract":
        config.option.markexpr = "contract and not slow"


def pytest_collection_modifyitems(items):
    order = {TESTS / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(LONGEST)))


@pytest.fixture(scope="module")
def no_curves():
    """Skip drawing curves at the end of runs, which takes a third of a short run's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ganlab.callbacks.tracking.save_curves", lambda folder: None)
        yield
