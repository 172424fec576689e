"""What the web page ranks, in a real browser: finished runs, scores of one protocol, groups."""

import json

import pytest
from helpers.runs.browser import find_browser, texts
from helpers.runs.sample_runs import PROTOCOL, sample_run

from ganlab.reports.comparison.comparison import read_comparison
from ganlab.reports.comparison.groups import tabulate
from ganlab.reports.page.write import write_page

if find_browser() is None:
    pytest.skip("chromium is not installed", allow_module_level=True)

UNLIKE = {"value": 0.5, "protocol": PROTOCOL | {"protocol": "fd5k", "generated_samples": 64}}
BEST = {"value": 0.01, "protocol": PROTOCOL | {"protocol": "fd5k"}, "higher_is_better": False}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Four finished runs of two losses, a killed run, and a run scored by another protocol.

    The killed run has the best score. Two quantities that it logged are named like properties that
    all JavaScript objects have.
    """
    folder = tmp_path_factory.mktemp("page")
    for n in range(4):
        sample_run(folder / "runs" / str(n), n)
    killed = sample_run(folder / "runs" / "4", 4, status="running", scores={"fd": BEST})
    sample_run(folder / "runs" / "5", 5, scores={"fd": UNLIKE})
    log = killed / "metrics.csv"
    log.write_text(
        log.read_text().replace("generator/lr", "constructor").replace("fd", "__proto__")
    )
    comparison = read_comparison([folder / "runs"])
    write_page(comparison, folder / "page.html", tabulate(comparison, ["loss"]))
    return folder / "page.html"


def test_an_unfinished_run_is_never_the_best(opened):
    assert texts(opened, "#table td.best") == ["7"]
    assert texts(opened, "#score-list td.best") == ["7"]
    assert "0.01not finished" in texts(opened, "#table td.number")
    opened.evaluate("document.querySelector('#table th[data-key=\"score:0\"] button').click()")
    order = texts(opened, "#table tbody .no")
    assert order[:4] == ["4", "3", "2", "1"]
    rows = texts(opened, "#score-list .card:first-child tbody tr")
    assert ["not finished" in row for row in rows] == [False] * 4 + [True]
    assert any("not finished" in note for note in texts(opened, "#note-list li"))


def test_groups_have_their_spread(opened):
    """Runs 0 and 2 of one loss score 10 and 8 (9 ± √2), runs 1 and 3 score 9 and 7 (8 ± √2)."""
    first = "#group-list .card:first-child tbody tr"
    assert [row[:5] for row in texts(opened, first)] == ["wasse", "hinge"]
    assert texts(opened, f"{first}:first-child td")[:5] == [
        *("wasserstein", "2", "8", "1.4"),
        "-4.706 … 20.71",
    ]
    assert texts(opened, "#group-list td.best") == ["8"]
    assert "Not ranked against each other" in texts(opened, "#group-note")[0]


def test_scores_of_different_protocols_are_separate(opened):
    assert len(texts(opened, "#score-list .card")) == 2
    [words] = texts(opened, "#score-list .apart")
    assert "cannot be compared" in words
    assert "generated_samples" in words


@pytest.mark.parametrize("name", ["constructor", "__proto__"])
def test_a_quantity_may_have_any_name(opened, name):
    control = "document.querySelector('#quantity')"
    opened.evaluate(
        f"({control}.value = {json.dumps(name)}, {control}.dispatchEvent(new Event('change')))"
    )
    values = texts(opened, "#legend .value")
    assert values.count("not logged") == 5


def test_columns_are_those_of_the_shown_runs(browser, tmp_path):
    """Three runs have `fd`, two have `psnr` and other data, and one of them has `fid`, too."""
    quality = {"value": 9.0, "protocol": PROTOCOL, "higher_is_better": True}
    for n in range(5):
        name, data = ("fd", "ring") if n < 3 else ("psnr", "shapes")
        scores = {name: quality} | ({"fid": BEST} if n == 4 else {})
        choices = {"data": data, "loss": "abcab"[n]}
        sample_run(tmp_path / "runs" / str(n), n, scores=scores, choices=choices)
    comparison = read_comparison([tmp_path / "runs"])
    write_page(comparison, tmp_path / "page.html", tabulate(comparison))
    browser.look()
    browser.open(tmp_path / "page.html")

    def shown():
        keys = "[...document.querySelectorAll('#table thead th')].map((h) => h.dataset.key)"
        heads = "[...document.querySelectorAll('#table thead th button')].map((b) => b.textContent)"
        pairs = zip(browser.evaluate(keys), browser.evaluate(heads), strict=True)
        return [name for key, name in pairs if key.startswith(("setting:data", "score:"))]

    assert shown() == ["data", "fd", "psnr"]
    browser.evaluate("document.querySelector('#search').focus()")
    browser.press(*"shapes")
    assert shown() == ["psnr", "fid"]
    browser.evaluate("document.querySelector('details.menu summary').click()")
    box = "[...document.querySelectorAll('details.menu label')].find((l) => l.innerText === 'data')"
    browser.wait(f"!{box}.querySelector('input').checked")
    browser.evaluate(f"{box}.querySelector('input').click()")
    assert shown() == ["data", "psnr", "fid"]
    assert browser.problems == []
