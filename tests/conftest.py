"""Every test: one thread, and the helpers of tests/helpers/ at hand."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent / "helpers"))
torch.set_num_threads(1)
pytest.register_assert_rewrite("acted")

# a file is run by one process: these begin first, so that none of them is left alone at the end
LONGEST = (
    "test_readme.py",
    "test_experiments.py",
    "test_sweep_launchers.py",
    "test_launchers.py",
    "test_sweep.py",
)


def pytest_configure(config):
    """`-m contract` leaves out what is slow too, unless it says so: `-m 'contract and slow'`."""
    if config.option.markexpr == "contract":
        config.option.markexpr = "contract and not slow"


def pytest_collection_modifyitems(items):
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


@pytest.fixture(scope="module")
def no_curves():
    """Runs end without a drawing of their curves, which is a third of a short run's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ganlab.callbacks.tracking.save_curves", lambda folder: None)
        yield
