"""`ganlab` whose rank 0 fails when it draws samples; tests/runs/test_launchers.py runs it."""

import sys

from ganlab.callbacks import Samples
from ganlab.cli import main


def draw(self, trainer, module):
    if module.examples_seen and trainer.is_global_zero:
        raise ValueError("no picture")


if __name__ == "__main__":
    Samples.draw = draw
    sys.exit(main())
