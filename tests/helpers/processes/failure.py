"""Run by tests/runs/test_launchers.py as `ganlab`: the first process fails at a look at samples."""

import sys

from ganlab.callbacks import Samples
from ganlab.cli import main


def draw(self, trainer, module):
    if module.examples_seen and trainer.is_global_zero:
        raise ValueError("no picture")


if __name__ == "__main__":
    Samples.draw = draw
    sys.exit(main())
