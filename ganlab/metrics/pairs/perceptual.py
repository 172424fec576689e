"""The distance LPIPS: Zhang et al. 2018 (arXiv:1801.03924), section 3 and equation 1."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import torch
import torchmetrics.functional.image.lpips as lpips
import torchvision
from torch import Tensor, nn
from torch.nn.functional import conv2d

from ganlab.data.base import hash_tensors
from ganlab.errors import DataError, one_of
from ganlab.metrics.features.torchvision import load_pretrained

Backbone = Literal["alex", "vgg", "squeeze"]
MODELS = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}  # torchvision's names
CUTS = {  # for each n: the output of the first n layers of `model.features` is a feature map
    "alex": (2, 5, 8, 10, 12),
    "vgg": (4, 9, 16, 23, 30),
    "squeeze": (2, 5, 8, 10, 11, 12, 13),
}
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # per channel, in [-1, 1]


class PerceptualNetwork(nn.Module):
    """Weighted squared differences of a classifier's normalised maps, averaged over positions.

    The weights of the maps are those of the authors (version 0.1); they come with torchmetrics.

    Args:
        network: the classifier.
        pretrained: whether to use torchvision's weights, which are downloaded once; else the
            classifier has random weights.
    """

    def __init__(self, network: Backbone, pretrained: bool = True) -> None:
        super().__init__()
        self.network, cuts = network, CUTS[network]
        name = MODELS[network]
        weights = torchvision.models.get_model_weights(name).DEFAULT
        model = load_pretrained(name, weights) if pretrained else torchvision.models.get_model(name)
        self.features = model.features[: cuts[-1]]
        path = Path(lpips.__file__).parent / "lpips_models" / f"{network}.pth"
        linear = torch.load(path, map_location="cpu", weights_only=True)
        self.weights = nn.ParameterList(linear[f"lin{k}.model.1.weight"] for k in range(len(cuts)))
        for name, values in (("shift", SHIFT), ("scale", SCALE)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)
        self.requires_grad_(False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return distances (N,) of pairs of images, both float (N, 3, H, W) in [-1, 1]."""
        maps = zip(self.weights, self._maps(first), self._maps(second), strict=True)
        return sum(conv2d((a - b) ** 2, weight).mean((2, 3)) for weight, a, b in maps).flatten()

    def _maps(self, x: Tensor) -> Iterator[Tensor]:
        x, cuts = (x - self.shift) / self.scale, CUTS[self.network]
        for start, stop in zip((0, *cuts), cuts, strict=False):
            x = self.features[start:stop](x)
            yield x / torch.sqrt(1e-8 + torch.sum(x**2, dim=1, keepdim=True))

    def named_tensors(self) -> dict[str, Tensor]:
        """Return a dict from torchmetrics' names to all weights, for the hash."""
        part = "slices.{}" if self.network == "squeeze" else "slice{}"
        offset = 0 if self.network == "squeeze" else 1
        named: dict[str, Tensor] = {}
        for key, tensor in self.features.state_dict().items():
            layer = int(key.partition(".")[0])
            index = sum(layer >= cut for cut in CUTS[self.network])
            named[f"net.{part.format(index + offset)}.{key}"] = tensor
        for k, weight in enumerate(self.weights):
            named |= dict.fromkeys((f"lin{k}.model.1.weight", f"lins.{k}.model.1.weight"), weight)
        return named


class LPIPSDistance(nn.Module):
    """Learned perceptual distance of images: Zhang et al. 2018 (arXiv:1801.03924), version 0.1.

    The distance is a weighted sum of squared differences of a classifier's normalised feature maps.
    The weights of the maps come with torchmetrics. The weights of the classifier are downloaded
    from torchvision, or read from a file.

    Args:
        network: the classifier, "alex", "vgg" (16) or "squeeze" (1.1).
        weights: file with torchvision's weights of the classifier, such as
            alexnet-owt-7be5be79.pth; None downloads them once.

    Attributes:
        name: "lpips".
        hash: first 16 hex digits of the SHA-256 of all weights.

    Raises:
        ConfigError: `network` is unknown.
        DataError: the weights cannot be read or downloaded, or are those of another network.
    """

    name = "lpips"

    def __init__(self, network: Backbone = "alex", weights: str | Path | None = None) -> None:
        super().__init__()
        one_of("lpips.network", network, get_args(Backbone))
        self.network = network
        with torch.random.fork_rng(devices=[]):  # torchvision makes random weights first
            self.net = _downloaded(network) if weights is None else _loaded(network, Path(weights))
        self.hash = hash_tensors(self.net.named_tensors())[:16]

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return distances (N,) of pairs of images, both float (N, 3, H, W) in [−1, 1]."""
        return self.net(first, second)


def _downloaded(network: str) -> PerceptualNetwork:
    try:
        return PerceptualNetwork(network)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise DataError(
            f"lpips.weights: torchvision's weights of {network!r} are not in "
            f"{torch.hub.get_dir()}/checkpoints and cannot be downloaded ({error}). Download the "
            "file elsewhere and set lpips.weights=PATH."
        ) from error


def _loaded(network: str, path: Path) -> PerceptualNetwork:
    """Return the network with the weights of a file, a state dict of torchvision's model."""
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise DataError(
            f"lpips.weights: {path} cannot be read ({str(error).splitlines()[0]}). Give the file "
            "that torchvision downloads, or set lpips.weights=null to download it."
        ) from error
    loaded = PerceptualNetwork(network, pretrained=False)
    state = {f"features.{key}": tensor for key, tensor in loaded.features.state_dict().items()}
    tensors = tensors if isinstance(tensors, dict) else {}
    wrong = [
        name
        for name, tensor in state.items()
        if not isinstance(tensors.get(name), Tensor) or tensors[name].shape != tensor.shape
    ]
    if wrong:
        raise DataError(
            f"lpips.weights: {path} does not hold torchvision's weights of {network!r}: "
            f"{wrong[0]} is missing or has another shape. Give the file of that network."
        )
    for name, tensor in state.items():
        tensor.copy_(tensors[name])
    return loaded
