"""The base of feature extractors, and an extractor that wraps any module."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ganlab.data.base import hash_tensors
from ganlab.errors import ConfigError, DataError, nearest, one_of
from ganlab.metrics.base import Extractor
from ganlab.metrics.features.resizers import find_resizer
from ganlab.modalities import IMAGE

Grey = Literal["refuse", "repeat"]


class FrozenExtractor(Extractor):
    """Base of extractors with a fixed image size and number of channels.

    A subclass sets the attributes of `Extractor`, builds its networks, and calls `freeze`.

    Args:
        size: pixels along a side that images are resized to.
        channels: number of channels that the network takes.
        resizer: a name in `ganlab.metrics.features.resizers.RESIZERS`.
        grey: what to do with grey images if `channels` is not 1: "refuse" them, or "repeat" their
            channel.

    Raises:
        ConfigError: `resizer` or `grey` is not one of these names.
    """

    def __init__(self, size: int, channels: int, resizer: str, grey: Grey) -> None:
        super().__init__()
        one_of("features.grey", grey, get_args(Grey))
        self._resize = find_resizer(resizer)
        self.size, self.channels, self.resizer, self.grey = size, channels, resizer, grey

    def freeze(self) -> None:
        """Turn off gradients and switch to evaluation mode."""
        self.requires_grad_(False).eval()

    def prepare(self, images: Tensor) -> Tensor:
        """Resize uint8 images (N, C, H, W) to float32 (N, channels, size, size) in [0, 255].

        Raises:
            ConfigError: `images` has another type or shape, or a wrong number of channels.
        """
        IMAGE.check(images, self.title)
        received = images.shape[1]
        if received != self.channels and not (received == 1 and self.grey == "repeat"):
            raise ConfigError(
                f"{self.title}: received images of {received} "
                f"{'channel' if received == 1 else 'channels'}; needs {self.channels}. "
                + (
                    "Set features.grey=repeat to repeat the channel, or use features=digits."
                    if received == 1
                    else "Give images of that many channels, or another extractor (features=…)."
                )
            )
        return self._resize(images, self.size).expand(-1, self.channels, -1, -1)


class ModuleFeatures(FrozenExtractor):
    """Any module as a feature extractor.

    Args:
        module: maps float32 images (N, channels, size, size) to features (N, D), or to a pair of
            features and logits (N, classes).
        name: suffix of the score names; letters, digits and underscores.
        size: pixels along a side of the images that the module takes.
        channels: number of channels that the module takes.
        mean, std: images in [0, 1] become (image − mean) / std; each is a number, or a number for
            each channel. The default maps to [−1, 1].
        weights: path of a state dict, saved by safetensors (.safetensors) or torch.save; None
            keeps the module's weights.
        resizer: a name in `ganlab.metrics.features.resizers.RESIZERS`.
        grey: see `FrozenExtractor`.

    Raises:
        ConfigError: an argument is not allowed, or the module fails or returns anything else.
        DataError: the weights cannot be read, or are those of another network.
    """

    def __init__(
        self,
        module: nn.Module,
        name: str,
        size: int,
        channels: int = 3,
        mean: float | Sequence[float] = 0.5,
        std: float | Sequence[float] = 0.5,
        weights: str | None = None,
        resizer: str = "clean",
        grey: Grey = "refuse",
    ) -> None:
        super().__init__(size, channels, resizer, grey)
        if not name.isidentifier():
            raise ConfigError(
                f"features.name: received {name!r}; needs letters, digits and underscores, because "
                "score names end in it."
            )
        if weights is not None:
            load_state(module, weights, [])
        self.name, self.title, self.module = name, f"{type(module).__name__} ({name})", module
        self.register_buffer("mean", _per_channel("mean", mean, channels), False)
        self.register_buffer("std", _per_channel("std", std, channels), False)
        self.freeze()
        self.classes = None
        shape = (2, channels, size, size)
        images = torch.randint(256, shape, generator=torch.Generator().manual_seed(0)).byte()
        try:
            features, logits = self(images)
        except ConfigError:
            raise
        except (RuntimeError, ValueError, TypeError) as error:
            raise ConfigError(
                f"features.module: {self.title} fails on images {shape}: {error}. "
                "Set features.size and features.channels to values that the module supports."
            ) from error
        self.width = features.shape[1]
        self.classes = None if logits is None else logits.shape[1]
        # hash outputs too: modules with equal weights and layers may have different code
        content = {**module.state_dict(), "features of two images": features}
        layers = re.sub(r" at 0x[0-9a-f]+", "", repr(module))
        self.hash = hashlib.sha256(f"{layers} {hash_tensors(content)}".encode()).hexdigest()[:16]

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return features (N, width), and logits or None, of uint8 images (N, C, H, W).

        Raises:
            ConfigError: the images do not fit (see `prepare`), or the module returns anything else.
        """
        result = self.module((self.prepare(images) / 255 - self.mean) / self.std)
        features, logits = result if _is_pair(result) else (result, None)
        for part in result if _is_pair(result) else [result]:
            if not isinstance(part, Tensor) or part.dim() != 2 or len(part) != len(images):
                shape = tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__
                raise ConfigError(
                    f"features.module: {self.title} gives {shape} for {len(images)} images; needs "
                    f"features ({len(images)}, D), or a pair of features and logits. Average or "
                    "flatten other dimensions in the module."
                )
        return features.float(), None if logits is None else logits.float()

    def protocol_entries(self) -> dict[str, Any]:
        """Add image size and normalisation, which the weights' hash does not cover."""
        mean, std = self.mean.flatten().tolist(), self.std.flatten().tolist()
        return {**super().protocol_entries(), "size": self.size, "mean": mean, "std": std}


def load_state(module: nn.Module, weights: str, others: list[str]) -> None:
    """Load a state dict from a .safetensors file, or from a file of torch.save with only tensors.

    Args:
        module: module that the state dict is loaded into.
        weights: path of the file.
        others: names that the argument `features.weights` also allows, for the message.

    Raises:
        DataError: the file cannot be read, or is of another network.
    """
    from safetensors.torch import load_file

    path = Path(os.path.expanduser(weights))
    if not path.is_file():
        more = f", nor one of: {', '.join(others)}{nearest(weights, others)}" if others else ""
        raise DataError(
            f"features.weights: {weights!r} is not a file{more}. Give the path of a state dict."
        )
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        module.load_state_dict(state)
    except Exception as error:  # unpickling and safetensors raise many types
        reason = " ".join(str(error).split())[:300]
        raise DataError(
            f"features.weights: {path} does not hold the weights of a {type(module).__name__}: "
            f"{reason}. Give a state dict of that network, saved by torch.save or safetensors."
        ) from error


def _is_pair(result: Any) -> bool:
    return isinstance(result, (tuple, list)) and len(result) == 2


def _per_channel(name: str, value: float | Sequence[float], channels: int) -> Tensor:
    values = torch.as_tensor(value, dtype=torch.float32).flatten()
    fits = len(values) in (1, channels) and values.isfinite().all()
    if not fits or (name == "std" and not (values > 0).all()):
        raise ConfigError(
            f"features.{name}: received {value!r}; needs a number, or a number for each of "
            f"{channels} channels; std must be above 0."
        )
    return values.view(-1, 1, 1)
