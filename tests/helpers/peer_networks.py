"""The networks of public CycleGAN and pix2pix checkpoints, with the same keys.

They are written from the keys' layout without ganlab's code, so that tests can compare both.
"""

import torch
from torch import nn


def norm_of(norm, channels, old=False):
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "instance":
        return nn.InstanceNorm2d(channels, track_running_stats=old)
    return nn.Identity()


class Added(nn.Module):
    """A residual block: `conv_block.…`."""

    def __init__(self, width, norm, dropout, old):
        super().__init__()
        bias = norm == "instance"
        layers = [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=bias)]
        layers += [norm_of(norm, width, old), nn.ReLU(True)]
        if dropout:
            layers.append(nn.Dropout(0.5))
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=bias)]
        self.conv_block = nn.Sequential(*layers, norm_of(norm, width, old))

    def forward(self, x):
        return x + self.conv_block(x)


class ResNet(nn.Module):
    """`model.1` … `model.26` with nine blocks."""

    def __init__(self, inputs=3, outputs=3, f=64, blocks=9, norm="instance", drop=False, old=False):
        super().__init__()
        bias = norm == "instance"
        layers = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, f, 7, bias=bias)]
        layers += [norm_of(norm, f, old), nn.ReLU(True)]
        for width in (f, 2 * f):
            layers.append(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=bias))
            layers += [norm_of(norm, 2 * width, old), nn.ReLU(True)]
        layers += [Added(4 * f, norm, drop, old) for _ in range(blocks)]
        for width in (2 * f, f):
            layers.append(
                nn.ConvTranspose2d(
                    2 * width, width, 3, stride=2, padding=1, output_padding=1, bias=bias
                )
            )
            layers += [norm_of(norm, width, old), nn.ReLU(True)]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(f, outputs, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x)


class Skip(nn.Module):
    """A level of the U-Net, which contains the deeper levels: `model.{0…7}`."""

    def __init__(self, outer, inner, inputs=None, inside=None, norm="batch", drop=False, top=False):
        super().__init__()
        self.top = top
        bias = norm == "instance"
        down = nn.Conv2d(outer if inputs is None else inputs, inner, 4, 2, 1, bias=bias)
        if top:
            up = nn.ConvTranspose2d(2 * inner, outer, 4, 2, 1)
            layers = [down, inside, nn.ReLU(True), up, nn.Tanh()]
        elif inside is None:
            up = nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=bias)
            layers = [nn.LeakyReLU(0.2, True), down, nn.ReLU(True), up, norm_of(norm, outer)]
        else:
            up = nn.ConvTranspose2d(2 * inner, outer, 4, 2, 1, bias=bias)
            layers = [nn.LeakyReLU(0.2, True), down, norm_of(norm, inner), inside]
            layers += [nn.ReLU(True), up, norm_of(norm, outer)]
            if drop:
                layers.append(nn.Dropout(0.5))
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x) if self.top else torch.cat([x, self.model(x)], 1)


class UNet(nn.Module):
    """`model.model.…`, with 8 levels for 256 pixels."""

    def __init__(self, inputs=3, outputs=3, levels=8, f=64, norm="batch", drop=True):
        super().__init__()
        block = Skip(8 * f, 8 * f, norm=norm)
        for _ in range(levels - 5):
            block = Skip(8 * f, 8 * f, inside=block, norm=norm, drop=drop)
        for width in (4 * f, 2 * f, f):
            block = Skip(width, 2 * width, inside=block, norm=norm)
        self.model = Skip(outputs, f, inputs=inputs, inside=block, norm=norm, top=True)

    def forward(self, x):
        return self.model(x)


class Patch(nn.Module):
    """`model.{0, 2, 5, 8, 11}` with three layers."""

    def __init__(self, inputs=3, f=64, layers=3, norm="batch"):
        super().__init__()
        bias = norm == "instance"
        model = [nn.Conv2d(inputs, f, 4, 2, 1), nn.LeakyReLU(0.2, True)]
        width = f
        for level in range(1, layers + 1):
            wider, stride = f * min(2**level, 8), 2 if level < layers else 1
            model.append(nn.Conv2d(width, wider, 4, stride, 1, bias=bias))
            model += [norm_of(norm, wider), nn.LeakyReLU(0.2, True)]
            width = wider
        self.model = nn.Sequential(*model, nn.Conv2d(width, 1, 4, 1, 1))

    def forward(self, x):
        return self.model(x)


class Pixel(nn.Module):
    """`net.{0, 2, 3, 5}`."""

    def __init__(self, inputs=3, f=64, norm="batch"):
        super().__init__()
        bias = norm == "instance"
        self.net = nn.Sequential(
            nn.Conv2d(inputs, f, 1),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(f, 2 * f, 1, bias=bias),
            norm_of(norm, 2 * f),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(2 * f, 1, 1, bias=bias),
        )

    def forward(self, x):
        return self.net(x)


def randomised(network, seed=0):
    """Return the network with random weights, scales, biases and running statistics."""
    generator = torch.Generator()
    generator.manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator)
            if name.endswith("running_var"):
                tensor.copy_(noise.abs() + 0.5)
            elif tensor.dim() == 1:
                tensor.copy_(1 + 0.2 * noise if name.endswith("weight") else 0.1 * noise)
            else:
                tensor.copy_(noise * (2 / tensor[0].numel()) ** 0.5)
    return network
