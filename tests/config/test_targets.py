"""Arguments of a `_target_`, including those that it passes on to its base class."""

import pytest

from ganlab.config.targets import check_targets, parameters_of
from ganlab.data import MNIST, CartoonFaces, PairedImages, Ring
from ganlab.errors import ConfigError


class Base:
    def __init__(self, size: int, *, seed: int = 0) -> None:
        self.size, self.seed = size, seed


class Passing(Base):
    def __init__(self, colour: str = "red", **common) -> None:
        super().__init__(**common)


class Deeper(Passing):
    def __init__(self, size: int = 3, **common) -> None:
        super().__init__(size=size, **common)


class Subclass(Passing):
    def __init__(self, *args, added, **options) -> None:
        super().__init__(*args, **options)


class Keeping(Base):
    def __init__(self, **options) -> None:
        super().__init__(options["size"])


def test_arguments_include_those_that_a_constructor_passes_on():
    assert list(parameters_of(Base)) == ["size", "seed"]
    assert list(parameters_of(Passing)) == ["colour", "size", "seed"]
    assert list(parameters_of(Deeper)) == ["size", "colour", "seed"]
    assert parameters_of(Deeper)["size"].default == 3
    open_ended = parameters_of(Keeping)  # may take other arguments than its base class
    assert list(open_ended) == ["size", "seed", "options"]
    assert open_ended["size"].default is None
    assert list(parameters_of(Subclass)) == ["added", "colour", "size", "seed", "options"]
    assert list(parameters_of(len)) == ["obj"]


@pytest.mark.parametrize(
    ("target", "arguments"),
    [
        (Ring, {"modes", "radius", "sigma", "samples", "batch_size", "seed", "dimensions"}),
        (MNIST, {"root", "size", "channels", "download", "limit", "batch_size", "seed"}),
        (PairedImages, {"root", "archive", "direction", "channels", "source_channels", "fit"}),
    ],
)
def test_data_sets_have_all_their_arguments(target, arguments):
    assert arguments <= set(parameters_of(target))
    assert not {"args", "kwargs", "common", "places"} & set(parameters_of(target))


def test_arguments_that_are_not_passed_on_are_left_out():
    assert "crop" not in parameters_of(CartoonFaces)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"modes": 8, "batchsize": 3}, r"x.batchsize: Ring has no .*'batch_size'\?"),
        ({"modes": 8, "batch_size": "many"}, "x.batch_size: received 'many'.*a whole number"),
        ({"radius": "wide"}, "x.radius: received 'wide'.*a number"),
    ],
)
def test_mistakes_in_arguments_that_are_passed_on_are_found(config, message):
    with pytest.raises(ConfigError, match=message):
        check_targets({"x": {"_target_": "ganlab.data.Ring", **config}})


def test_other_keyword_arguments_are_not_checked():
    """Metrics and classes of other packages may take any argument; data sets do not."""
    for target in ("ganlab.metrics.KernelDistance", "lightning.pytorch.profilers.PyTorchProfiler"):
        assert check_targets({"x": {"_target_": target, "anything": 1}}) is None
    with pytest.raises(ConfigError, match="anything"):
        check_targets({"x": {"_target_": "ganlab.data.Ring", "anything": 1}})
