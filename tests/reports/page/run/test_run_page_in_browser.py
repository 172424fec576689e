"""The page of one run in a real browser: film, keyboard, phone, dark mode, hostile names."""

import json

import pytest
from helpers.runs.browser import CONTRAST, find_browser, focus, texts
from helpers.runs.sample_runs import PROTOCOL, sample_run

from ganlab.config.compose import compose, to_plain
from ganlab.record.run import write_config
from ganlab.reports.page.run.write import write_run_page

if find_browser() is None:
    pytest.skip("chromium is not installed", allow_module_level=True)

HOSTILE = "</script><script>window.hurt=1</script><img src=x onerror=window.hurt=1>"
OVERRIDES = ["experiment=ring_hinge", "data.batch_size=64", "callbacks.doctor=null"]
VALUE = "document.querySelector('#slider').ariaValueText"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A failed run with a long and hostile name, pictures of 116 pixels, and real settings."""
    folder = tmp_path_factory.mktemp("page") / "run"
    command = ["ganlab", "train", *OVERRIDES]
    told = {"name": HOSTILE + "x" * 90, "error": HOSTILE, "status": "failed", "command": command}
    told["scores"] = {f"share/{k}": {"value": k / 10, "protocol": PROTOCOL} for k in range(4)}
    sample_run(folder, pictures=5, extra=2, **told)
    log = folder / "metrics.csv"
    log.write_text(log.read_text().replace("doctor/extra_1", "doctor/compared_examples"))
    tree = compose(OVERRIDES)
    tree.run_dir = str(folder)
    write_config(folder, to_plain(tree))
    return write_run_page(folder).page


def test_the_slider_moves_by_keys_and_the_film_plays_to_its_end(opened):
    assert opened.evaluate(VALUE) == "128,000 examples seen"
    last = opened.evaluate("document.querySelector('#frame').src")
    focus(opened, "#slider")
    opened.press("Home")
    assert opened.evaluate(VALUE) == "0 examples seen"
    opened.press("ArrowRight")
    assert opened.evaluate(VALUE) == "32,000 examples seen"
    assert opened.evaluate("document.querySelector('#frame').src") != last
    focus(opened, "#play")
    opened.press("Enter")
    assert texts(opened, "#play") == ["Pause"]
    opened.wait("document.querySelector('#play').textContent === 'Play'")
    assert opened.evaluate("document.querySelector('#frame').src") == last


def test_small_pictures_are_enlarged_sharply_and_the_film_can_be_saved(opened):
    opened.wait("document.querySelector('#frame').clientWidth === 5 * 116")
    style = "getComputedStyle(document.querySelector('#frame')).imageRendering"
    assert opened.evaluate(style) == "pixelated"
    link = "document.querySelector('#save')"
    assert opened.evaluate(f"{link}.download") == "samples.gif"
    assert opened.evaluate(f"{link}.href").startswith("data:image/gif;base64,R0lGODlh")


def test_only_differences_are_shown_on_demand(opened):
    count = len(texts(opened, "#tree .leaf"))
    assert texts(opened, "#compared")[0].startswith("Compared with what “ganlab train experiment=")
    focus(opened, "#only-differences")
    opened.press("Enter")
    shown = texts(opened, "#tree .leaf")
    assert len(shown) == len(texts(opened, "#tree .changed")) < count
    assert "batch_size64default: 256" in shown
    assert texts(opened, "#setting-controls span")[0].startswith(f"{len(shown)} of ")


def test_the_curves_share_a_read_out_and_no_legend_is_over_them(opened):
    assert texts(opened, ".panel h3")[0] == "adversarialloss"
    focus(opened, ".panel canvas")
    opened.press("End")
    assert texts(opened, "#reading") == ["At 128,000 examples"]
    assert "" not in texts(opened, ".legend .value")
    boxes = (
        "(selector) => [...document.querySelectorAll(selector)].map(e => e.getBoundingClientRect())"
    )
    below = f"({boxes})('.panel canvas').every((c, i) => c.bottom <= ({boxes})('.legend')[i].top)"
    assert opened.evaluate(below)


def test_counts_are_not_drawn_with_ratios(opened):
    if texts(opened, "#more-panels"):
        opened.evaluate("document.querySelector('#more-panels').click()")
    drawn = texts(opened, ".legend .label")
    assert "doctor/extra_0" in drawn
    assert "doctor/compared_examples" not in drawn


def test_the_scores_of_classes_share_a_row_and_protocols_are_folded(opened):
    assert texts(opened, "#score-list tr") == ["share/…0: 01: 0.12: 0.23: 0.3"]
    assert texts(opened, "#score-list summary") == ["How they were taken"]
    assert texts(opened, "#score-list dl") == []


def test_hostile_names_are_shown_as_they_are(opened):
    assert texts(opened, "#title")[0].startswith(HOSTILE)
    assert texts(opened, "#facts .error") == [HOSTILE]
    assert texts(opened, "#command-text") == [" ".join(["ganlab train", *OVERRIDES])]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [375, 1400])
def test_all_is_readable_and_nothing_scrolls_sideways(opened, width, dark):
    opened.look(width=width, height=800, dark=dark)
    least, where = opened.evaluate(CONTRAST)
    assert least >= 4.5, where
    widths = "JSON.stringify([document.documentElement.scrollWidth, innerWidth])"
    assert json.loads(opened.evaluate(widths)) == [width, width]
    links = "[...document.querySelectorAll('nav a:not([hidden])')]"
    assert opened.evaluate(f"{links}.every(a => a.getBoundingClientRect().right <= innerWidth)")
