"""Data sets as LightningDataModules; `TensorDataModule` is their common base class."""

from ganlab.data.base import TensorDataModule
from ganlab.data.batches import Crops, TensorBatches
from ganlab.data.images.base import ImageDataModule
from ganlab.data.images.celeba import CelebA
from ganlab.data.images.cifar10 import CIFAR10
from ganlab.data.images.faces import CartoonFaces, write_faces
from ganlab.data.images.folder import FolderData, read_images
from ganlab.data.images.image_folder import ImageFolder
from ganlab.data.images.mnist import MNIST, FashionMNIST
from ganlab.data.images.mnist_5k import MNIST5k
from ganlab.data.images.synthetic import Synthetic
from ganlab.data.points import Grid, Mixture, Points, Ring, SwissRoll, TwoMoons
from ganlab.data.translation.base import TranslationData
from ganlab.data.translation.digits import DigitsUnpaired, Edges2Digits
from ganlab.data.translation.paired import PairedImages
from ganlab.data.translation.shapes import Shapes, ShapeSegments, ShapesUnpaired
from ganlab.data.translation.unpaired import UnpairedImages
from ganlab.modalities.pixels import denormalise, normalise

__all__ = [
    "CIFAR10",
    "MNIST",
    "CartoonFaces",
    "CelebA",
    "Crops",
    "DigitsUnpaired",
    "Edges2Digits",
    "FashionMNIST",
    "FolderData",
    "Grid",
    "ImageDataModule",
    "ImageFolder",
    "MNIST5k",
    "Mixture",
    "PairedImages",
    "Points",
    "Ring",
    "ShapeSegments",
    "Shapes",
    "ShapesUnpaired",
    "SwissRoll",
    "Synthetic",
    "TensorBatches",
    "TensorDataModule",
    "TranslationData",
    "TwoMoons",
    "UnpairedImages",
    "denormalise",
    "normalise",
    "read_images",
    "write_faces",
]
