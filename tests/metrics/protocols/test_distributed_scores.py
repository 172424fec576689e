"""Two processes that share an evaluation get the scores of a single process."""

import json
import os
import subprocess
import sys

import pytest
from helpers.tiny import REPOSITORY

pytestmark = pytest.mark.contract


def test_two_processes_score_as_one(tmp_path):
    script = str(REPOSITORY / "tests" / "helpers" / "processes" / "scores.py")
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    processes = [
        subprocess.Popen(
            [sys.executable, script, str(tmp_path), str(rank), str(ranks)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, ranks in ((0, 1), (0, 2), (1, 2))
    ]
    for process in processes:
        _, errors = process.communicate(timeout=150)
        assert process.returncode == 0, errors[-3000:]
    one, first, second = (
        json.loads((tmp_path / f"scores{name}.json").read_text())
        for name in ("0of1", "0of2", "1of2")
    )
    assert first == second
    assert len(one) > 20
    for name, value in one.items():
        assert first[name] == pytest.approx(value, rel=1e-6, abs=1e-9), name
