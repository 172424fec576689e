"""Conditional networks: the label changes the output, and errors name the right width."""

import pytest
import torch
from torch import nn

from ganlab.errors import ConfigError
from ganlab.networks import (
    ConditionalBatchNorm2d,
    DCGANDiscriminator,
    DCGANGenerator,
    LabelledDiscriminator,
    LabelledGenerator,
    MLPDiscriminator,
    MLPGenerator,
    ProjectionDiscriminator,
    ResNetDiscriminator32,
)


def discriminator(how):
    if how == "concat":
        inner = MLPDiscriminator([16 * 16 + 10], [32])
    else:
        channels = 1 + (10 if how == "map" else 1)
        inner = DCGANDiscriminator(16, channels, features=4, init="default")
    return LabelledDiscriminator(inner, 10, how, [1, 16, 16])


@pytest.mark.parametrize("embedding", [None, 6])
def test_the_label_changes_the_picture_and_nothing_else_does(embedding):
    torch.manual_seed(0)
    inner = DCGANGenerator(16, 1, latent=5 + (embedding or 10), features=4, init="default")
    generator = LabelledGenerator(inner, 10, embedding).eval()
    assert (generator.latent, generator.classes, generator.shape) == (5, 10, (1, 16, 16))
    z = torch.randn(1, 5).expand(10, -1)
    x = generator(z, torch.arange(10))
    assert x.shape == (10, 1, 16, 16)
    differ = (x[:, None] - x[None]).abs().flatten(2).amax(2) > 1e-4
    assert torch.equal(differ, ~torch.eye(10, dtype=torch.bool))
    assert torch.equal(generator(z, torch.full((10,), 3)), x[3:4].expand_as(x))


@pytest.mark.parametrize("how", ["concat", "map", "embedding"])
def test_the_label_changes_the_score_and_nothing_else_does(how):
    torch.manual_seed(0)
    network = discriminator(how).eval()
    assert (network.classes, network.shape) == (10, (1, 16, 16))
    x = torch.randn(1, 1, 16, 16).expand(10, -1, -1, -1)
    scores = network(x, torch.arange(10))
    assert scores.shape == (10,)
    differ = (scores[:, None] - scores[None]).abs() > 1e-5
    assert torch.equal(differ, ~torch.eye(10, dtype=torch.bool))
    assert torch.allclose(network(x, torch.full((10,), 3)), scores[3].expand(10), atol=1e-6)


def test_one_hot_maps_reach_the_inner_network():
    """An inner network that sums each channel gets the image's sum, and 16 for the label's map."""

    class Sums(nn.Module):
        shape, classes = (4, 4, 4), None

        def forward(self, x):
            return x.sum((2, 3))

    network = LabelledDiscriminator(Sums(), 3, "map", [1, 4, 4])
    sums = network(torch.ones(2, 1, 4, 4), torch.tensor([0, 2]))
    assert sums.tolist() == [[16, 16, 0, 0], [16, 0, 0, 16]]


def test_learned_maps_and_vectors_are_trained():
    network = discriminator("embedding")
    network(torch.randn(2, 1, 16, 16), torch.tensor([1, 4])).sum().backward()
    touched = network.embedding.weight.grad.abs().sum(1) > 0
    assert touched.nonzero().flatten().tolist() == [1, 4]
    torch.manual_seed(0)
    generator = LabelledGenerator(MLPGenerator(300, [2]), 1000, embedding=200)
    assert generator.embedding.weight.requires_grad
    assert abs(generator.embedding.weight.std().item() - 1) < 0.02


def test_points_with_labels():
    generator = LabelledGenerator(MLPGenerator(2 + 8, [2], [8], output="linear"), 8)
    network = LabelledDiscriminator(MLPDiscriminator([2 + 8], [8]), 8, "concat", [2])
    label = torch.arange(8)
    assert network(generator(torch.randn(8, 2), label), label).shape == (8,)


