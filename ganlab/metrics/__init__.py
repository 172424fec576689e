"""Scores, each with its protocol."""

from ganlab.metrics.base import Extractor, ModelMetric, SampleMetric
from ganlab.metrics.classes.conditional import ClassFrechetDistance, ClassShares, LabelConsistency
from ganlab.metrics.classes.train_on_synthetic import TrainOnSynthetic
from ganlab.metrics.distances.binning import BinnedProportions
from ganlab.metrics.distances.frechet import FrechetDistance, frechet_distance
from ganlab.metrics.distances.kernel import KernelDistance
from ganlab.metrics.distances.memorization import MemorizationInformedFrechetDistance
from ganlab.metrics.distances.sliced_wasserstein import PointSlicedWasserstein, SlicedWasserstein
from ganlab.metrics.features.digits import DigitFeatures
from ganlab.metrics.features.extractors import ModuleFeatures
from ganlab.metrics.features.inception import FIDInception
from ganlab.metrics.features.torchvision import TorchvisionClassifier
from ganlab.metrics.model.path_length import PerceptualPathLength
from ganlab.metrics.model.probe import LinearProbe
from ganlab.metrics.pairs.paired import LPIPS, PSNR, SSIM
from ganlab.metrics.pairs.palettes import PaletteSegmenter
from ganlab.metrics.pairs.perceptual import LPIPSDistance
from ganlab.metrics.pairs.segmentation import PictureSegmenter, SegmentationAccuracy, ShapeSegmenter
from ganlab.metrics.pairs.sharpness import EdgeSharpness
from ganlab.metrics.protocols.accuracy import AccuracyProtocol
from ganlab.metrics.protocols.protocol import Protocol, Score, Work
from ganlab.metrics.protocols.samples import SampleProtocol
from ganlab.metrics.protocols.sources import FolderSamples, ModelSamples
from ganlab.metrics.protocols.translation import TranslatedSamples, TranslationProtocol
from ganlab.metrics.variety.diversity import MSSSIMDiversity, PairwiseDistance
from ganlab.metrics.variety.inception_score import InceptionScore
from ganlab.metrics.variety.modes import ModeCoverage, StackedModes
from ganlab.metrics.variety.nearest import NearestNeighbours
from ganlab.metrics.variety.precision_recall import DensityCoverage, PrecisionRecall

__all__ = [
    "LPIPS",
    "PSNR",
    "SSIM",
    "AccuracyProtocol",
    "BinnedProportions",
    "ClassFrechetDistance",
    "ClassShares",
    "DensityCoverage",
    "DigitFeatures",
    "EdgeSharpness",
    "Extractor",
    "FIDInception",
    "FolderSamples",
    "FrechetDistance",
    "InceptionScore",
    "KernelDistance",
    "LPIPSDistance",
    "LabelConsistency",
    "LinearProbe",
    "MSSSIMDiversity",
    "MemorizationInformedFrechetDistance",
    "ModeCoverage",
    "ModelMetric",
    "ModelSamples",
    "ModuleFeatures",
    "NearestNeighbours",
    "PairwiseDistance",
    "PaletteSegmenter",
    "PerceptualPathLength",
    "PictureSegmenter",
    "PointSlicedWasserstein",
    "PrecisionRecall",
    "Protocol",
    "SampleMetric",
    "SampleProtocol",
    "Score",
    "SegmentationAccuracy",
    "ShapeSegmenter",
    "SlicedWasserstein",
    "StackedModes",
    "TorchvisionClassifier",
    "TrainOnSynthetic",
    "TranslatedSamples",
    "TranslationProtocol",
    "Work",
    "frechet_distance",
]
