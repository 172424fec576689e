"""Short baselines of ours are reproduced: minutes each, so marked slow (`pytest -m slow`)."""

import json
import os

import pytest
import torch

from ganlab.cli import main
from ganlab.reproduction.ledger import baselines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

SHORT = [name for name, baseline in baselines().items() if not baseline.published]


@pytest.fixture(autouse=True)
def _all_cores():
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", SHORT)
def test_short_baseline_is_reproduced(name, tmp_path):
    """Over the seeds that it was measured with; a failure as a failure."""
    assert main(["reproduce", name, "--seeds", "3", f"out={tmp_path}"]) == 0
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert verdict["verdict"] in ("reproduced", "failure reproduced"), verdict["words"]
