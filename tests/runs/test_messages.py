"""Where Lightning's log and Python's warnings go during a session."""

import logging
import warnings

from ganlab.runs.messages import LOGGED, Messages


def state():
    loggers = [logging.getLogger(name) for name in LOGGED]
    return [(log.handlers, log.propagate, log.level) for log in loggers], list(warnings.filters)


def test_messages_go_to_the_file_also_those_from_before_it(tmp_path):
    before = state()
    messages = Messages(is_main=True)
    logging.getLogger("lightning.pytorch").info("first")
    tips = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    tips.info("💡 Tip: before the file")
    messages.write_to(tmp_path / "log.txt")
    tips.info("💡 Tip: after it")
    warnings.warn("second", UserWarning, stacklevel=1)
    messages.close()
    logging.getLogger("ganlab").info("third")
    text = (tmp_path / "log.txt").read_text()
    assert text.index("first") < text.index("second")
    assert "third" not in text
    assert "Tip" not in text
    assert state() == before


def test_another_process_writes_nothing(capsys):
    before = state()
    messages = Messages(is_main=False)
    logging.getLogger("lightning.pytorch").warning("first")
    messages.close()
    assert capsys.readouterr() == ("", "")
    assert state() == before
