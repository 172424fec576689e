"""What every family that translates pictures into pictures offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ganlab.core.batch_norm import batch_norm_statistics
from ganlab.core.module import AdversarialModule, Batch
from ganlab.core.player import Player
from ganlab.core.randomness import seed_device
from ganlab.errors import ConfigError, one_of
from ganlab.losses import AdversarialLoss
from ganlab.regularizers import Adversary, Regularizer

NormAtTest = Literal["running", "batch"]
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


@dataclass(frozen=True)
class Direction:
    """One way to translate.

    Args:
        source: batch key of the pictures that go in.
        target: batch key of the pictures that come out.
        generator: the submodule that translates.
    """

    source: str
    target: str
    generator: str


class Translator(AdversarialModule):
    """A game whose generators translate pictures into pictures.

    Args:
        dropout_at_test: whether dropout stays on when the model is used: the noise of pix2pix
            (Isola et al. 2017, arXiv:1611.07004, section 3.2).
        norm_at_test: statistics of batch norm when the model is used: "running" averages, or those
            of the "batch", which is each picture by itself then, as in pix2pix. Other norms do not
            know the difference.

    Attributes:
        directions: the ways to translate, by name; the first is what is meant by none. Their
            generators have `in_channels`, and `multiple`, which sides of pictures must be multiples
            of.
        weights: of the terms, by name.
        adversary: how discriminators are played against, where there are any.

    Raises:
        ConfigError: an unknown name.
    """

    directions: Mapping[str, Direction] = {}
    adversary: Adversary

    def __init__(self, dropout_at_test: bool = False, norm_at_test: NormAtTest = "running") -> None:
        super().__init__()
        one_of("model.norm_at_test", norm_at_test, get_args(NormAtTest))
        self.dropout_at_test, self.norm_at_test = dropout_at_test, norm_at_test

    def set_weights(self, **weights: float) -> None:
        """Keep the weights of a family's terms in `weights`, by name; they may be schedules.

        Raises:
            ConfigError: one below 0.
        """
        for name, weight in weights.items():
            if isinstance(weight, (int, float)) and weight < 0:
                raise ConfigError(f"model.{name}_weight: received {weight}; needs 0 or more.")
        self.weights = weights

    def declare_game(
        self,
        players: Mapping[str, Player],
        adversarial: AdversarialLoss,
        regularizers: Mapping[str, Regularizer | None] | None,
        *discriminators: nn.Module,
        **scheduled: Any,
    ) -> None:
        """Keep the adversarial loss with its regularizers, and bind players; see `declare_players`.

        Call it once all submodules are registered and `set_weights` has been called.
        """
        self.adversarial = adversarial
        self.adversary = Adversary(adversarial, regularizers, *discriminators)
        self.declare_players(
            players,
            adversarial=adversarial,
            regularizers=self.adversary.regularizers,
            **scheduled,
            weights=self.weights,
        )

    def after_step(self, role: str) -> None:
        """Let regularizers constrain the discriminators' weights after their step."""
        if role == "discriminator":
            self.adversary.constrain()

    @torch.no_grad()
    def translate(
        self,
        x: Tensor,
        direction: str | None = None,
        *,
        ema: bool = True,
        seed: int | None = None,
        batch_size: int = 16,
    ) -> Tensor:
        """Pictures of one domain as pictures of another.

        Args:
            x: (N, C, H, W) in [−1, 1], on any device.
            direction: one of `directions`; the first unless given.
            ema: averaged weights where there are some, else the raw ones.
            seed: of what is random in it, such as dropout. Picture i is made with seed + i, by
                itself, so that it does not depend on the others.
            batch_size: pictures at once, where none influences another.

        Returns:
            (N, C, H, W) in [−1, 1], on the module's device.

        Raises:
            ConfigError: another direction, or pictures that the network cannot take.
        """
        chosen = self.direction(direction)
        alone = self.draws or self.norm_at_test == "batch"
        with self.translating(chosen.generator, ema) as generator:
            parts = []
            for index, part in enumerate(x.split(1 if alone else batch_size)):
                with self._drawing_from(None if seed is None else seed + index):
                    parts.append(self.generate(generator, part.to(self.device)))
        return torch.cat(parts)

    @property
    def draws(self) -> bool:
        """Whether a translation is drawn: one source has several."""
        generators = (self.get_submodule(way.generator) for way in self.directions.values())
        return self.dropout_at_test or any(hasattr(network, "latent") for network in generators)

    def generate(self, generator: nn.Module, x: Tensor) -> Tensor:
        """What a generator makes of x (N, C, H, W), and of a latent that is drawn if it takes one.

        Latents are drawn on the CPU, so that all devices draw the same.
        """
        if not hasattr(generator, "latent"):
            return generator(x)
        return generator(x, torch.randn(len(x), generator.latent).to(x))

    def direction(self, name: str | None = None) -> Direction:
        """A direction by its name, or the first one.

        Raises:
            ConfigError: no such direction, with the nearest.
        """
        if name is None:
            return next(iter(self.directions.values()))
        return self.directions[one_of("direction", name, self.directions)]

    @contextmanager
    def translating(self, name: str, ema: bool = True) -> Iterator[nn.Module]:
        """The generator `name` as it is used: evaluating, but for the noise and norms asked for."""
        with self.evaluating(name, ema) as generator:
            if self.dropout_at_test:  # ended by `evaluating`, or by the next `eval()`
                for layer in generator.modules():
                    if isinstance(layer, DROPOUTS):
                        layer.train()
            try:
                with batch_norm_statistics(generator, self.norm_at_test, lambda: None):
                    yield generator
            finally:
                generator.eval()

    @contextmanager
    def _drawing_from(self, seed: int | None) -> Iterator[None]:
        """Within it, torch's default generators start from a seed; then they are as before."""
        if seed is None:
            yield
            return
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            seed_device(self.device, seed)
            yield

    def pictures(self, batch: Batch, *, ema: bool = True, seed: int = 0) -> dict[str, Tensor]:
        """What there is to see of a batch: rows of pictures (N, C, H, W) in [−1, 1] by title."""
        rows = {}
        for direction in self.directions.values():
            x = batch[direction.source]
            rows[direction.source] = x
            name = f"{direction.source} → {direction.target}"
            rows[name] = self._by(direction, x, ema, seed)
        return rows

    def _by(self, direction: Direction, x: Tensor, ema: bool, seed: int) -> Tensor:
        name = next(name for name, other in self.directions.items() if other == direction)
        return self.translate(x, name, ema=ema, seed=seed).cpu()

    def check_data(self, shapes: Mapping[str, tuple[int, ...]], provides: tuple[str, ...]) -> None:
        """Check the batch keys, and that every generator turns its source into its target."""
        super().check_data(shapes, provides)
        for direction in self.directions.values():
            x = torch.zeros(2, *shapes[direction.source], device=self.device)
            network = self.get_submodule(direction.generator)
            made = self.check_takes(
                direction.generator, lambda x, of=network: self.generate(of, x), x
            )
            if made[1:] != tuple(shapes[direction.target]):
                raise ConfigError(
                    f"model.{direction.generator}: makes pictures of shape {made[1:]}, and the "
                    f"{direction.target}s of the data have {tuple(shapes[direction.target])}. Let "
                    "the model's channels and size follow the data's (out_channels: "
                    "${data.channels}, size: ${data.size})."
                )

    def check_takes(
        self, name: str, network: Callable[[Tensor], Any], x: Tensor
    ) -> tuple[int, ...]:
        """The shape of what a network makes of x (N, C, H, W), if it is one Tensor.

        Raises:
            ConfigError: it cannot take x; `name` says which network of the model it is.
        """
        try:
            with torch.no_grad():
                return tuple(getattr(network(x), "shape", ()))
        except (RuntimeError, ValueError) as error:
            raise ConfigError(
                f"model.{name}: cannot take pictures of shape {tuple(x.shape[1:])}: {error}"
            ) from error
