"""Messages of a training session: where Lightning's log and Python's warnings go."""

from __future__ import annotations

import logging
import sys
import warnings
from logging.handlers import MemoryHandler
from pathlib import Path

from ganlab.record.log import LogFile

# loggers whose messages go to log.txt
LOGGED = ("py.warnings", "lightning", "lightning.pytorch", "lightning.fabric", "ganlab")
DATA = "ganlab.data"  # logger whose messages are printed too

# starts of warnings that do not concern users: of Lightning's own code, and of EMA networks
NOISE = (r"`isinstance\(treespec", r"Found \d+ module\(s\) in eval mode")


def _is_no_tip(record: logging.LogRecord) -> bool:
    return "Tip: " not in record.getMessage()


class Messages:
    """Keeps messages off the screen, and writes them to a file; `close` undoes this.

    Users see only how a folder is read, what is skipped, and what is downloaded.

    Args:
        is_main: whether this is the main process; other processes' messages are dropped.
    """

    def __init__(self, is_main: bool) -> None:
        # keeps the messages until there is a file: nothing is written before the data are read
        self._handler: logging.Handler = MemoryHandler(0) if is_main else logging.NullHandler()
        self._handler.addFilter(_is_no_tip)
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        logging.captureWarnings(True)
        warnings.filterwarnings("default", category=UserWarning)
        for text in NOISE:
            warnings.filterwarnings("ignore", message=text)
        loggers = [logging.getLogger(name) for name in (*LOGGED, DATA)]
        self._before = [(log, log.handlers, log.propagate, log.level) for log in loggers]
        for logger in loggers[:-1]:
            logger.handlers, logger.propagate = [self._handler], False
            logger.setLevel(logging.INFO)
        if is_main:
            loggers[-1].handlers = [logging.StreamHandler(sys.stderr)]

    def write_to(self, path: Path) -> None:
        """Write the messages so far, and from now on, to the end of a file.

        Raises:
            RunError: the file cannot be written, or is a link.
        """
        file = LogFile(path)
        file.addFilter(_is_no_tip)
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self._handler.setTarget(file)
        self._handler.close()  # which writes its messages
        self._handler = file
        for name in LOGGED:
            logging.getLogger(name).handlers = [file]

    def close(self) -> None:
        """Close the file, and restore the loggers and Python's warnings."""
        logging.captureWarnings(False)
        self._warnings.__exit__(None, None, None)
        for logger, handlers, propagate, level in self._before:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
        self._handler.close()
