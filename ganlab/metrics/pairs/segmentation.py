"""Whether a segmenter finds in generated pictures what they were made to show."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchmetrics.functional.classification import multiclass_confusion_matrix

from ganlab.data.base import hash_tensors
from ganlab.data.translation.shape_scenes import TEXTURES
from ganlab.errors import ConfigError, DataError, one_of
from ganlab.metrics.base import SampleMetric
from ganlab.metrics.features.extractors import load_state
from ganlab.metrics.pairs.palettes import IGNORED, classes_of, palette_named
from ganlab.modalities import IMAGE
from ganlab.networks.recognition.segmenter import Segmenter

WEIGHTS = Path(__file__).parents[1] / "weights" / "shapes.safetensors"
_AT_ONCE = 1 << 20  # pixels that are looked at together, which bounds the memory


class PictureSegmenter(nn.Module):
    """A frozen network that gives each pixel's class, for metrics.

    Args:
        module: images float32 (N, channels, H, W) to logits (N, classes, h, w), or to a mapping
            that has them as "out", as torchvision's segmenters give.
        mean, std: images in [0, 1] become (image − mean) / std; a number, or one for each channel.
            The default gives [−1, 1]; torchvision's take [0.485, 0.456, 0.406] and
            [0.229, 0.224, 0.225].
        most: larger images are made smaller, to so many pixels along the longer side; None to
            leave them. Logits are brought to the images' own size (bilinear).
        weights: path of a state dict, .safetensors or torch's; None keeps those that it has.
        title: what it is called in a score's protocol; None for the module's class.

    Attributes:
        hash: 16 hex digits of the SHA-256 of its weights.

    Raises:
        DataError: the weights cannot be read, or are another network's.
    """

    def __init__(
        self,
        module: nn.Module,
        mean: float | Sequence[float] = 0.5,
        std: float | Sequence[float] = 0.5,
        most: int | None = None,
        weights: str | None = None,
        title: str | None = None,
    ) -> None:
        super().__init__()
        if weights is not None:
            try:
                load_state(module, weights, [])
            except DataError as error:  # it names the extractors' argument
                text = str(error).replace("features.weights", "segmenter.weights")
                raise DataError(text) from None
        self.module, self.most, self.title = module, most, title or type(module).__name__
        for name, value in (("mean", mean), ("std", std)):
            values = torch.as_tensor(value, dtype=torch.float32).view(-1, 1, 1)
            self.register_buffer(name, values, persistent=False)
        self.hash = hash_tensors(module.state_dict())[:16]
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> PictureSegmenter:
        """It stays in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Images uint8 (N, C, H, W) in [0, 255] to logits (N, classes, H, W).

        Raises:
            ConfigError: the module does not take them, or gives something else.
        """
        height, width = images.shape[-2:]
        x = (images.to(self.mean.device).float() / 255 - self.mean) / self.std
        if self.most is not None and max(height, width) > self.most:
            scale = self.most / max(height, width)
            size = round(height * scale), round(width * scale)
            x = interpolate(x, size=size, mode="bilinear", antialias=True)
        try:
            result = self.module(x)
        except (RuntimeError, ValueError, TypeError) as error:
            raise ConfigError(
                f"segmenter.module: {self.title} fails on images {tuple(x.shape)}: {error}."
            ) from error
        logits = result["out"] if isinstance(result, dict) and "out" in result else result
        if not isinstance(logits, Tensor) or logits.dim() != 4 or len(logits) != len(images):
            gave = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ConfigError(
                f"segmenter.module: {self.title} gives {gave} for {len(images)} images; needs "
                f"logits ({len(images)}, classes, H, W)."
            )
        if logits.shape[-2:] != (height, width):
            logits = interpolate(logits, size=(height, width), mode="bilinear")
        return logits


class ShapeSegmenter(PictureSegmenter):
    """The segmenter of `ganlab.data.Shapes` that ships with ganlab.

    It was made by `ganlab train experiment=segmenter_shapes` from pictures of 64 pixels, of which
    it finds 99.96 % of the pixels right (test split); larger pictures are made smaller for it, with
    98.5 % or more.

    Args:
        weights: another safetensors file of the same network.

    Raises:
        DataError: the file is missing or damaged.
    """

    fewest = 48  # pixels along a side; below, shapes have too few periods to be told apart

    def __init__(self, weights: str | None = None) -> None:
        with torch.random.fork_rng(devices=[]):  # weights are drawn before they are loaded
            network = Segmenter(3, len(TEXTURES))
        path = Path(weights) if weights else WEIGHTS
        super().__init__(_with_counters(network, path), most=64, title="ganlab segmenter of shapes")
        self.hash = hashlib.sha256(path.read_bytes()).hexdigest()[:16]

    def forward(self, images: Tensor) -> Tensor:
        """Images uint8 (N, 3, H, W) in [0, 255] to logits (N, 6, H, W).

        Raises:
            ConfigError: they are smaller than `fewest`.
        """
        if min(images.shape[-2:]) < self.fewest:
            raise ConfigError(
                f"{self.title}: received pictures of {images.shape[-2]} × {images.shape[-1]}; "
                f"needs {self.fewest} × {self.fewest} or more. Set data.size=64, or leave the "
                "segmentation out (protocol.metrics.segmentation=null)."
            )
        return super().forward(images)


class SegmentationAccuracy(SampleMetric):
    """Agreement of what a segmenter sees in generated pictures with what they were made from.

    With nᵢⱼ pixels of class i taken for class j, over all pictures, and tᵢ = Σⱼ nᵢⱼ, it gives, as
    Long et al. 2015 (arXiv:1411.4038) define them, pixel accuracy Σᵢ nᵢᵢ / Σᵢ tᵢ, class accuracy
    (the mean over classes of nᵢᵢ / tᵢ) and mean IoU (the mean of nᵢᵢ / (tᵢ + Σⱼ nⱼᵢ − nᵢᵢ)).
    Classes that no true pixel has are left out of both means, and pixels of class 255 of
    everything. With an FCN trained on Cityscapes it is pix2pix's FCN score (arXiv:1611.07004).

    Args:
        segmenter: what looks at the pictures, or a partial that makes it (so that weights are read
            when they are needed); None for `ShapeSegmenter`.
        classes: their number, in which segmenter and segments have to agree.
        truth: "segments", or "sources" or "targets", which are label maps then.
        palette: of label maps, see `PALETTES`; None with "segments".
        **options: of torchmetrics.Metric, e.g. sync_on_compute.
    """

    inputs = ("samples", "segments")
    compares = False
    fewest = 1
    higher_is_better = True
    others_higher = {"class_accuracy": True, "mean_iou": True}
    scores = ("pixel_accuracy", "class_accuracy", "mean_iou")
    title = "segmentation accuracy"

    def __init__(
        self,
        segmenter: nn.Module | Callable[[], nn.Module] | None = None,
        classes: int = len(TEXTURES),
        truth: Literal["segments", "sources", "targets"] = "segments",
        palette: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        one_of(f"{self.title}: truth", truth, ("segments", "sources", "targets"))
        if (palette is None) != (truth == "segments"):
            raise ConfigError(
                f"{self.title}: truth={truth} with palette={palette}; a palette is of label maps: "
                "give one with truth=sources or truth=targets, and none with segments."
            )
        self.inputs = ("samples", truth)
        self.palette_name, self.palette = palette, palette and palette_named(palette)
        self._segmenter, self.classes = segmenter or ShapeSegmenter, classes
        self.segmenter = segmenter if isinstance(segmenter, nn.Module) else None
        zeros = torch.zeros(classes, classes, dtype=torch.long)
        self.add_state("confusion", zeros, dist_reduce_fx="sum")  # of true class i taken for j

    def load(self) -> None:
        """Make the segmenter, whose weights are read now."""
        if self.segmenter is None:
            self.segmenter = self._segmenter().to(self.device)

    def update(self, samples: Tensor, segments: Tensor) -> None:
        """Add pictures uint8 (N, C, H, W) in [0, 255] and their segments uint8 (N, H, W).

        With a palette the latter are label maps uint8 (N, 3, H, W).

        Raises:
            ConfigError: they do not fit each other, the segmenter or the classes.
        """
        IMAGE.check(samples, f"{self.title}: samples")
        self.load()
        if self.palette is not None:
            segments = classes_of(segments, self.palette)
        if segments.shape != (len(samples), *samples.shape[2:]):
            raise ConfigError(
                f"{self.title}: received samples of shape {tuple(samples.shape)} and segments of "
                f"shape {tuple(segments.shape)}; needs (N, C, H, W) and (N, H, W)."
            )
        segments = segments.to(self.confusion.device).long()
        wrong = (segments >= self.classes) & (segments != IGNORED)
        if bool(wrong.any()):
            raise ConfigError(
                f"{self.title}: received segments of class {int(segments[wrong].max())}; allowed "
                f"0 to {self.classes - 1}, and {IGNORED} for pixels of none. Set "
                "segmentation.classes to how many there are."
            )
        step = max(1, _AT_ONCE // (samples.shape[2] * samples.shape[3]))
        for part, true in zip(samples.split(step), segments.split(step), strict=True):
            self.confusion += multiclass_confusion_matrix(
                self._found(part), true, self.classes, ignore_index=IGNORED, validate_args=False
            )

    def _found(self, samples: Tensor) -> Tensor:
        """The class of each pixel, int64 (N, H, W)."""
        logits = self.segmenter(samples)
        if logits.shape[1] != self.classes:
            raise ConfigError(
                f"{self.title}: {self.segmenter.title} tells {logits.shape[1]} classes apart, and "
                f"there are {self.classes}. Set segmentation.classes, or take another segmenter."
            )
        return logits.argmax(1).to(self.confusion.device)

    def compute(self) -> dict[str, Tensor]:
        """The three scores, each in [0, 1].

        Raises:
            ConfigError: there was no pixel of any class.
        """
        counts = self.confusion.cpu().double()
        hits, true, found = counts.diagonal(), counts.sum(1), counts.sum(0)
        there = true > 0
        if not there.any():
            raise ConfigError(f"{self.title}: received no pixel of any class; needs some.")
        union = true + found - hits
        values = (
            hits.sum() / true.sum(),
            (hits / true)[there].mean(),
            (hits / union)[there].mean(),
        )
        return dict(zip(self.scores, values, strict=True))

    def settings(self) -> dict[str, Any]:
        """The segmenter, the hash of its weights and the number of classes."""
        return {
            "segmenter": self.segmenter.title,
            "segmenter_hash": self.segmenter.hash,
            "classes": self.classes,
            **({"palette": self.palette_name} if self.palette else {}),
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """What the numbers say."""
        accuracy, by_class, iou = (values[name] for name in self.scores)
        return {
            "pixel_accuracy": f"A segmenter finds the right class in {accuracy:.1%} of the pixels "
            "of generated pictures (higher is better).",
            "class_accuracy": f"With every class counted alike it is {by_class:.1%}.",
            "mean_iou": f"What it finds and what is there overlap by {iou:.1%} (intersection over "
            "union, mean over classes).",
        }


def _with_counters(network: Segmenter, path: Path) -> Segmenter:
    """The network with the weights of a file, which has no counters of batch norm."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    again = "Make it again with `ganlab train experiment=segmenter_shapes`."
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"segmenter.weights: {path} cannot be read: {error}. {again}") from error
    own = network.state_dict()
    counters = {key: own[key] for key in own if key.endswith("num_batches_tracked")}
    try:
        network.load_state_dict(tensors | counters)
    except RuntimeError as error:
        raise DataError(
            f"segmenter.weights: {path} does not hold the weights of a Segmenter. {again}"
        ) from error
    return network
