"""`python -m ganlab`, the same as `ganlab`."""

import sys

from ganlab.cli import main

sys.exit(main())
