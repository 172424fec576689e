"""The picture of a run's curves."""

import pytest
from matplotlib.figure import Figure

from ganlab.record.curves import save_curves


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Return a function that draws columns of numbers, and returns the panels by their titles."""

    def draw(columns, every=100):
        rows = zip(*columns.values(), strict=True)
        lines = [",".join([str(i * every), *map(str, row)]) for i, row in enumerate(rows)]
        text = "\n".join([",".join(["examples_seen", *columns]), *lines])
        (tmp_path / "metrics.csv").write_text(text + "\n")
        figures, savefig = [], Figure.savefig
        monkeypatch.setattr(
            Figure, "savefig", lambda f, *a, **k: figures.append(f) or savefig(f, *a, **k)
        )
        save_curves(tmp_path)
        return {axes.get_title(loc="left"): axes for axes in figures[-1].axes}

    return draw


def lines_of(axes):
    return [line.get_label() for line in axes.get_lines()]


def test_few_quantities_share_a_panel_and_many_have_their_own(drawn):
    doctor = ["separation", "real_accuracy", "fake_accuracy", "pairwise_distance", "nearest"]
    names = ["d/adversarial", "d/r1", "d/steps", *(f"doctor/{name}" for name in doctor), "fid"]
    panels = drawn({name: [1, 2, 3] for name in names})
    assert [*panels] == ["d", "fid", *(f"doctor/{name}" for name in doctor)]
    assert lines_of(panels["d"]) == ["adversarial", "r1"]
    assert all(len(axes.get_lines()) == 1 for title, axes in panels.items() if title != "d")


def test_scores_of_many_classes_are_summarised(drawn):
    panels = drawn({f"share/{i}": [i, i + 1] for i in range(1000)} | {"share": [1, 2]})
    assert [*panels] == ["share/… (1000 values)", "share"]
    axes = panels["share/… (1000 values)"]
    ends = {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}
    assert ends == {"highest": [999, 1000], "median": [499.5, 500.5], "lowest": [0, 1]}


def test_names_at_equal_ends_do_not_overlap(drawn):
    axes = drawn({f"d/{name}": [0, 1] for name in ("a", "b", "c")})["d"]
    axes.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == ["a", "b", "c"]
    assert not any(a.overlaps(b) for a in boxes for b in boxes if a is not b)
    assert all(box.x0 >= axes.get_window_extent().x1 for box in boxes)


def test_long_curves_are_thinned_and_keep_their_range(drawn):
    values = [1.0] * 5000
    values[1234], values[4321] = 7.0, "nan"
    axes = drawn({"d/a": values})["d/a"]
    (line,) = axes.get_lines()
    assert len(line.get_xdata()) <= 200
    assert set(line.get_ydata()) == {1.0}
    (band,) = axes.collections
    assert band.get_paths()[0].get_extents().y1 == 7.0


def test_values_that_dwarf_the_others_are_on_a_log_scale(drawn):
    panels = drawn({"a": [1e4, 1, 1, 1], "b": [1, 2, 3, 4], "c": ["nan"] * 4, "d": [1e4, 1, 0, 1]})
    assert {title: axes.get_yscale() for title, axes in panels.items()} == {
        "a": "log",
        "b": "linear",
        "c": "linear",
        "d": "linear",
    }
    assert [text.get_text() for text in panels["c"].texts] == ["not finite"]
