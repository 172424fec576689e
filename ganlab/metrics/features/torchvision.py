"""torchvision's classifiers as feature extractors."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganlab.data.base import hash_tensors
from ganlab.errors import ConfigError, DataError, nearest
from ganlab.metrics.features.extractors import FrozenExtractor, Grey, load_state


class TorchvisionClassifier(FrozenExtractor):
    """Any classifier of torchvision; its features are the input of its last linear layer.

    Images are normalised as in torchvision's preprocessing for the weights. They are resized,
    without cropping, to the crop size of this preprocessing. Weights from a file and random weights
    use the preprocessing of the default weights.

    Args:
        model: name of the classifier in `torchvision.models`, such as "resnet50".
        weights: name of the weights in torchvision ("DEFAULT", "IMAGENET1K_V1", …), which are
            downloaded to torch's cache; "random"; or the path of a state dict.
        resizer: a name in `ganlab.metrics.features.resizers.RESIZERS`; torchvision's classifiers
            were trained with "torch".
        grey: see `FrozenExtractor`.
        seed: seed of random weights.

    Raises:
        ConfigError: the model is unknown or has no linear layer, or `resizer` or `grey` is unknown.
        DataError: the weights cannot be downloaded or read, or are those of another network.
    """

    def __init__(
        self,
        model: str,
        weights: str = "DEFAULT",
        resizer: str = "torch",
        grey: Grey = "refuse",
        seed: int = 0,
    ) -> None:
        from torchvision import models

        names = models.list_models(module=models)
        if model not in names:
            raise ConfigError(
                f"features.model: {model!r} is not a classifier of torchvision."
                f"{nearest(str(model), names)} `torchvision.models.list_models()` lists them."
            )
        entries = models.get_model_weights(model)
        known = entries.__members__.get(weights)  # DEFAULT is an alias among the members
        preset = (known or entries.DEFAULT).transforms()
        super().__init__(preset.crop_size[0], 3, resizer, grey)
        if known is not None:
            network = _download(model, known)
        else:
            network = _build(model, seed)
            if weights != "random":
                load_state(network, weights, ["random", *entries.__members__])
        self.name = model
        self.title = f"torchvision {model}, " + (known.name if known else _origin(weights, seed))
        self.hash = hash_tensors(network.state_dict())[:16]
        self.head = _cut_head(network, model)
        self.network = network
        self.width, self.classes = self.head.in_features, self.head.out_features
        self.register_buffer("mean", torch.tensor(preset.mean).view(3, 1, 1) * 255, False)
        self.register_buffer("std", torch.tensor(preset.std).view(3, 1, 1) * 255, False)
        self.freeze()

    @classmethod
    def score_name_of(cls, score: str, settings: dict[str, Any]) -> str:
        """Return `score_name` for constructor arguments `settings`, without an extractor."""
        return f"{score}_{settings['model']}"

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, width) and logits (N, classes) of uint8 images (N, 3, H, W)."""
        features = self.network((self.prepare(images) - self.mean) / self.std)
        return features, self.head(features)


def _build(model: str, seed: int) -> nn.Module:
    from torchvision import models

    # torchvision sets this option for these two models only if it loads the weights itself
    options = {"transform_input": True} if model in ("googlenet", "inception_v3") else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return models.get_model(model, weights=None, **options)


def load_pretrained(model: str, weights: Any) -> nn.Module:
    """Return a torchvision classifier with its weights, which are downloaded once.

    Args:
        model: the classifier's name.
        weights: an entry of torchvision's weights for it.

    Raises:
        OSError, RuntimeError: the download failed.
        pickle.UnpicklingError: the file in torch's cache holds more than tensors.
    """
    from torchvision import models

    # torchvision unpickles the file of its cache without restrictions, so it is first read safely
    weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    return models.get_model(model, weights=weights, progress=False)


def _download(model: str, weights: Any) -> nn.Module:
    try:
        return load_pretrained(model, weights)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(
            f"features.weights: {weights.url} cannot be used: {reason}. Put that file into "
            f"{Path(torch.hub.get_dir()) / 'checkpoints'}, or give features.weights=PATH; "
            "features=digits needs no download."
        ) from error


def _cut_head(network: nn.Module, model: str) -> nn.Linear:
    """Replace a classifier's last linear layer by the identity, and return the layer."""
    layers = [item for item in network.named_modules() if isinstance(item[1], nn.Linear)]
    if not layers:
        raise ConfigError(
            f"features.model: {model} has no linear layer, whose input would be the features. Use "
            "another model, such as resnet50."
        )
    name, head = layers[-1]
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Identity())
    return head


def _origin(weights: str, seed: int) -> str:
    return f"random weights of seed {seed}" if weights == "random" else "weights from a file"
