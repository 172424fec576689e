"""Every test: one thread, and the helpers of tests/tiny.py at hand."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
torch.set_num_threads(1)
