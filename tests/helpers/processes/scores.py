"""Scores a model; tests/metrics/protocols/test_distributed_scores.py runs it in each process.

usage: scores.py FOLDER RANK RANKS
"""

import json
import sys
from pathlib import Path

import torch
from helpers.tiny import tiny_images, tiny_labelled

from ganlab import metrics
from ganlab.metrics import Extractor, SampleProtocol, Work


class Projection(Extractor):
    """Eight features and three logits, linear in the pixels."""

    name, title, hash, resizer, width, classes = "projection", "projection", "0", "none", 8, 3

    def __init__(self):
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        self.register_buffer("matrix", torch.randn(64, 11, generator=rng) / 8)

    def forward(self, images):
        seen = (images.flatten(1).float() / 128 - 1) @ self.matrix
        return seen[:, :8], seen[:, 8:]


def protocol():
    """Return a protocol whose metrics have every kind of state: sums, lists and submodules."""
    return SampleProtocol(
        "distributed",
        {
            "frechet": metrics.FrechetDistance(),
            "kernel": metrics.KernelDistance(subset_size=20, subsets=5),
            "inception": metrics.InceptionScore(splits=2),
            "manifold": metrics.PrecisionRecall(),
            "density": metrics.DensityCoverage(),
            "memorization": metrics.MemorizationInformedFrechetDistance(),
            "shares": metrics.ClassShares(),
            "classes": metrics.ClassFrechetDistance(),
            "consistency": metrics.LabelConsistency(),
            "bins": metrics.BinnedProportions(bins=5),
            "pairs": metrics.PairwiseDistance(),
            "nearest": metrics.NearestNeighbours(),
        },
        features=Projection,
        samples=151,
        split="train",
    )


def main(folder, rank, ranks):
    if ranks > 1:
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=ranks
        )
    data = tiny_images(samples=121)
    scores = protocol().evaluate(tiny_labelled().eval(), data, Work(rank, ranks))
    values = {name: score.value for name, score in scores.items()}
    (folder / f"scores{rank}of{ranks}.json").write_text(json.dumps(values))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), *map(int, sys.argv[2:4]))