@pytest.mark.parametrize(
    ("network", "how", "shape", "words"),
    [
        (
            MLPDiscriminator([784]),
            "concat",
            [1, 28, 28],
            r"network.shape: received \[784\].*\[794\]",
        ),
        (DCGANDiscriminator(16, 1, 2), "concat", [1, 16, 16], r"allowed \[266\].*or how=map"),
        (DCGANDiscriminator(16, 1, 2), "map", [1, 16, 16], "Set network.channels to 11"),
        (DCGANDiscriminator(16, 11, 2), "embedding", [1, 16, 16], "Set network.channels to 2"),
        (DCGANDiscriminator(16, 11, 2), "map", [1, 28, 28], "Set network.size to 28"),
        (DCGANDiscriminator(16, 11, 2), "map", [256], "shape: received .256. with how=map"),
        (MLPDiscriminator([794]), "map", [1, 28, 28], "set how=concat"),
        (MLPDiscriminator([794]), "maps", [1, 28, 28], r"how: .*Did you mean 'map'\?"),
        (discriminator("map"), "map", [1, 16, 16], "takes labels itself"),
        (nn.Linear(2, 1), "concat", [2], "no attribute 'shape'"),
    ],
)
def test_errors_about_the_inner_network_say_what_to_set(network, how, shape, words):
    with pytest.raises(ConfigError, match=words):
        LabelledDiscriminator(network, 10, how, shape)


def test_a_latent_too_small_for_z_and_label_is_refused():
    with pytest.raises(ConfigError, match=r"network.latent: received 10.*110 for length 100"):
        LabelledGenerator(MLPGenerator(10, [2]), 10)
    with pytest.raises(ConfigError, match=r"classes: received 1; .*nearest 2"):
        LabelledGenerator(MLPGenerator(10, [2]), 1)
    with pytest.raises(ConfigError, match="takes labels itself"):
        LabelledGenerator(LabelledGenerator(MLPGenerator(30, [2]), 10), 10)


def test_samples_of_another_shape_are_refused():
    with pytest.raises(ConfigError, match=r"allowed \(N, 1, 16, 16\)"):
        discriminator("concat")(torch.randn(2, 1, 8, 32), torch.tensor([0, 1]))


# --- projection and conditional batch norm --------------------------------------------------------


@pytest.mark.parametrize(
    "network",
    [
        lambda: DCGANDiscriminator(16, 1, 4, norm="none"),
        lambda: DCGANDiscriminator(16, 1, 4, norm="none", hidden=6),
        lambda: MLPDiscriminator([1, 16, 16], [8, 5], minibatch_std=True),
        lambda: ResNetDiscriminator32(4, 1),
    ],
)
def test_projection_adds_the_inner_product_with_the_labels_vector(network):
    network = network()
    x, label = torch.randn(6, *network.shape), torch.tensor([0, 1, 2, 2, 1, 0])
    projection = ProjectionDiscriminator(network, 3)
    represented = network.represent(x)
    assert represented.shape == (6, network.width)
    wanted = network(x) + torch.einsum("nk,nk->n", projection.embedding.weight[label], represented)
    torch.testing.assert_close(projection(x, label), wanted)
    torch.testing.assert_close(network.score_of(represented), network(x))


def test_conditional_batch_norm_is_a_batch_norm_with_the_classs_scale_and_offset():
    norm, plain = ConditionalBatchNorm2d(3, 4), nn.BatchNorm2d(3)
    x, label = torch.randn(8, 3, 5, 5) * 2 + 1, torch.arange(8) % 4
    torch.testing.assert_close(norm(x, label), plain(x))
    with torch.no_grad():
        norm.scale.normal_(), norm.offset.normal_()
    for k in range(4):
        with torch.no_grad():
            plain.weight.copy_(norm.scale[k]), plain.bias.copy_(norm.offset[k])
        rows = label == k
        torch.testing.assert_close(norm(x, label)[rows], plain(x)[rows])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ProjectionDiscriminator(nn.Linear(2, 1), 3), ["network", "Linear", "'shape'"]),
        (lambda: ProjectionDiscriminator(discriminator("map"), 3), ["takes labels itself"]),
        (lambda: ProjectionDiscriminator(MLPDiscriminator([2]), 1), ["classes", "1", "2"]),
        (lambda: DCGANGenerator(16, norm="layer", classes=3), ["norm", "'layer'", "'batch'"]),
        (lambda: DCGANGenerator(16, classes=1), ["classes", "1", "2"]),
    ],
)
def test_errors_of_projection_and_conditional_batch_norm(make, words):
    with pytest.raises(ConfigError) as error:
        make()
    assert all(word in str(error.value) for word in words)
