"""Whether a segmenter finds the requested class in each pixel of generated pictures."""

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
from ganlab.metrics.memory import in_parts
from ganlab.metrics.pairs.palettes import IGNORED, classes_of, palette_named
from ganlab.modalities import IMAGE
from ganlab.networks.recognition.segmenter import Segmenter

WEIGHTS = Path(__file__).parents[1] / "weights" / "shapes.safetensors"


class PictureSegmenter(nn.Module):
    """A frozen network that returns logits of each pixel's class, for metrics.

    Args:
        module: maps float32 images (N, channels, H, W) to logits (N, classes, h, w), or to a dict
            with the logits as "out", as torchvision's segmenters do.
        mean, std: images in [0, 1] become (image − mean) / std; each is a number, or a number for
            each channel. The default maps to [−1, 1]; torchvision's segmenters take
            [0.485, 0.456, 0.406] and [0.229, 0.224, 0.225].
        most: largest number of pixels along the longer side; larger images are downsampled. None
            keeps all sizes. Logits are resized (bilinear) to the size of the given images.
        weights: path of a state dict, saved by safetensors (.safetensors) or torch.save; None
            keeps the module's weights.
        title: the segmenter's name in a score's protocol; None for the module's class name.

    Attributes:
        hash: first 16 hex digits of the SHA-256 of its weights.

    Raises:
        DataError: the weights cannot be read, or are those of another network.
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
            except DataError as error:  # its message names the extractors' argument
                text = str(error).replace("features.weights", "segmenter.weights")
                raise DataError(text) from None
        self.module, self.most, self.title = module, most, title or type(module).__name__
        for name, value in (("mean", mean), ("std", std)):
            values = torch.as_tensor(value, dtype=torch.float32).view(-1, 1, 1)
            self.register_buffer(name, values, persistent=False)
        self.hash = hash_tensors(module.state_dict())[:16]
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> PictureSegmenter:
        """Stay in evaluation mode, whatever `mode` is."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, classes, H, W) of uint8 images (N, C, H, W) in [0, 255].

        Raises:
            ConfigError: the module fails on these images, or returns something else.
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
            shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ConfigError(
                f"segmenter.module: {self.title} gives {shape} for {len(images)} images; needs "
                f"logits ({len(images)}, classes, H, W)."
            )
        if logits.shape[-2:] != (height, width):
            logits = interpolate(logits, size=(height, width), mode="bilinear")
        return logits


