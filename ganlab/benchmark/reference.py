"""The hand-written reference loop over a module's networks, and its comparison with ganlab's."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer

from ganlab.benchmark.calls import Calls, count_calls
from ganlab.benchmark.translation import cyclegan_loop, pix2pix_loop
from ganlab.core import AdversarialModule
from ganlab.families import GAN, CycleGAN, Pix2Pix
from ganlab.record.machine import peak_memory_mib
from ganlab.regularizers import Step
from ganlab.runs.trial import fit, now


def reference_loop(
    module: AdversarialModule, data: Any, copy: bool = True, precision: str = "32-true"
) -> Callable[[int], None]:
    """Return the hand-written loop for the module's family, see `gan_loop`.

    Args:
        module: the model.
        data: the model's data module, set up.
        copy: train copies of the networks instead of the networks themselves.
        precision: "32-true", or "bf16-mixed" for autocast as in Lightning.

    Returns:
        A function that trains for a number of batches.
    """
    train = REFERENCE_LOOPS[type(module)](module, data, copy)

    def run(batches: int) -> None:
        mixed = precision == "bf16-mixed"
        with torch.autocast(module.device.type, torch.bfloat16, enabled=mixed):
            train(batches)

    return run


def gan_loop(module: GAN, data: Any, copy: bool = True) -> Callable[[int], None]:
    """Return a hand-written loop over the module's networks: no Lightning, no log, no EMA.

    It uses the module's losses and penalties, and optimizers with the module's settings. As in
    ganlab, both players' steps share the generated samples, and the discriminator is frozen in the
    generator's step.

    Args:
        module: the model.
        data: the model's data module, set up.
        copy: train copies of the networks instead of the networks themselves.

    Returns:
        A function that trains for a number of batches.
    """
    device = module.device
    generator, discriminator = module.generator, module.discriminator
    if copy:
        generator, discriminator = deepcopy(generator), deepcopy(discriminator)
    loss, regularizers = deepcopy((module.adversarial, module.regularizers))
    every = next(phase.every for phase in module.phases if phase.name == "generator")
    images, labels = data.train["example"], data.train.get("label")
    size, n = data.batch_size, len(data.train["example"])
    conditional = module.classes is not None

    def optimizer(role: str, network: torch.nn.Module) -> torch.optim.Optimizer:
        from ganlab.core import ScheduledScalars

        player = module.players[role]
        return player.build_optimizer(role, list(network.parameters()), ScheduledScalars())

    optimize_g = optimizer("generator", generator)
    optimize_d = optimizer("discriminator", discriminator)
    state = {"step": 0, "order": torch.randperm(n), "at": 0}

    def score(x: torch.Tensor, y: torch.Tensor | None) -> torch.Tensor:
        x = regularizers.augment(x)
        return discriminator(x, y) if conditional else discriminator(x)

    def batch() -> tuple[torch.Tensor, torch.Tensor | None]:
        if state["at"] + size > n:
            state["order"], state["at"] = torch.randperm(n), 0
        index = state["order"][state["at"] : state["at"] + size]
        state["at"] += size
        real = images[index].to(device, non_blocking=True)
        real = data.modality.normalise(real)
        return real, labels[index].to(device) if conditional else None

    def train(batches: int) -> None:
        for _ in range(batches):
            step = state["step"]
            due = (step + 1) % every == 0
            real, y = batch()
            z = module.draw_latents(size)
            with torch.set_grad_enabled(due):
                fake = generator(z, y) if conditional else generator(z)
            a, b = regularizers.inputs(real, fake, step)
            real_scores, fake_scores = score(a, y), score(b, y)
            total = loss.discriminator(real_scores, fake_scores)
            if regularizers:
                seen = a, b, real_scores, fake_scores, step
                terms = regularizers.terms(Step(discriminator, lambda x, y=y: score(x, y), *seen))
                total = sum(terms.values(), total)
            total.backward()
            optimize_d.step()
            optimize_d.zero_grad()
            regularizers.constrain(discriminator)
            if due:
                discriminator.requires_grad_(False)
                real_scores = None
                if loss.paired:
                    with torch.no_grad():
                        real_scores = score(real, y)
                loss.generator(score(fake, y), real_scores).backward()
                optimize_g.step()
                optimize_g.zero_grad()
                discriminator.requires_grad_(True)
            state["step"] += 1

    discriminator.requires_grad_(True)
    generator.requires_grad_(True)
    return train


# subclasses of these have none, since they may play another game
REFERENCE_LOOPS = {GAN: gan_loop, CycleGAN: cyclegan_loop, Pix2Pix: pix2pix_loop}


class AlternatingLoops(Callback):
    """Runs a block of the reference loop after each block of ganlab's loop, and times both.

    For a family without a reference loop, it times ganlab's loop alone.

    Args:
        batches: the number of batches in a block; None for blocks of about `seconds`.
        blocks: the number of timed pairs of blocks; one more pair warms up first.
        seconds: the duration of a block of ganlab's loop if `batches` is None.
        precision: the precision of the reference loop.

    Attributes:
        ours: seconds per batch of each timed block of ganlab's loop.
        reference: seconds per batch of each timed block of the reference loop.
        calls: the operator calls in one batch, under the keys "ours" and "reference"; counted after
            the blocks.
    """

    def __init__(self, batches: int | None, blocks: int, seconds: float, precision: str) -> None:
        self.chosen, self.blocks, self.seconds = batches, blocks, seconds
        self.precision = precision
        self.calls: dict[str, dict[str, int]] = {}
        self._counter: Calls | None = None
        self.batches = batches or 10
        self.ours: list[float] = []
        self.reference: list[float] = []
        self._warm = False

    def on_train_start(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Build the reference loop over copies of the networks, and start the clock."""
        self.device, self.train = str(pl_module.device), None
        if type(pl_module) in REFERENCE_LOOPS:
            self.train = reference_loop(pl_module, trainer.datamodule, precision=self.precision)
        self._count, self._started = 0, now(pl_module.device)

    def on_train_batch_start(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Start counting calls once all blocks are timed."""
        if len(self.ours) >= self.blocks:
            self._counter = Calls()
            self._counter.start()

    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        """Run a block of the reference loop after each block of ganlab's loop."""
        if self._counter is not None:
            self.calls["ours"] = self._counter.stop()
            if self.train:
                self.calls["reference"] = count_calls(lambda: self.train(1))
            trainer.should_stop = True
            return
        self._count += 1
        if self._count < self.batches:
            return
        device = pl_module.device
        ours = (now(device) - self._started) / self.batches
        self.examples_in_batch = pl_module.examples_in_batch
        reference = []
        if self.train:
            started = now(device)
            self.train(self.batches)
            reference = [(now(device) - started) / self.batches]
        if self._warm:
            self.ours.append(ours)
            self.reference += reference
        elif self.chosen is None:
            self.batches = max(2, int(self.seconds / ours))
        self._warm = True
        self._count, self._started = 0, now(device)


def peak_memory(
    config: dict[str, Any], batches: int, precision: str, loops: tuple[str, ...]
) -> dict[str, float]:
    """Return the peak memory in MiB of each of `loops`, "ours" or "reference".

    Each loop runs in its own process. On CUDA the memory is that of the tensors on the device,
    otherwise that of the whole process.
    """
    context = multiprocessing.get_context("spawn")
    result = {}
    for which in loops:
        with context.Pool(1) as pool:
            result[which] = pool.apply(_peak_memory_of, (config, which, batches, precision))
    return result


def _peak_memory_of(config: dict[str, Any], which: str, batches: int, precision: str) -> float:
    parts = fit(config, _Alone(which, batches, precision))
    if parts.module.device.type == "cuda":
        return round(torch.cuda.max_memory_allocated() / 2**20, 1)
    return peak_memory_mib()


class _Alone(Callback):
    """Runs either ganlab's loop ("ours") or the reference loop alone for some batches."""

    def __init__(self, which: str, batches: int, precision: str) -> None:
        self.which, self.batches, self.precision = which, batches, precision

    def on_train_start(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        if self.which == "reference":
            train = reference_loop(pl_module, trainer.datamodule, False, self.precision)
            train(self.batches)
            trainer.should_stop = True
            trainer.fit_loop.epoch_loop.max_steps = 0

    def on_train_batch_end(self, trainer: Trainer, pl_module: AdversarialModule, *_: Any) -> None:
        trainer.should_stop = pl_module.batches_seen >= self.batches or self.which == "reference"
