"""The sets of drawn shapes: pairs, and unpaired sides."""

import pytest
import torch

from ganlab.data import Shapes, ShapeSegments, ShapesUnpaired
from ganlab.data.translation.shape_scenes import canvas_of, draw_scenes, label_map, segments_of
from ganlab.errors import ConfigError

TINY = {"size": 32, "samples": 24, "test_samples": 12}


def equality_by_key(a, b):
    return {key: torch.equal(a[key], b[key]) for key in a}


@pytest.mark.parametrize("cls", [Shapes, ShapesUnpaired])
def test_the_seed_changes_the_order_of_pictures_and_not_the_pictures(cls):
    first, second = cls(**TINY, batch_size=8, seed=0), cls(**TINY, batch_size=8, seed=1)
    for split in ("train", "test"):
        assert first.content_hash(split) == second.content_hash(split)
    batches = [next(iter(data.train_dataloader())) for data in (first, second)]
    assert not any(equality_by_key(*batches).values())
    assert first.content_hash("train") != first.content_hash("test")


@pytest.mark.parametrize("size", [32, 64, 256])
def test_pictures_have_the_given_size(size):
    data = Shapes(size=size, samples=2, test_samples=1)
    assert data.shape == (3, size, size) == data.train["target"].shape[1:]
    assert data.shapes == {key: tuple(data.train[key].shape[1:]) for key in ("source", "target")}
    assert data.train["segments"].shape == (2, size, size)


def test_segments_are_the_sources_classes():
    data = Shapes(**TINY)
    for split in ("train", "test"):
        rows = data.split(split)
        assert torch.equal(label_map(rows["segments"]), rows["source"])


def test_segments_are_never_in_batches():
    data = Shapes(**TINY, batch_size=4)
    assert set(next(iter(data.train_dataloader()))) == {"source", "target"} == set(data.provides)


def test_shapes_of_a_target_lie_where_its_source_shows_them():
    """Each shape has a dark outline, one pixel wide and just inside its edge."""
    data = Shapes(**TINY | {"size": 64})
    rows = data.test
    canvas = canvas_of(data.scenes("test"), 64)
    outline = (canvas.depth > 0) & (canvas.depth < 1 / 64)
    outside = canvas.depth == 0
    light = rows["target"].float().amax(1)
    assert light[outline].mean() < 0.6 * light[outside].mean()
    assert torch.equal(canvas.depth > 0, rows["segments"] > 0)


def test_the_direction_exchanges_the_sides():
    forth, back = Shapes(**TINY), Shapes(**TINY, direction="b_to_a")
    assert torch.equal(forth.test["source"], back.test["target"])
    assert torch.equal(forth.test["target"], back.test["source"])
    assert forth.has_segments
    assert not back.has_segments
    forth, back = ShapesUnpaired(**TINY), ShapesUnpaired(**TINY, direction="b_to_a")
    assert torch.equal(forth.train["a"], back.train["b"])


def test_each_split_has_its_own_captions():
    data = Shapes(**TINY)
    assert len(data.captions("train")) == 24
    assert len(data.captions("test")) == 12
    with pytest.raises(ConfigError, match="split"):
        data.captions("all")


def differs_from(pictures, ground):
    """Return where pictures differ from the mean colour of their ground: bool (N, H, W)."""
    return (pictures.float() - torch.tensor(ground).view(3, 1, 1) * 255).abs().amax(1) > 40


GROUNDS = {"evening": (0.58, 0.59, 0.67), "night": (0.05, 0.08, 0.22)}


@pytest.mark.parametrize("style", GROUNDS)
def test_hidden_pairs_show_the_same_scene(style):
    data = ShapesUnpaired(**TINY, style=style)
    segments = draw_scenes(data.scenes("test"), 32, segments_of)
    day = differs_from(data.test["a"], (0.93, 0.9, 0.84))
    other = differs_from(data.test["b"], GROUNDS[style])
    assert (day == (segments > 0)).float().mean() > 0.97
    assert (other == (segments > 0)).float().mean() > 0.97


def test_hidden_partners_have_nearly_the_same_colours():
    """No permutation of the channels brings day nearer to night than the identity does."""
    data = ShapesUnpaired(**TINY | {"test_samples": 100}, style="night")
    scenes = data.scenes("test")
    canvas = canvas_of(scenes, 32)
    inner = (canvas.depth > 1.5 / 32).unsqueeze(1)
    day, night = (data.test[key].float() for key in ("a", "b"))
    distances = [
        ((day[:, order] - night).abs() * inner).sum()
        for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 2, 1], [1, 0, 2], [2, 1, 0])
    ]
    assert distances[0] < 0.4 * min(distances[1:])


def test_training_rows_of_the_two_sides_are_of_different_scenes():
    data = ShapesUnpaired(**TINY)
    day = differs_from(data.train["a"], (0.93, 0.9, 0.84))
    other = differs_from(data.train["b"], GROUNDS["evening"])
    overlap = (day.unsqueeze(1) == other.unsqueeze(0)).float().mean((2, 3))
    assert overlap.max() < 0.97  # pictures of the same scene exceed this


def test_each_side_of_unpaired_batches_has_its_own_order():
    data = ShapesUnpaired(**TINY, batch_size=8)
    batches = data.train_dataloader()
    assert not torch.equal(batches.order(0, "a"), batches.order(0, "b"))
    assert {key: tuple(x.shape) for key, x in next(iter(batches)).items()} == {
        "a": (8, 3, 32, 32),
        "b": (8, 3, 32, 32),
    }
    assert data.has_pairs
    assert data.domain("b").reference("test").equal(data.test["b"])


def test_shape_segments_are_the_targets_and_the_segments_of_shapes():
    pairs, data = Shapes(**TINY), ShapeSegments(**TINY)
    assert torch.equal(data.test["example"], pairs.test["target"])
    assert torch.equal(data.test["label"], pairs.test["segments"].long())
    assert data.classes == len(data.class_names) == int(data.train["label"].max()) + 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"size": 8}, "data.size"),
        ({"samples": 0}, "data.samples"),
        ({"hues": 7}, "data.hues"),
        ({"channels": 1}, "data.channels"),
        ({"direction": "ab"}, "data.direction"),
        ({"period": 0}, "data.period"),
        ({"source_channels": 1}, "data.source_channels"),
    ],
)
def test_values_that_are_not_allowed_are_named(options, named):
    with pytest.raises(ConfigError, match=named):
        Shapes(**options)
