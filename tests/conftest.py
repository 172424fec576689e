"""Every test: one thread, and the helpers of tests/helpers/tiny.py at hand."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent / "helpers"))
torch.set_num_threads(1)

# a file is run by one process: these begin first, so that none of them is left alone at the end
LONGEST = (
    "test_readme.py",
    "test_experiments.py",
    "test_sweep_launchers.py",
    "test_launchers.py",
    "test_sweep.py",
)


def pytest_collection_modifyitems(items):
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))
