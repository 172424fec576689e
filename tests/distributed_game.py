"""Run by tests/test_distributed.py, once in each process: trains a tiny game and saves it.

usage: distributed_game.py FOLDER DEVICES BATCH_SIZE ACCUMULATE BUDGET [GAME]
"""

import json
import os
import sys
from pathlib import Path

import torch
from tiny import fit, sgd, tiny_gan, tiny_ring
from tiny_translation import (
    DISCRIMINATORS,
    GENERATORS,
    TinyDomains,
    TinyPairs,
    tiny_cyclegan,
    tiny_pix2pix,
)

from ganlab.callbacks import EMA, Checkpoints
from ganlab.core import Player
from ganlab.families import GAN
from ganlab.regularizers import R1
from ganlab.reports.runs import read_checkpoint


class JointLatents(GAN):
    """Each rank takes its slice of a joint draw, as it does of the data; the own draw is noted."""

    def draw_latents(self, n, generator=None):
        self.own_draws.append(super().draw_latents(n).tolist())
        rng = torch.Generator().manual_seed(self.batches_seen)
        joint = torch.randn(n * self.trainer.world_size, 4, generator=rng)
        return joint[self.global_rank * n :][:n]


def players(accumulate):
    return {
        "discriminator": Player(sgd(), accumulate=accumulate),
        "generator": Player(sgd(), every=2, gradient_clip=0.5),
    }


def gan(accumulate, batch_size):
    module = tiny_gan(JointLatents, players(accumulate), regularizers={"r1": R1(0.5, every=2)})
    return module, tiny_ring(batch_size=batch_size, samples=64)


def pix2pix(accumulate, batch_size):
    """Norms of each sample, and no noise, so that ranks together are one process."""
    module = tiny_pix2pix("instance", "instance", players(accumulate), dropout=False)
    return module, TinyPairs(batch_size=batch_size)


def cyclegan(accumulate, batch_size):
    both = players(accumulate)
    both["generator"].modules, both["discriminator"].modules = GENERATORS, DISCRIMINATORS
    return tiny_cyclegan(pool_size=0, players=both), TinyDomains(batch_size=batch_size)


def main(folder, devices, batch_size, accumulate, budget, game="gan"):
    make = {"gan": gan, "pix2pix": pix2pix, "cyclegan": cyclegan}[game]
    module, data = make(accumulate, batch_size)
    module.own_draws, module.log_every = [], 2
    options = {"strategy": "ddp_find_unused_parameters_true"} if devices > 1 else {}
    callbacks = [EMA(50, None), Checkpoints(folder, every_images=None)]
    trainer = fit(
        module,
        *budget_of(budget),
        *callbacks,
        data=data,
        devices=devices,
        **options,
    )
    rank = trainer.global_rank
    torch.save(module.state_dict(), folder / f"state{rank}.pt")
    counters = [module.batches_seen, module.images_seen, module.steps]
    (folder / f"rank{rank}.json").write_text(json.dumps([counters, module.own_draws]))
    saved = read_checkpoint(folder / "checkpoints" / "last.ckpt")["ganlab"]["counters"]
    if saved["batches_seen"] != module.batches_seen:
        sys.exit("the checkpoint is of another batch")


def budget_of(text):
    from ganlab.callbacks import Budget

    name, _, value = text.partition("=")
    # clocks of two ranks never agree: here one's is over when the other's has hardly begun
    budget = Budget(**{"images": 10**6, name: float(value)})
    if name == "minutes" and os.environ.get("LOCAL_RANK", "0") == "1":
        budget.limits["minutes"] = 0.01
    return [budget]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]), *sys.argv[5:])
