"""Reading of metrics.csv."""

import pytest

from ganlab.errors import RunError
from ganlab.record.log import read_metrics


def test_a_file_that_is_too_large_is_refused(tmp_path):
    with open(tmp_path / "metrics.csv", "w") as file:
        file.truncate(2**28 + 1)  # takes no room on the disk
    with pytest.raises(RunError, match=r"metrics\.csv is damaged: it has 268,435,457 bytes"):
        read_metrics(tmp_path)


def test_a_file_that_is_no_table_is_damaged_and_one_that_is_missing_is_empty(tmp_path):
    assert read_metrics(tmp_path) == []
    for text in ("loss\n1\n", "examples_seen,loss\n1,x\n", "examples_seen,loss\ninf,1\n"):
        (tmp_path / "metrics.csv").write_text(text)
        with pytest.raises(RunError, match=r"metrics\.csv is damaged: .*[^.]\.$"):
            read_metrics(tmp_path)


def test_a_half_written_row_is_left_out(tmp_path):
    (tmp_path / "metrics.csv").write_text("examples_seen,loss\n8,0.5\n16,\n24,0.2")
    assert read_metrics(tmp_path) == [{"examples_seen": 8, "loss": 0.5}, {"examples_seen": 16}]
