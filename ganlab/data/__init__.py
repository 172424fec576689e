"""Data sets as LightningDataModules; see `TensorDataModule` for what they have in common."""

from ganlab.data.base import TensorDataModule
from ganlab.data.batches import Crops, TensorBatches, denormalise, normalise
from ganlab.data.celeba import CelebA
from ganlab.data.cifar10 import CIFAR10
from ganlab.data.folder import FolderData, read_images
from ganlab.data.images import ImageDataModule
from ganlab.data.mnist import MNIST, FashionMNIST
from ganlab.data.mnist_5k import MNIST5k
from ganlab.data.points import Grid, Mixture, Points, Ring, SwissRoll, TwoMoons
from ganlab.data.synthetic import Synthetic

__all__ = [
    "CIFAR10",
    "MNIST",
    "CelebA",
    "Crops",
    "FashionMNIST",
    "FolderData",
    "Grid",
    "ImageDataModule",
    "MNIST5k",
    "Mixture",
    "Points",
    "Ring",
    "SwissRoll",
    "Synthetic",
    "TensorBatches",
    "TensorDataModule",
    "TwoMoons",
    "denormalise",
    "normalise",
    "read_images",
]
