"""Generators and discriminators: plain torch modules, usable with no Lightning and no Hydra.

A generator has `latent`, `shape` and `classes` and maps z (N, latent) to samples (N, *shape),
images in [-1, 1]. A discriminator has `shape` and `classes` and maps samples to scores (N,),
unbounded. Those with classes take the labels (N,) int64 as a second argument.
"""

from ganlab.networks.blocks import Discriminator, Generator, Norm
from ganlab.networks.conditional import LabelledDiscriminator, LabelledGenerator
from ganlab.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganlab.networks.digits import DigitClassifier
from ganlab.networks.init import INITS, Init, initialise, with_gain
from ganlab.networks.minibatch import MinibatchStd
from ganlab.networks.mlp import Maxout, MLPDiscriminator, MLPGenerator
from ganlab.networks.resnet import ResNetDiscriminator32, ResNetGenerator32

__all__ = [
    "INITS",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "DigitClassifier",
    "Discriminator",
    "Generator",
    "Init",
    "LabelledDiscriminator",
    "LabelledGenerator",
    "MLPDiscriminator",
    "MLPGenerator",
    "Maxout",
    "MinibatchStd",
    "Norm",
    "ResNetDiscriminator32",
    "ResNetGenerator32",
    "initialise",
    "with_gain",
]
