"""What a `_target_` may be given: also what its constructor hands on to its base's."""

import pytest

from ganlab.config.targets import check_targets, parameters_of
from ganlab.data import MNIST, CartoonFaces, PairedImages, Ring
from ganlab.errors import ConfigError
from ganlab.metrics import KernelDistance


class Base:
    def __init__(self, size: int, *, seed: int = 0) -> None:
        self.size, self.seed = size, seed


class Handing(Base):
    def __init__(self, colour: str = "red", **common) -> None:
        super().__init__(3, **common)


def test_a_constructor_has_the_arguments_that_it_hands_on():
    found = parameters_of(Handing)
    assert list(found) == ["colour", "size", "seed"]
    assert found["size"].default is None  # it gives that itself
    assert list(parameters_of(Base)) == ["size", "seed"]
    assert list(parameters_of(len)) == ["obj"]


@pytest.mark.parametrize(
    ("target", "arguments"),
    [
        (Ring, {"modes", "radius", "sigma", "samples", "batch_size", "seed", "dimensions"}),
        (MNIST, {"root", "size", "channels", "download", "limit", "batch_size", "seed"}),
        (PairedImages, {"root", "archive", "direction", "channels", "source_channels", "fit"}),
    ],
)
def test_data_sets_name_all_of_theirs(target, arguments):
    assert arguments <= set(parameters_of(target))
    assert not {"args", "kwargs", "common", "places"} & set(parameters_of(target))


def test_what_a_constructor_does_not_hand_on_is_not_its_own():
    assert "crop" not in parameters_of(CartoonFaces)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"modes": 8, "batchsize": 3}, r"x.batchsize: Ring has no .*'batch_size'\?"),
        ({"modes": 8, "batch_size": "many"}, "x.batch_size: received 'many'.*a whole number"),
        ({"radius": "wide"}, "x.radius: received 'wide'.*a number"),
    ],
)
def test_mistakes_in_handed_on_arguments_are_found(config, said):
    with pytest.raises(ConfigError, match=said):
        check_targets({"x": {"_target_": "ganlab.data.Ring", **config}})


def test_what_a_base_needs_and_a_class_gives_itself_is_not_missed():
    assert parameters_of(KernelDistance)["most"].default is None
    check_targets({"x": {"_target_": "ganlab.metrics.KernelDistance"}})
