"""Scores, each with its protocol."""

from ganlab.metrics.accuracy import AccuracyProtocol
from ganlab.metrics.base import Extractor, ModelMetric, SampleMetric
from ganlab.metrics.binning import BinnedProportions
from ganlab.metrics.classifiers import TorchvisionClassifier
from ganlab.metrics.conditional import ClassFrechetDistance, ClassShares, LabelConsistency
from ganlab.metrics.digits import DigitFeatures
from ganlab.metrics.diversity import MSSSIMDiversity, PairwiseDistance
from ganlab.metrics.extractors import ModuleFeatures
from ganlab.metrics.frechet import FrechetDistance, frechet_distance
from ganlab.metrics.inception import FIDInception
from ganlab.metrics.inception_score import InceptionScore
from ganlab.metrics.kernel import KernelDistance
from ganlab.metrics.memorization import MemorizationInformedFrechetDistance
from ganlab.metrics.modes import ModeCoverage, StackedModes
from ganlab.metrics.nearest import NearestNeighbours
from ganlab.metrics.paired import LPIPS, PSNR, SSIM, LPIPSDistance
from ganlab.metrics.palettes import PaletteSegmenter
from ganlab.metrics.path_length import PerceptualPathLength
from ganlab.metrics.precision_recall import DensityCoverage, PrecisionRecall
from ganlab.metrics.probe import LinearProbe
from ganlab.metrics.protocol import Protocol, Score
from ganlab.metrics.sampling import SampleProtocol
from ganlab.metrics.segmentation import PictureSegmenter, SegmentationAccuracy, ShapeSegmenter
from ganlab.metrics.sharpness import EdgeSharpness
from ganlab.metrics.sliced_wasserstein import PointSlicedWasserstein, SlicedWasserstein
from ganlab.metrics.sources import FolderSamples, ModelSamples
from ganlab.metrics.train_on_synthetic import TrainOnSynthetic
from ganlab.metrics.translation import TranslatedSamples, TranslationProtocol

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
    "frechet_distance",
]
