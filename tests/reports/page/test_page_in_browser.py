"""The web page in a real browser: keyboard, phone, dark mode, hostile names, no requests."""

import json
from dataclasses import replace

import pytest
from helpers.runs.browser import CONTRAST, find_browser, focus, texts
from helpers.runs.sample_runs import PROTOCOL, sample_run

from ganlab.reports.comparison.comparison import read_comparison
from ganlab.reports.comparison.groups import tabulate
from ganlab.reports.page.write import write_page

if find_browser() is None:
    pytest.skip("chromium is not installed", allow_module_level=True)

HOSTILE = "<img src=x onerror=window.hurt=1>"
ENDS = "</script><script>window.hurt=1</script>"
CANVAS = "document.querySelector('canvas')"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Five runs of two losses; one failed, has a hostile name, and a score of another protocol."""
    folder = tmp_path_factory.mktemp("page")
    for n in range(4):
        sample_run(folder / "runs" / f"run-{n}", n, rows=40 + 10 * n, extra=2)
    unlike = {"value": 0.5, "protocol": {**PROTOCOL, "protocol": "fd5k", "generated_samples": 64}}
    told = {"status": "failed", "error": ENDS, "scores": {"fd": unlike}}
    more = f"note: {json.dumps(HOSTILE)}"
    sample_run(folder / "runs" / HOSTILE, 4, name=ENDS, more=more, **told)
    comparison = replace(read_comparison([folder / "runs"]), notes=(HOSTILE,))
    write_page(comparison, folder / "page.html", tabulate(comparison))
    return folder / "page.html"


def labels(browser):
    shown = "[...document.querySelectorAll('#table tbody tr')].filter((row) => !row.hidden)"
    return browser.evaluate(f"{shown}.map((row) => row.querySelector('input').ariaLabel)")


def numbers(browser):
    """Return the numbers of the runs in the table, in its order."""
    return [int(label.split()[2].rstrip(",")) for label in labels(browser)]


def names(browser):
    """Return the names of the runs' folders, in the table's order."""
    return [label.rpartition("/")[2] for label in labels(browser)]


def test_the_table_is_sorted_by_the_keyboard(opened):
    focus(opened, "#table th[data-key=seed] button")
    opened.press("Enter")
    head = "document.querySelector('#table th[data-key=seed]').getAttribute('aria-sort')"
    assert opened.evaluate(head) == "ascending"
    rows = "[...document.querySelectorAll('#table tbody tr')]"
    seeds = f"{rows}.map((row) => Number(row.cells[5].textContent))"
    assert opened.evaluate("document.querySelectorAll('#table thead th')[5].dataset.key") == "seed"
    assert opened.evaluate(seeds) == [0, 1, 2, 3, 4]
    opened.press(" ")
    assert opened.evaluate(head) == "descending"
    assert opened.evaluate(seeds) == [4, 3, 2, 1, 0]
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert opened.evaluate(outline) == "solid"


def test_runs_without_a_value_come_last_in_both_directions(opened):
    without = numbers(opened)[labels(opened).index(next(x for x in labels(opened) if "img" in x))]
    focus(opened, "#table th[data-key='score:0'] button")
    for _ in range(2):
        opened.press("Enter")
        assert numbers(opened)[-1] == without


def test_the_table_is_filtered(opened):
    focus(opened, "#search")
    opened.press(*"run-2")
    assert names(opened) == ["run-2"]
    assert texts(opened, "#count") == ["1 of 5 runs"]
    opened.evaluate("document.querySelector('#search').select()")
    opened.press(*"hinge")
    assert len(labels(opened)) == 3
    opened.evaluate("document.querySelector('#search').select()")
    opened.press(*"run")
    chosen = (
        "[...document.querySelectorAll('#filters label')].find(l => l.firstChild.data === 'loss')"
    )
    opened.evaluate(f"{chosen}.querySelector('select').focus()")
    opened.press("ArrowDown", "ArrowDown")
    assert names(opened) == ["run-1", "run-3"]


def test_runs_selected_by_keyboard_are_shown_in_other_sections(opened):
    assert len(texts(opened, "#legend li")) == 5
    focus(opened, "#select-none")
    opened.press("Enter")
    assert texts(opened, "#legend li") == []
    focus(opened, "#table tbody tr:nth-child(2) input")
    opened.press(" ")
    assert len(texts(opened, "#legend li")) == 1
    assert len(texts(opened, "#pictures figure")) == 1
    assert texts(opened, "#chosen") == ["1 of 5 selected"]


def test_curves_of_another_quantity_axis_and_scale(opened):
    pictures = []
    opened.evaluate(f"{CANVAS}.scrollIntoView()")

    def drawn():
        pictures.append(opened.evaluate(f"{CANVAS}.toDataURL()"))
        assert len(set(pictures)) == len(pictures)
        assert all(text != "not logged" for text in texts(opened, "#legend .value"))

    drawn()
    assert opened.evaluate("document.querySelector('#quantity').value") == "fd"
    focus(opened, "#quantity")
    opened.press("ArrowDown")
    assert (
        opened.evaluate("document.querySelector('#quantity').value") == "discriminator/adversarial"
    )
    drawn()
    focus(opened, "#log")
    opened.press("Enter")
    drawn()
    for place in (2, 3):
        focus(opened, f"#curve-controls .group button:nth-of-type({place})")
        opened.press(" ")
        drawn()
    focus(opened, "#smoothing")
    opened.press("ArrowRight", "ArrowRight", "End")
    drawn()


def test_the_read_out_by_keys_and_mouse(opened):
    """The loss of run n in row r is (n + 1) / √r, up to some noise."""
    focus(opened, "#quantity")
    opened.press("ArrowDown")
    focus(opened, "canvas")
    opened.press("End")
    assert texts(opened, "#reading")[0].startswith("At 224,000 examples")
    values = texts(opened, "#legend .value")
    opened.press("Home")
    first = [float(text) for text in texts(opened, "#legend .value")]
    order = [int(text) for text in texts(opened, "#legend .no")]
    labelled = dict(zip(order, first, strict=True))
    named = dict(zip(numbers(opened), names(opened), strict=True))
    for number, value in labelled.items():
        if named[number].startswith("run-"):
            assert value == pytest.approx(int(named[number][-1]) + 1, abs=0.06)
    assert "–" in values  # of runs that ended earlier
    box = opened.evaluate(
        f"(({CANVAS}).scrollIntoView(), JSON.stringify({CANVAS}.getBoundingClientRect()))"
    )
    box = json.loads(box)
    opened.point(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.wait("!document.querySelector('#reading').textContent.startsWith('At 0 ')")


def test_one_slider_moves_all_pictures(opened):
    figures = "[...document.querySelectorAll('#pictures img')]"
    opened.wait(f"{figures}.every((image) => image.complete && image.naturalWidth > 0)")
    last = opened.evaluate(f"{figures}.map((image) => image.src)")
    focus(opened, "#slider")
    opened.press("Home")
    assert texts(opened, "#pictures .when") == ["at 0 examples"] * 5
    assert opened.evaluate("document.querySelector('#slider').ariaValueText") == "0 examples seen"
    opened.press("ArrowRight")
    wanted = 3200 * 40 // 2
    assert (
        opened.evaluate("document.querySelector('#slider').ariaValueText")
        == f"{wanted:,} examples seen"
    )
    assert f"at {wanted:,} examples" in texts(opened, "#pictures .when")
    assert all(opened.evaluate(f"{figures}.map((image, i) => image.src !== {json.dumps(last)}[i])"))


def test_settings_that_differ_and_all_settings(opened):
    differing = texts(opened, "#setting-table tbody th")
    assert "loss.adversarial._target_" in differing
    assert "log_every" not in differing
    focus(opened, "#all-settings")
    opened.press("Enter")
    assert "log_every" in texts(opened, "#setting-table tbody th")


def test_hostile_names_are_shown_as_they_are(opened):
    assert any(HOSTILE in text for text in texts(opened, "#table tbody th"))
    assert HOSTILE in texts(opened, "#note-list li")
    assert opened.evaluate("document.querySelectorAll('img:not(#pictures img)').length") == 0
    assert any(ENDS in text for text in texts(opened, "#findings .error"))


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out(opened, dark):
    opened.look(dark=dark)
    ground = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is not dark
    least, where = opened.evaluate(CONTRAST)
    assert least >= 4.5, where
    focus(opened, "#theme")
    for other in ("light", "dark"):
        opened.press("Enter")
        assert opened.evaluate("document.documentElement.dataset.theme") == other
    assert (
        opened.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    )


def test_a_phone_shows_all_without_scrolling_sideways(opened):
    opened.look(width=360, height=740)
    widths = "[document.documentElement.scrollWidth, innerWidth]"
    assert opened.evaluate(widths) == [360, 360]
    focus(opened, "#all-settings")
    opened.press("Enter")
    assert opened.evaluate(widths) == [360, 360]
    low = "[...document.querySelectorAll('#choice button')].map((b) => b.offsetHeight)"
    assert min(opened.evaluate(low)) >= 40


def test_a_page_of_two_hundred_runs(browser, page, tmp_path):
    """The page repeats five runs; of the first run hardly anything is known."""
    comparison = read_comparison([page.parent / "runs"])
    runs = [replace(comparison.runs[n % 5], label=f"run {n}") for n in range(200)]
    nothing = dict.fromkeys(
        ("folder", "seed", "seconds", "examples_seen", "peak_memory_mib", "started")
    )
    runs[0] = replace(runs[0], scores=(), settings={}, choices={}, **nothing)
    comparison = replace(comparison, runs=tuple(runs))
    write_page(comparison, tmp_path / "page.html", tabulate(comparison))
    assert (tmp_path / "page.html").stat().st_size <= 15e6
    browser.look()
    browser.open(tmp_path / "page.html")
    assert len(labels(browser)) == 200
    browser.evaluate("document.querySelector('#table tbody input').click()")
    browser.evaluate("document.querySelectorAll('#table thead button').forEach((b) => b.click())")
    assert "Weights & Biases" in texts(browser, "#pictures .empty")[0]
    assert browser.problems == []
