"""The Inception network whose features define the FID."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganlab.data.archives.files import cache_folder, download
from ganlab.errors import ConfigError, DataError
from ganlab.metrics.features.extractors import FrozenExtractor, Grey

WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
_DIGITS = WEIGHTS.removesuffix(".pth").rpartition("-")[2]  # first hex digits of its SHA-256


class FIDInception(FrozenExtractor):
    """The Inception network of 2015, whose outputs define the FID and the Inception Score.

    Its 2,048 features define the FID (Heusel et al. 2017, arXiv:1706.08500). Its 1,008 logits
    define the Inception Score (Salimans et al. 2016, arXiv:1606.03498). Architecture and converted
    weights come from torch-fidelity. As in torch-fidelity and in the original score, the logits
    lack their bias. Images of any size are resized to 299×299.

    Args:
        weights: path of the weights; None downloads them (91 MiB) once, to `cache_folder()`.
        resizer: "clean" as in Parmar et al. 2022 (arXiv:2104.11222), "tensorflow" as in most
            papers, or another name in `ganlab.metrics.features.resizers.RESIZERS`.
        hash: first 8 or more hex digits of the file's SHA-256. Set it only for weights other than
            those of torch-fidelity; "any" accepts every file.
        grey: "refuse" grey images, or "repeat" their channel.

    Raises:
        ConfigError: an argument has a value that is not allowed.
        DataError: the weights are missing and cannot be downloaded, do not match `hash`, or are
            those of another network.
    """

    name = "inception"
    title = "FID Inception (torch-fidelity)"
    width = 2048
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
            self.published = {}  # with other weights the score is not the published FID
        network = _build(content, weights)
        self.head = network.fc
        layers = [layer for name, layer in network.named_children() if name != "fc"]
        body = nn.Sequential(*layers)  # in the order in which `network.forward` calls them
        self.body = body.to(memory_format=torch.channels_last)  # 1.5 times as fast on a CPU
        self.freeze()

    @classmethod
    def score_name_of(cls, score: str, settings: dict[str, Any]) -> str:
        """Return the published name of a score, unless `settings` ask for other weights."""
        is_other = settings.get("hash") is not None
        return f"{score}_{cls.name}" if is_other else super().score_name_of(score, settings)

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, 2048) and logits (N, 1008) of uint8 images (N, 3, H, W)."""
        features = self.body((self.prepare(images) - 128) / 128).flatten(1)
        return features, features.mm(self.head.weight.T)


def _expected(digits: str | None) -> str:
    """Return the digits that the weights' SHA-256 must begin with; "" for any SHA-256."""
    if digits is None:
        return _DIGITS
    if digits == "any":
        return ""
    if len(digits) < 8 or not set(digits.lower()) <= set("0123456789abcdef"):
        raise ConfigError(
            f"features.hash: received {digits!r}; needs the first 8 or more hex digits of the "
            "SHA-256 of features.weights, or the word any."
        )
    return digits.lower()


def _read(weights: str | None, expected: str) -> tuple[bytes, str]:
    """Return the file's bytes and the first 16 digits of its SHA-256.

    The file is downloaded if `weights` is None and the cache lacks it.
    """
    path = Path(os.path.expanduser(weights)) if weights else cache_folder() / WEIGHTS
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
            f"damaged or another network. {_remedy()} If these are other weights of this network, "
            f"such as weights that you converted, set features.hash={digest[:8]}."
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
        f"Download {URL_INCEPTION_V3} into {cache_folder()}, or set features.weights to its path. "
        "features=digits, and protocols that use it, need no download."
    )


def _build(content: bytes, weights: str | None) -> nn.Module:
    """Return torch-fidelity's network with the weights in `content`.

    torch-fidelity unpickles without restrictions. So the content is first loaded safely, and
    torch-fidelity reads a new file that holds only tensors.
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
    except Exception as error:  # unpickling raises many types of errors
        reason = " ".join(str(error).split())[:300]
        raise DataError(
            f"features.weights: {weights or WEIGHTS} does not hold the weights of the FID's "
            f"Inception: {reason}. {_remedy()}"
        ) from error
