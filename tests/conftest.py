"""Every test: one thread, and the helpers of tests/helpers/ at hand."""

import sys
from pathlib import Path

import pytest
import torch

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS))
torch.set_num_threads(1)
pytest.register_assert_rewrite("helpers.experiments.acted")

# A file is run by one process: these begin first, so that none of them is left alone at the end.
LONGEST = (
    # of the contract
    "contract/test_readme.py",
    "sweeps/test_launchers.py",
    "contract/test_experiments.py",
    "runs/test_launchers.py",
    "tuning/test_processes.py",
    "metrics/protocols/test_distributed_scores.py",
    "core/test_distributed.py",
    # of every run
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
    "runs/test_killed.py",
)


def pytest_configure(config):
    """`-m contract` leaves out what is slow too, unless it says so: `-m 'contract and slow'`."""
    if config.option.markexpr == "contract":
        config.option.markexpr = "contract and not slow"


def pytest_collection_modifyitems(items):
    place = {TESTS / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(LONGEST)))


@pytest.fixture(scope="module")
def no_curves():
    """Runs end without a drawing of their curves, which is a third of a short run's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ganlab.callbacks.tracking.save_curves", lambda folder: None)
        yield
