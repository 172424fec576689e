"""Requirements on every network: interface, meta device, seeds, copies, torch.compile, imports."""

import ast
import copy
import sys
from pathlib import Path

import pytest
import torch

from ganlab import networks as n

PAIRS = {
    "mlp": lambda: (n.MLPGenerator(5, [2], [8]), n.MLPDiscriminator([2], [8])),
    "mlp_2014": lambda: (
        n.MLPGenerator(5, [1, 4, 4], [8], output="sigmoid", init="uniform"),
        n.MLPDiscriminator([1, 4, 4], [8], "maxout", dropout=0.5, init="uniform_small"),
    ),
    "dcgan": lambda: (n.DCGANGenerator(28, 1, 5, 4), n.DCGANDiscriminator(28, 1, 4)),
    "resnet32": lambda: (n.ResNetGenerator32(5, 4), n.ResNetDiscriminator32(4)),
    "concat": lambda: (
        n.LabelledGenerator(n.MLPGenerator(8, [2], [8]), 3),
        n.LabelledDiscriminator(n.MLPDiscriminator([5], [8]), 3, "concat", [2]),
    ),
    "map": lambda: (
        n.LabelledGenerator(n.DCGANGenerator(16, 1, 9, 4), 3, embedding=4),
        n.LabelledDiscriminator(n.DCGANDiscriminator(16, 4, 4), 3, "map", [1, 16, 16]),
    ),
    "embedding": lambda: (
        n.LabelledGenerator(n.DCGANGenerator(16, 1, 9, 4), 3, embedding=4),
        n.LabelledDiscriminator(n.DCGANDiscriminator(16, 2, 4), 3, "embedding", [1, 16, 16]),
    ),
    "projection": lambda: (
        n.LabelledGenerator(n.DCGANGenerator(16, 1, 9, 4), 3),
        n.ProjectionDiscriminator(n.DCGANDiscriminator(16, 1, 4, hidden=6), 3),
    ),
    "conditional_norm": lambda: (
        n.DCGANGenerator(16, 1, 5, 4, classes=3),
        n.ProjectionDiscriminator(n.DCGANDiscriminator(16, 1, 4), 3),
    ),
    "sngan_projection": lambda: (
        n.ResNetGenerator32(5, 4, classes=3),
        n.ProjectionDiscriminator(n.ResNetDiscriminator32(4), 3),
    ),
}


def labels(network):
    return () if network.classes is None else (torch.arange(4) % network.classes,)


@pytest.mark.parametrize("build", PAIRS.values(), ids=PAIRS)
def test_shapes_ranges_and_gradients(build):
    generator, discriminator = build()
    assert generator.classes == discriminator.classes
    assert generator.shape == discriminator.shape
    x = generator(torch.randn(4, generator.latent), *labels(generator))
    assert x.shape == (4, *generator.shape)
    assert x.abs().max() <= 1
    scores = discriminator(x, *labels(discriminator))
    assert scores.shape == (4,)
    scores.sum().backward()
    for network in (generator, discriminator):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("build", PAIRS.values(), ids=PAIRS)
def test_construction_on_the_meta_device(build):
    with torch.device("meta"):
        bare = build()
    for network, full in zip(bare, build(), strict=True):
        assert all(p.is_meta for p in network.parameters())
        shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
        assert shapes == {name: tensor.shape for name, tensor in full.state_dict().items()}


@pytest.mark.parametrize("build", PAIRS.values(), ids=PAIRS)
def test_a_seed_gives_the_same_weights_and_copies_are_equal(build):
    torch.manual_seed(3)
    once = build()
    torch.manual_seed(3)
    for network, again in zip(once, build(), strict=True):
        for other in (again, copy.deepcopy(network)):
            assert all(
                torch.equal(a, b)
                for a, b in zip(network.parameters(), other.parameters(), strict=True)
            )


@pytest.mark.parametrize("name", ["concat", "map", "conditional_norm", "sngan_projection"])
def test_torch_compile_makes_one_graph(name):
    """A conditional generator compiles with fullgraph=True."""
    generator = PAIRS[name]()[0].eval()
    z, label = torch.randn(4, generator.latent), labels(generator)
    compiled = torch.compile(generator, fullgraph=True, backend="eager")
    assert torch.allclose(compiled(z, *label), generator(z, *label), atol=1e-6)


def test_networks_need_neither_lightning_nor_hydra():
    """Networks import only torch, the standard library and these three parts of ganlab."""
    allowed = set(sys.stdlib_module_names) | {"torch"}
    paths = list(Path(n.__file__).parent.rglob("*.py"))
    assert len(paths) > 10
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module]
            for name in names:
                ours = name.startswith(("ganlab.errors", "ganlab.private", "ganlab.networks"))
                assert ours or name.partition(".")[0] in allowed, f"{path.name} imports {name}"
