"""The Inception network that the FID is defined over."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganlab.data.archives.files import cache_folder, download
from ganlab.errors import ConfigError, DataError
from ganlab.metrics.features.extractors import FrozenExtractor, Grey

WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
_DIGITS = WEIGHTS.removesuffix(".pth").rpartition("-")[2]  # the first of its SHA-256


class FIDInception(FrozenExtractor):
    """The Inception network of 2015 whose 2,048 features define the FID and the Inception Score.

    Heusel et al. 2017 (arXiv:1706.08500) and Salimans et al. 2016 (arXiv:1606.03498); architecture
    and converted weights are torch-fidelity's. The 1,008 logits are without their bias, as there
    and in the original score. Images of any size are resized to 299×299.

    Args:
        weights: path of the weights; by default they are downloaded (91 MiB) to `cache_folder()`.
        resizer: "clean", that of Parmar et al. 2022 (arXiv:2104.11222), or "tensorflow", that of
            most papers' figures, or another name in `ganlab.metrics.features.resizers.RESIZERS`.
        hash: the first 8 or more hex digits of the SHA-256 that the file must have, where it is
            knowingly another one than torch-fidelity's; "any" takes every file.
        grey: "refuse" grey images, or "repeat" their channel.

    Raises:
        ConfigError: for a value that is not allowed.
        DataError: if the weights cannot be had, are not those of `hash`, or not this network's.
    """

    name = "inception"
    title = "FID Inception (torch-fidelity)"
    width = 2048
    at_once = 50
    classes = 1008
    published: ClassVar[dict[str, str]] = {
        "frechet_distance": "fid",
        "kernel_distance": "kid",
        "kernel_distance_std": "kid_std",
        "memorization_informed_frechet_distance": "mifid",
        "inception_score": "inception_score",
        "inception_score_std": "inception_score_std",
    }

    def __init__(
        self,
        weights: str | None = None,
        resizer: str = "clean",
        hash: str | None = None,
        grey: Grey = "refuse",
    ) -> None:
        super().__init__(299, 3, resizer, grey)
        content, self.hash = _read(weights, _expected(hash))
        if hash is not None:
            self.published = {}  # over other weights nothing is an FID
        network = _build(content, weights)
        self.head = network.fc
        layers = [layer for name, layer in network.named_children() if name != "fc"]
        body = nn.Sequential(*layers)  # in the order that its forward takes them
        self.body = body.to(memory_format=torch.channels_last)  # half as fast again on a CPU
        self.freeze()

    @classmethod
    def score_name_of(cls, score: str, settings: dict[str, Any]) -> str:
        """Published names are of the published weights alone."""
        is_other = settings.get("hash") is not None
        return f"{score}_{cls.name}" if is_other else super().score_name_of(score, settings)

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images uint8 (N, 3, H, W) in [0, 255] to features (N, 2048) and logits (N, 1008)."""
        features = self.body((self.prepare(images) - 128) / 128).flatten(1)
        return features, features.mm(self.head.weight.T)


def _expected(digits: str | None) -> str:
    """The first digits of the SHA-256 that weights must have; "" for any."""
    if digits is None:
        return _DIGITS
    if digits == "any":
        return ""
    if len(digits) < 8 or not set(digits.lower()) <= set("0123456789abcdef"):
        raise ConfigError(
            f"features.hash: received {digits!r}; needs the first 8 or more hex digits of the "
            "SHA-256 of features.weights, or any."
        )
    return digits.lower()


def _read(weights: str | None, expected: str) -> tuple[bytes, str]:
    """The file's bytes and the first 16 digits of its hash, downloaded where that is due."""
    path = Path(weights).expanduser() if weights else cache_folder() / WEIGHTS
    if not weights and not path.is_file():
        _fetch(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"features.weights: {path} cannot be read: {error}. {_remedy()}") from error
    digest = hashlib.sha256(content).hexdigest()
    if not digest.startswith(expected):
        raise DataError(
            f"features.weights: {path} has the SHA-256 {digest[:16]}…, not {expected}…; it is "
            f"damaged or another network. {_remedy()} For other weights of this network, converted "
            f"ones say, set features.hash={digest[:8]}."
        )
    return content, digest[:16]


def _fetch(path: Path) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    try:
        download([URL_INCEPTION_V3], path, _DIGITS, algorithm="sha256")
    except OSError as error:
        raise DataError(
            f"features.weights: {path} is missing, and its download failed: {error}. {_remedy()}"
        ) from error


def _remedy() -> str:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    return (
        f"Get {URL_INCEPTION_V3} and put it into {cache_folder()}, or set features.weights to its "
        "path. features=digits, and protocols over it, need no download."
    )


def _build(content: bytes, weights: str | None) -> nn.Module:
    """torch-fidelity's network with the weights of a file's content.

    It unpickles its file without restrictions, so it gets one that holds tensors for certain.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        safe = io.BytesIO()
        torch.save(state, safe)
        safe.seek(0)
        return FeatureExtractorInceptionV3(
            "inception", ["2048"], feature_extractor_weights_path=safe
        )
    except Exception as error:  # unpickling raises many kinds
        reason = " ".join(str(error).split())[:300]
        raise DataError(
            f"features.weights: {weights or WEIGHTS} does not hold the weights of the FID's "
            f"Inception: {reason}. {_remedy()}"
        ) from error