class ShapeSegmenter(PictureSegmenter):
    """The segmenter for pictures of `ganlab.data.Shapes`; it ships with ganlab.

    It was trained by `ganlab train experiment=segmenter_shapes` on pictures of 64 pixels. On the
    test split of these pictures it classifies 99.96 % of the pixels correctly. Larger pictures are
    downsampled to 64 pixels, and it classifies 98.5 % or more of the pixels correctly.

    Args:
        weights: another safetensors file of the same network; None for ganlab's own file.

    Raises:
        DataError: the file is missing, damaged, or of another network.
    """

    min_side = 48  # smallest side in pixels; textures of smaller shapes have too few periods

    def __init__(self, weights: str | None = None) -> None:
        with torch.random.fork_rng(devices=[]):  # initial weights use random numbers
            network = Segmenter(3, len(TEXTURES))
        path = Path(weights) if weights else WEIGHTS
        super().__init__(_with_weights(network, path), most=64, title="ganlab segmenter of shapes")
        self.hash = hashlib.sha256(path.read_bytes()).hexdigest()[:16]

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 6, H, W) of uint8 images (N, 3, H, W) in [0, 255].

        Raises:
            ConfigError: the images are smaller than `min_side`.
        """
        if min(images.shape[-2:]) < self.min_side:
            raise ConfigError(
                f"{self.title}: received pictures of {images.shape[-2]} × {images.shape[-1]}; "
                f"needs {self.min_side} × {self.min_side} or more. Set data.size=64, or leave the "
                "segmentation out (protocol.metrics.segmentation=null)."
            )
        return super().forward(images)


class SegmentationAccuracy(SampleMetric):
    """Agreement between a segmenter's classes in generated pictures and the true classes.

    Let nᵢⱼ be the number of pixels, over all pictures, of true class i and found class j, and
    tᵢ = Σⱼ nᵢⱼ. The scores are those of Long et al. 2015 (arXiv:1411.4038): pixel accuracy
    Σᵢ nᵢᵢ / Σᵢ tᵢ, class accuracy (the mean over classes of nᵢᵢ / tᵢ) and mean IoU (the mean over
    classes of nᵢᵢ / (tᵢ + Σⱼ nⱼᵢ − nᵢᵢ)). Both means leave out classes without true pixels. The
    scores ignore pixels of class 255. With an FCN trained on Cityscapes they are the FCN scores of
    pix2pix (arXiv:1611.07004).

    Args:
        segmenter: a segmenter, or a partial that makes it, so that its weights are read only when
            needed; None for `ShapeSegmenter`.
        classes: number of classes, of the segmenter as well as of the true classes.
        truth: which input has the true classes: "segments", or label maps "sources" or "targets".
        palette: name of the label maps' palette, see `PALETTES`; None with "segments".
        **options: options of torchmetrics.Metric, e.g. sync_on_compute.

    Raises:
        ConfigError: `truth` is unknown, or `palette` does not fit it.
    """

    inputs = ("samples", "segments")
    uses_real = False
    min_samples = 1
    higher_is_better = True
    other_higher_is_better = {"class_accuracy": True, "mean_iou": True}
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
                f"{self.title}: received truth={truth} with palette={palette}. Label maps need a "
                "palette (truth=sources or truth=targets); segments need palette=null."
            )
        self.inputs = ("samples", truth)
        self.palette_name, self.palette = palette, palette and palette_named(palette)
        self._segmenter, self.classes = segmenter or ShapeSegmenter, classes
        self.segmenter = segmenter if isinstance(segmenter, nn.Module) else None
        zeros = torch.zeros(classes, classes, dtype=torch.long)  # (true class, found class)
        self.add_state("confusion", zeros, dist_reduce_fx="sum")

    def load(self) -> None:
        """Build the segmenter and read its weights, unless it is built already."""
        if self.segmenter is None:
            self.segmenter = self._segmenter().to(self.device)

    def update(self, samples: Tensor, segments: Tensor) -> None:
        """Add uint8 pictures (N, C, H, W) in [0, 255] and their true classes, uint8 (N, H, W).

        With a palette, `segments` are label maps, uint8 (N, 3, H, W).

        Raises:
            ConfigError: shapes do not fit, or a class is out of range or unknown to the segmenter.
        """
        IMAGE.check(samples, f"{self.title}: samples")
        self.load()
        channels = segments.shape[1:2] if self.palette else ()
        if segments.shape != (len(samples), *channels, *samples.shape[2:]):
            raise ConfigError(
                f"{self.title}: received samples of shape {tuple(samples.shape)} and segments of "
                f"shape {tuple(segments.shape)}; needs (N, C, H, W) and "
                f"(N, {'3, ' if self.palette else ''}H, W)."
            )
        what = "segmenting one picture"
        for counts in in_parts(self._counts, samples, segments, memory=self.memory, what=what):
            self.confusion += counts

    def _counts(self, samples: Tensor, segments: Tensor) -> Tensor:
        """Return the numbers of pixels by true class and found class; see `update`."""
        if self.palette is not None:
            segments = classes_of(segments, self.palette)
        segments = segments.to(self.confusion.device).long()
        wrong = (segments >= self.classes) & (segments != IGNORED)
        if bool(wrong.any()):
            raise ConfigError(
                f"{self.title}: received segments of class {int(segments[wrong].max())}; allowed "
                f"0 to {self.classes - 1}, and {IGNORED} for ignored pixels. Set "
                "segmentation.classes to the number of classes of the data."
            )
        return multiclass_confusion_matrix(
            self._segment(samples),
            segments,
            self.classes,
            ignore_index=IGNORED,
            validate_args=False,
        )

    def _segment(self, samples: Tensor) -> Tensor:
        """Return the class that the segmenter finds in each pixel, int64 (N, H, W)."""
        logits = self.segmenter(samples)
        if logits.shape[1] != self.classes:
            raise ConfigError(
                f"{self.title}: {self.segmenter.title} has {logits.shape[1]} classes, but "
                f"segmentation.classes is {self.classes}. Set it to {logits.shape[1]}, or choose "
                "another segmenter."
            )
        return logits.argmax(1).to(self.confusion.device)

    def compute(self) -> dict[str, Tensor]:
        """Return the three scores, each in [0, 1].

        Raises:
            ConfigError: all pixels are ignored.
        """
        counts = self.confusion.cpu().double()
        hits, true, found = counts.diagonal(), counts.sum(1), counts.sum(0)
        present = true > 0
        if not present.any():
            raise ConfigError(f"{self.title}: received only ignored pixels; needs others.")
        union = true + found - hits
        accuracy, by_class, iou = hits.sum() / true.sum(), hits / true, hits / union
        values = (accuracy, by_class[present].mean(), iou[present].mean())
        return dict(zip(self.scores, values, strict=True))

    def settings(self) -> dict[str, Any]:
        """Return the segmenter, the hash of its weights, the number of classes and the palette."""
        return {
            "segmenter": self.segmenter.title,
            "segmenter_hash": self.segmenter.hash,
            "classes": self.classes,
            **({"palette": self.palette_name} if self.palette else {}),
        }

    def explain(self, values: dict[str, float]) -> dict[str, str]:
        """Explain the three scores."""
        accuracy, by_class, iou = (values[name] for name in self.scores)
        return {
            "pixel_accuracy": f"A segmenter finds the right class in {accuracy:.1%} of the pixels "
            "of generated pictures (higher is better).",
            "class_accuracy": f"With equal weights for all classes, the share is {by_class:.1%}.",
            "mean_iou": f"Found and true regions of a class overlap by {iou:.1%} (intersection "
            "over union, mean over classes).",
        }


def _with_weights(network: Segmenter, path: Path) -> Segmenter:
    """Return the network with the weights of a file, which lacks the counters of batch norm."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    remedy = "Create it again with `ganlab train experiment=segmenter_shapes`."
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"segmenter.weights: {path} cannot be read: {error}. {remedy}") from error
    state = network.state_dict()
    counters = {key: state[key] for key in state if key.endswith("num_batches_tracked")}
    try:
        network.load_state_dict(tensors | counters)
    except RuntimeError as error:
        raise DataError(
            f"segmenter.weights: {path} does not hold the weights of a Segmenter. {remedy}"
        ) from error
    return network
