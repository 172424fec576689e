"""Drawn scenes: what is where, what a texture gives away, and what a caption says."""

import dataclasses
import re

import pytest
import torch

from ganlab.data.translation.shape_scenes import (
    HUES,
    KINDS,
    LABEL_COLOURS,
    TEXTURES,
    captions_of,
    drawn,
    from_hsv,
    imagine,
    label_map,
    lay_out,
    segments_of,
    textured,
)


def scenes(n=200, seed=0, **options):
    return imagine(n, torch.Generator().manual_seed(seed), **options)


def test_scenes_are_a_function_of_the_seed():
    one, same, other = scenes(), scenes(), scenes(seed=1)
    for field in dataclasses.fields(one):
        assert torch.equal(getattr(one, field.name), getattr(same, field.name))
    assert not torch.equal(one.colour, other.colour)


@pytest.mark.parametrize("size", [32, 64, 100])
def test_every_shape_that_is_there_is_drawn_in_its_quarter_and_nothing_else_is(size):
    described = scenes()
    canvas = lay_out(described, size)
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    quarter = 2 * (rows >= size / 2).long() + (columns >= size / 2).long()
    assert ((canvas.owner == 4) | (canvas.owner == quarter)).all()
    for cell in range(4):
        shown = (canvas.owner == cell).flatten(1).any(1)
        assert torch.equal(shown, described.there[:, cell])


def test_three_or_four_shapes_of_every_kind_and_texture():
    described = scenes(500)
    assert set(described.there.sum(1).tolist()) == {3, 4}
    assert set(described.kind[described.there].tolist()) == set(range(len(KINDS)))
    textures = described.texture[:, :4]
    assert set(textures.flatten().tolist()) == set(range(1, len(TEXTURES)))
    assert (described.texture[:, 4] == 0).all()


@pytest.mark.parametrize("kind", range(3))
def test_the_area_of_a_shape_is_that_of_its_formula(kind):
    """πr², (1.72 r)², and 3√3 (0.62 r)² of an equilateral triangle by its inner circle."""
    described = scenes(40)
    described = dataclasses.replace(described, kind=torch.full_like(described.kind, kind))
    owner = lay_out(described, 400).owner
    factor = (torch.pi, 1.72**2, 27**0.5 * 0.62**2)[kind]
    for cell in range(4):
        there = described.there[:, cell]
        area = (owner == cell).flatten(1).float().mean(1)[there]
        assert torch.allclose(area, factor * described.radius[there, cell] ** 2, rtol=0.02)


def test_a_scene_is_the_same_picture_at_every_size():
    described = scenes(50)
    small, large = (drawn(described, size, segments_of) for size in (32, 96))
    agree = (small == large[:, 1::3, 1::3]).float().mean()
    assert agree == 1  # the centres of small pixels are those of every third large one


def test_drawing_in_parts_changes_nothing(monkeypatch):
    described = scenes(7)
    whole = drawn(described, 32, lambda canvas: textured(canvas, 5))
    monkeypatch.setattr("ganlab.data.translation.shape_scenes._PIXELS", 3 * 32 * 32)
    assert torch.equal(drawn(described, 32, lambda canvas: textured(canvas, 5)), whole)


def test_a_label_map_has_the_colours_of_its_classes_exactly():
    segments = drawn(scenes(20), 32, segments_of)
    colours = label_map(segments)
    found = (colours.unsqueeze(1) == LABEL_COLOURS.view(1, -1, 3, 1, 1)).all(2)
    assert (found.sum(1) == 1).all()
    assert torch.equal(found.byte().argmax(1), segments.long())


def test_the_mean_colour_of_a_shape_does_not_tell_its_texture():
    """The nearest mean of the textures' mean colours is right no more often than by chance."""
    described = scenes(1500)
    canvas = lay_out(described, 32)
    pictures = textured(canvas, 5.0).float()
    inside = torch.nn.functional.one_hot(canvas.owner, 5).permute(0, 3, 1, 2)[:, :4].float()
    sums = torch.einsum("nchw,nshw->nsc", pictures, inside)
    means = sums / inside.sum((2, 3)).clamp_min(1).unsqueeze(2)
    x, y = means[described.there], described.texture[:, :4][described.there]
    train = torch.arange(len(x)) % 2 == 0
    centres = torch.stack([x[train & (y == k)].mean(0) for k in range(1, len(TEXTURES))])
    guess = 1 + torch.cdist(x[~train], centres).argmin(1)
    assert (guess == y[~train]).float().mean() < 0.26  # 0.2 by chance, ± 0.008


def test_hsv_is_the_standard_librarys():
    import colorsys

    values = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    expected = torch.tensor([colorsys.hsv_to_rgb(*row) for row in values.tolist()])
    assert torch.allclose(from_hsv(*values.unbind(1)), expected, atol=1e-5)


def test_a_caption_names_every_shape_and_where_it_is():
    described = scenes(100)
    for number, caption in enumerate(captions_of(described)):
        there = described.there[number].tolist()
        assert caption.count("a large ") == sum(described.large[number][described.there[number]])
        expected = [
            f"{HUES[described.hue[number, cell]]} {TEXTURES[described.texture[number, cell]]} "
            f"{KINDS[described.kind[number, cell]]}"
            for cell in range(4)
            if there[cell]
        ]
        assert re.findall(r"a (?:large|small) (\w+ \w+ \w+)", caption) == expected
        assert caption.count("left of") == (there[0] and there[1]) + (there[2] and there[3])
        assert caption.count("above") == 1  # of three shapes or four, one is in each row


def test_fewer_hues_give_the_first_ones():
    assert set(scenes(hues=2).hue.flatten().tolist()) == {0, 1}


def test_textures_are_turned_no_further_than_asked():
    assert scenes(turn=30).turn.max() <= torch.pi / 6
    assert torch.allclose(scenes(turn=30).turn * 12, scenes().turn)
