"""Plays games one after another in one of several processes, for tests/core.

usage: game.py FOLDER RANK RANKS PORT [GAME …]: plays these games of `FAMILIES`, or all games

Everything is in float64, even code that calls `Tensor.float`. In float32, rounding changes results
by 1e-7 when several processes share the work, which would hide small mistakes in gradients.
"""

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import torch
from helpers.processes.families import FAMILIES, pooled, synchronised
from helpers.tiny import fit, start_python, tiny_gan, tiny_ring

from ganlab.callbacks import EMA, Budget, Checkpoints
from ganlab.core import AdversarialModule
from ganlab.core.load import read_checkpoint
from ganlab.core.sync_batch_norm import BatchNormSync

BATCHES = 6


class Process:
    """This process, one of `ranks` processes that train games together.

    Args:
        folder: where files for the tests are written.
        rank: rank of this process.
        ranks: number of processes.
    """

    def __init__(self, folder, rank, ranks):
        self.folder, self.rank, self.ranks = folder, rank, ranks
        self.notes = {}

    def play(self, name, module, data, *callbacks, budget=None, folder=None, **options):
        """Train, write the final state to a file, and note counters; return the module."""
        if self.ranks > 1:
            options["strategy"] = "ddp_find_unused_parameters_true"
        module.log_every = 2
        callbacks = [
            budget or Budget(batches=BATCHES),
            EMA(50, None),
            *callbacks,
            Checkpoints(self.folder / (folder or name), every_examples=None),
        ]
        before = weights(module)
        fit(module, *callbacks, data=double(data), devices=self.ranks, **options)
        change = float((weights(module) - before).abs().max())
        torch.save(module.state_dict(), self.folder / f"{name}.{self.rank}of{self.ranks}.pt")
        counters = [module.batches_seen, module.examples_seen, module.steps]
        self.notes[name] = {"counters": counters, "change": change}
        return module

    def checkpoint(self, folder):
        return self.folder / folder / "checkpoints" / "last.ckpt"


