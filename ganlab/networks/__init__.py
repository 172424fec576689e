"""Generators and discriminators: plain torch modules, usable with no Lightning and no Hydra.

A generator has `latent`, `shape` and `classes` and maps z (N, latent) to samples (N, *shape);
images are in [-1, 1]. A discriminator has `shape` and `classes` and maps samples to unbounded
scores (N,). Networks whose `classes` is not None take labels (N,) int64 as a second argument.

A generator for translation maps pictures (N, in_channels, H, W) to pictures (N, out_channels, H, W)
in [-1, 1]; H and W must be divisible by its `multiple`. A patch discriminator maps pictures to
scores (N, 1, h, w).
"""

from ganlab.networks.blocks import (
    ConditionalBatchNorm2d,
    Discriminator,
    Generator,
    Norm,
    to_channels_last,
)
from ganlab.networks.in_one_pass import in_one_pass
from ganlab.networks.init import INITS, Init, initialise, with_gain
from ganlab.networks.minibatch import MinibatchStd
from ganlab.networks.recognition.digits import DigitClassifier
from ganlab.networks.recognition.segmenter import Segmenter
from ganlab.networks.synthesis.conditional import (
    LabelledDiscriminator,
    LabelledGenerator,
    ProjectionDiscriminator,
)
from ganlab.networks.synthesis.dcgan import DCGANDiscriminator, DCGANGenerator
from ganlab.networks.synthesis.mlp import Maxout, MLPDiscriminator, MLPGenerator
from ganlab.networks.synthesis.resnet import ResNetDiscriminator32, ResNetGenerator32
from ganlab.networks.translation.encoders import ResidualEncoder, draw_latents
from ganlab.networks.translation.latent_unet import LatentUNet
from ganlab.networks.translation.patch_sampling import PatchHeads, sample_positions
from ganlab.networks.translation.patchgan import ImageGAN, PatchGAN, PixelGAN
from ganlab.networks.translation.pix2pixhd import GlobalGenerator, MultiScale
from ganlab.networks.translation.resnet import ResNetGenerator
from ganlab.networks.translation.styled_resnet import StyledResNet
from ganlab.networks.translation.unet import UNetGenerator

__all__ = [
    "INITS",
    "ConditionalBatchNorm2d",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "DigitClassifier",
    "Discriminator",
    "Generator",
    "GlobalGenerator",
    "ImageGAN",
    "Init",
    "LabelledDiscriminator",
    "LabelledGenerator",
    "LatentUNet",
    "MLPDiscriminator",
    "MLPGenerator",
    "Maxout",
    "MinibatchStd",
    "MultiScale",
    "Norm",
    "PatchGAN",
    "PatchHeads",
    "PixelGAN",
    "ProjectionDiscriminator",
    "ResNetDiscriminator32",
    "ResNetGenerator",
    "ResNetGenerator32",
    "ResidualEncoder",
    "Segmenter",
    "StyledResNet",
    "UNetGenerator",
    "draw_latents",
    "in_one_pass",
    "initialise",
    "sample_positions",
    "to_channels_last",
    "with_gain",
]
