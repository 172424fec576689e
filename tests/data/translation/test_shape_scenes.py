"""Drawn scenes: where shapes lie, that mean colours hide textures, and what captions say."""

import dataclasses
import re

import pytest
import torch

from ganlab.data.translation.shape_scenes import (
    HUES,
    KINDS,
    LABEL_COLOURS,
    TEXTURES,
    canvas_of,
    captions_of,
    draw_scenes,
    from_hsv,
    label_map,
    sample_scenes,
    segments_of,
    textured,
)


def scenes(n=200, seed=0, **options):
    return sample_scenes(n, torch.Generator().manual_seed(seed), **options)


def test_scenes_are_a_function_of_the_seed():
    first, again, other = scenes(), scenes(), scenes(seed=1)
    for field in dataclasses.fields(first):
        assert torch.equal(getattr(first, field.name), getattr(again, field.name))
    assert not torch.equal(first.colour, other.colour)


@pytest.mark.parametrize("size", [32, 64, 100])
def test_exactly_the_described_shapes_are_drawn_each_in_its_quarter(size):
    described = scenes()
    canvas = canvas_of(described, size)
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    quarter = 2 * (rows >= size / 2).long() + (columns >= size / 2).long()
    assert ((canvas.surface == 4) | (canvas.surface == quarter)).all()
    for i in range(4):
        shown = (canvas.surface == i).flatten(1).any(1)
        assert torch.equal(shown, described.present[:, i])


def test_three_or_four_shapes_of_every_kind_and_texture():
    described = scenes(500)
    assert set(described.present.sum(1).tolist()) == {3, 4}
    assert set(described.kind[described.present].tolist()) == set(range(len(KINDS)))
    textures = described.texture[:, :4]
    assert set(textures.flatten().tolist()) == set(range(1, len(TEXTURES)))
    assert (described.texture[:, 4] == 0).all()


@pytest.mark.parametrize("kind", range(3))
def test_shapes_have_the_areas_of_their_formulas(kind):
    """πr², (1.72 r)², and 3√3 (0.62 r)² for an equilateral triangle whose incircle is 0.62 r."""
    described = scenes(40)
    described = dataclasses.replace(described, kind=torch.full_like(described.kind, kind))
    surface = canvas_of(described, 400).surface
    factor = (torch.pi, 1.72**2, 27**0.5 * 0.62**2)[kind]
    for i in range(4):
        shown = described.present[:, i]
        area = (surface == i).flatten(1).float().mean(1)[shown]
        assert torch.allclose(area, factor * described.radius[shown, i] ** 2, rtol=0.02)


def test_a_scene_is_the_same_picture_at_every_size():
    described = scenes(50)
    small, large = (draw_scenes(described, size, segments_of) for size in (32, 96))
    # the centre of each small pixel is also the centre of every third pixel of the large picture
    assert torch.equal(small, large[:, 1::3, 1::3])


def test_drawing_in_parts_changes_nothing(monkeypatch):
    described = scenes(7)
    whole = draw_scenes(described, 32, lambda canvas: textured(canvas, 5))
    monkeypatch.setattr("ganlab.data.translation.shape_scenes._PIXELS", 3 * 32 * 32)
    assert torch.equal(draw_scenes(described, 32, lambda canvas: textured(canvas, 5)), whole)


def test_a_label_map_has_exactly_the_colours_of_its_classes():
    segments = draw_scenes(scenes(20), 32, segments_of)
    colours = label_map(segments)
    is_class = (colours.unsqueeze(1) == LABEL_COLOURS.view(1, -1, 3, 1, 1)).all(2)
    assert (is_class.sum(1) == 1).all()
    assert torch.equal(is_class.byte().argmax(1), segments.long())


def test_the_mean_colour_of_a_shape_does_not_reveal_its_texture():
    """Choosing the texture with the nearest mean colour is hardly better than chance."""
    described = scenes(1500)
    canvas = canvas_of(described, 32)
    pictures = textured(canvas, 5.0).float()
    inside = torch.nn.functional.one_hot(canvas.surface, 5).permute(0, 3, 1, 2)[:, :4].float()
    sums = torch.einsum("nchw,nshw->nsc", pictures, inside)
    means = sums / inside.sum((2, 3)).clamp_min(1).unsqueeze(2)
    x, y = means[described.present], described.texture[:, :4][described.present]
    train = torch.arange(len(x)) % 2 == 0
    centres = torch.stack([x[train & (y == k)].mean(0) for k in range(1, len(TEXTURES))])
    guess = 1 + torch.cdist(x[~train], centres).argmin(1)
    assert (guess == y[~train]).float().mean() < 0.26  # 0.2 by chance, ± 0.008


def test_from_hsv_agrees_with_the_standard_library():
    import colorsys

    values = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    expected = torch.tensor([colorsys.hsv_to_rgb(*row) for row in values.tolist()])
    assert torch.allclose(from_hsv(*values.unbind(1)), expected, atol=1e-5)


def test_a_caption_names_every_shape_and_where_it_is():
    described = scenes(100)
    for number, caption in enumerate(captions_of(described)):
        shown = described.present[number].tolist()
        assert caption.count("a large ") == sum(described.large[number][described.present[number]])
        expected = [
            f"{HUES[described.hue[number, i]]} {TEXTURES[described.texture[number, i]]} "
            f"{KINDS[described.kind[number, i]]}"
            for i in range(4)
            if shown[i]
        ]
        assert re.findall(r"a (?:large|small) (\w+ \w+ \w+)", caption) == expected
        assert caption.count("left of") == (shown[0] and shown[1]) + (shown[2] and shown[3])
        assert caption.count("above") == 1  # with three or four shapes, no row is empty


def test_fewer_hues_give_the_first_ones():
    assert set(scenes(hues=2).hue.flatten().tolist()) == {0, 1}


def test_turn_limits_the_angles_of_textures():
    assert scenes(turn=30).turn.max() <= torch.pi / 6
    assert torch.allclose(scenes(turn=30).turn * 12, scenes().turn)