def start(folder, rank, ranks, port, *games):
    """Start a process that runs this file, and return it."""
    arguments = [__file__, *map(str, (folder, rank, ranks, port)), *games]
    return start_python(arguments, stderr=subprocess.PIPE)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def main(folder, rank, ranks, games=()):
    process = Process(folder, rank, ranks)
    with double_precision(), joint_draws(rank, ranks):
        for name in games or FAMILIES:
            process.play(name, *FAMILIES[name](4 // ranks))
        if not games:
            process.play("synchronised", *synchronised(4 // ranks), plugins=[BatchNormSync(True)])
    if ranks > 1 and not games:
        with double_precision():
            alone(process)
    (folder / f"notes.{rank}of{ranks}.json").write_text(json.dumps(process.notes))


def layer_differences(rank):
    """Return the relative differences of a synchronised layer and a plain layer.

    The synchronised layer gets 3 samples on rank 0 and 5 on rank 1, the plain layer all 8. Compared
    are outputs, gradients of first and second order, and running statistics.
    """
    torch.manual_seed(0)
    x, one = torch.randn(8, 4, 5).add_(3).requires_grad_(), torch.nn.BatchNorm1d(4)
    torch.nn.init.normal_(one.weight)
    both = BatchNormSync(True).apply(deepcopy(one))
    part = slice(0, 3) if rank == 0 else slice(3, 8)
    share = x.detach()[part].clone().requires_grad_()
    y, own = one(x), both(share)
    (g,) = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
    (own_g,) = torch.autograd.grad(own.pow(3).sum(), share, create_graph=True)
    g.square().sum().backward()
    own_g.square().sum().backward()
    pairs = [(y[part], own), (g[part], own_g), (x.grad[part], share.grad)]
    pairs += zip(one.buffers(), both.buffers(), strict=True)
    return [float((a - b).abs().max() / a.abs().max()) for a, b in pairs]


def alone(process):
    """Play games that are compared with nothing in a single process."""
    process.notes["layer"] = layer_differences(process.rank)
    draws = []

    class Noting(type(tiny_gan())):
        def draw_latents(self, n, generator=None):
            draws.append(super().draw_latents(n, generator))
            return draws[-1]

    process.play("own", tiny_gan(Noting), tiny_ring(samples=64))
    process.notes["own"]["draws"] = [draw.tolist() for draw in draws]
    process.play("own_statistics", *synchronised(2))

    # clocks of two processes differ: here the time of rank 1 is over long before that of rank 0
    budget = Budget(examples=10**6, minutes=60)
    if process.rank == 1:
        budget.limits["minutes"] = 0.005
    process.play("clocks", tiny_gan(), tiny_ring(samples=64), budget=budget)
    saved = read_checkpoint(process.checkpoint("clocks"))["ganlab"]["counters"]
    process.notes["clocks"]["saved"] = saved["batches_seen"]

    process.play("whole", *pooled(2))
    half = Budget(batches=BATCHES // 2)
    process.play("half", *pooled(2), budget=half, folder="parts")
    resumed = {"ckpt_path": process.checkpoint("parts"), "folder": "parts"}
    process.play("resumed", *pooled(2), **resumed)

    # runs with synchronised batch norm resume without it, and vice versa
    for name, one, other in (("there", True, False), ("back", False, True)):
        process.play(f"{name}_1", *synchronised(2), plugins=[BatchNormSync(one)], folder=name)
        resumed = {"ckpt_path": process.checkpoint(name), "folder": name}
        process.play(
            f"{name}_2",
            *synchronised(2),
            plugins=[BatchNormSync(other)],
            budget=Budget(batches=BATCHES + 1),
            **resumed,
        )


@contextmanager
def double_precision():
    """Compute everything in float64 within the block."""
    single = torch.Tensor.float
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.Tensor.float = single


@contextmanager
def joint_draws(rank, ranks):
    """Let each process sample random numbers of the joint batch, and use its share of them."""
    rank_of = AdversarialModule.global_rank

    def joint(draw):
        def drawn(*shape, generator=None, **options):
            shape = shape[0] if isinstance(shape[0], (tuple, list, torch.Size)) else shape
            if generator is not None or not shape:
                return draw(shape, generator=generator, **options)
            whole = draw((shape[0] * ranks, *shape[1:]), **options)
            return whole.chunk(ranks)[rank]

        return drawn

    names = ("randn", "rand", "randn_like", "rand_like", "randint")
    before = {name: getattr(torch, name) for name in names}
    torch.randn, torch.rand = joint(before["randn"]), joint(before["rand"])
    torch.randn_like = lambda x: torch.randn(x.shape)
    torch.rand_like = lambda x: torch.rand(x.shape)

    def randint(*bounds_and_shape, **options):
        *bounds, shape = bounds_and_shape
        draw = lambda shape, **options: before["randint"](*bounds, shape, **options)  # noqa: E731
        return joint(draw)(shape, **options)

    torch.randint = randint
    AdversarialModule.global_rank = property(lambda self: 0)  # same seed on all ranks
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(torch, name, function)
        AdversarialModule.global_rank = rank_of


def weights(module):
    """Return all trained weights as one vector."""
    own = [p.detach().flatten() for role in module.roles for p in module.parameters_of[role]]
    return torch.cat(own)


def double(data):
    transfer = data.on_after_batch_transfer

    def on_after_batch_transfer(batch, index):
        batch = transfer(batch, index)
        return {k: v.double() if v.is_floating_point() else v for k, v in batch.items()}

    data.on_after_batch_transfer = on_after_batch_transfer
    return data


if __name__ == "__main__":
    folder, (rank, ranks, port), games = Path(sys.argv[1]), map(int, sys.argv[2:5]), sys.argv[5:]
    if ranks > 1:
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_RANK": rank}
        os.environ.update({key: str(value) for key, value in address.items()})
    torch.set_num_threads(1)
    main(folder, rank, ranks, games)
