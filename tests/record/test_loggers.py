"""metrics.csv has one row per number of examples, and stays complete in all cases."""

import pytest

from ganlab.record.contact_sheet import save_contact_sheet
from ganlab.record.curves import save_curves
from ganlab.record.log import read_metrics
from ganlab.record.loggers import CSVLogger


@pytest.fixture
def logger(tmp_path):
    return CSVLogger(tmp_path)


def test_values_of_the_same_step_share_a_row(logger, tmp_path):
    logger.log_metrics({"a": 0.1}, step=4)
    logger.log_metrics({"b": 2}, step=4)
    logger.log_metrics({"a": 0.3, "b": 4}, step=8)
    # the row of 8 examples is not complete, and so not written
    assert read_metrics(tmp_path) == [{"examples_seen": 4, "a": 0.1, "b": 2}]
    logger.finalize("success")
    assert logger.path.read_text() == "examples_seen,a,b\n4,0.1,2\n8,0.3,4\n"


def test_new_columns_keep_the_rows_before(logger, tmp_path):
    for step in (4, 8):
        logger.log_metrics({"a": step}, step=step)
    logger.log_metrics({"a": 1 / 3, "score": 0.5}, step=12)
    logger.log_metrics({"a": 4}, step=16)
    logger.save()
    assert logger.path.read_text() == (
        f"examples_seen,a,score\n4,4,\n8,8,\n12,{1 / 3},0.5\n16,4,\n"
    )
    assert read_metrics(tmp_path)[-1] == {"examples_seen": 16, "a": 4}


def test_resume_drops_later_rows_and_their_columns(logger, tmp_path):
    for step in (4, 8, 12):
        logger.log_metrics({"a": step} | ({"late": 1} if step == 12 else {}), step=step)
    logger.save()
    resumed = CSVLogger(tmp_path)
    resumed.resume(8)
    assert resumed.path.read_text() == "examples_seen,a\n4,4\n8,8\n"
    resumed.log_metrics({"a": 12, "late": 1}, step=12)
    resumed.save()
    assert resumed.path.read_text() == "examples_seen,a,late\n4,4,\n8,8,\n12,12,1\n"


def test_resume_from_before_the_first_row(logger, tmp_path):
    logger.log_metrics({"a": 1}, step=4)
    logger.save()
    resumed = CSVLogger(tmp_path)
    resumed.resume(0)
    resumed.log_metrics({"b": 2}, step=2)
    resumed.save()
    assert resumed.path.read_text() == "examples_seen,b\n2,2\n"


@pytest.mark.parametrize("half", ["8,0.12", "8,", "8", "8,0.12,"])
def test_half_written_line_is_left_out(logger, tmp_path, half):
    logger.path.write_text(f"examples_seen,a,b\n4,1,2\n{half}")
    assert read_metrics(tmp_path) == [{"examples_seen": 4, "a": 1, "b": 2}]
    logger.resume(100)
    logger.log_metrics({"a": 3, "b": 4}, step=8)
    logger.save()
    assert logger.path.read_text() == "examples_seen,a,b\n4,1,2\n8,3,4\n"


def test_no_metrics_yet(logger, tmp_path):
    assert read_metrics(tmp_path) == []
    logger.resume(0)
    logger.save()
    assert not logger.path.exists()
    save_curves(tmp_path)  # with nothing to draw there is no error
    save_contact_sheet(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_numbers_survive_exactly(logger, tmp_path):
    values = {"a": 0.1 + 0.2, "b": 1e-45, "c": float("nan"), "d": float("-inf"), "e": -3}
    logger.log_metrics(values, step=2**40)
    logger.save()
    row = read_metrics(tmp_path)[0]
    assert {k: repr(row[k]) for k in values} == {k: repr(v) for k, v in values.items()}
    assert row["examples_seen"] == 2**40
