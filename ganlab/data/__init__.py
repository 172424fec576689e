"""Data sets as LightningDataModules; see `TensorDataModule` for what they have in common."""

from ganlab.data.base import TensorDataModule
from ganlab.data.batches import Crops, TensorBatches, denormalise, normalise
from ganlab.data.celeba import CelebA
from ganlab.data.cifar10 import CIFAR10
from ganlab.data.digit_pairs import DigitsUnpaired, Edges2Digits
from ganlab.data.faces import CartoonFaces, write_faces
from ganlab.data.folder import FolderData, read_images
from ganlab.data.image_folder import ImageFolder
from ganlab.data.images import ImageDataModule
from ganlab.data.mnist import MNIST, FashionMNIST
from ganlab.data.mnist_5k import MNIST5k
from ganlab.data.paired import PairedImages
from ganlab.data.points import Grid, Mixture, Points, Ring, SwissRoll, TwoMoons
from ganlab.data.shapes import Shapes, ShapeSegments, ShapesUnpaired
from ganlab.data.synthetic import Synthetic
from ganlab.data.translation import TranslationData
from ganlab.data.unpaired import UnpairedImages

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
