"""The page of one run: bounded, bad input, and what it says of scores."""

import json

import numpy as np
import pytest
from helpers.runs.pages import Tags
from helpers.runs.sample_runs import PROTOCOL, sample_run
from PIL import Image

from ganlab.cli import main
from ganlab.reports.page.run import film
from ganlab.reports.page.run.write import write_run_page

HOSTILE = "</script><script>window.hurt=1</script>"


def page_of(folder):
    return Tags(write_run_page(folder).page.read_text(encoding="utf-8"))


def noise(path, size):
    tones = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(tones).save(path, compress_level=0)


def test_the_page_is_bounded_whatever_the_run(tmp_path):
    """Many rows, quantities, pictures, scores and settings, all long, and pictures of noise."""
    protocol = {f"{'k' * 200}{n}": "v" * 1000 for n in range(60)}
    scores = {
        f"{'s' * 300}{n}": {"value": n, "protocol": protocol | {"n": n}, "words": "w" * 5000}
        for n in range(90)
    }
    more = "".join(f'k{n}: "{"z" * 400}"\n' for n in range(2500))
    told = {"scores": scores, "error": "e" * 100_000, "status": "failed"}
    folder = sample_run(tmp_path / "run", rows=300, pictures=0, more=more, extra=450, **told)
    noise(folder / "samples" / "0.png", 500)
    for n in range(1, 1000):
        (folder / "samples" / f"{n}.png").hardlink_to(folder / "samples" / "0.png")
    for n in range(9):
        (folder / f"figure{n}.png").hardlink_to(folder / "samples" / "0.png")
    written = write_run_page(folder)
    assert written.page.stat().st_size <= 5e6
    assert written.film.stat().st_size <= film.GIF_BYTES
    data = Tags(written.page.read_text(encoding="utf-8")).data
    assert [data["run-film"][0]["examples"], data["run-film"][-1]["examples"]] == [0, 999]
    assert len(data["run-figures"]) == 6
    notes = " ".join(data["run"]["notes"])
    for words in ("quantities are left out", "more pictures", "first entries of config.yaml"):
        assert words in notes


def test_the_film_keeps_order_and_size_and_holds_its_last_picture(tmp_path):
    shades = [Image.new("RGB", (40 + 10 * (n == 3), 40), (50 * n,) * 3) for n in range(5)]
    film.save_gif(shades, tmp_path / "a.gif", "")
    with Image.open(tmp_path / "a.gif") as gif:
        shown, durations = [], []
        for frame in range(gif.n_frames):
            gif.seek(frame)
            durations.append(gif.info["duration"])
            shown.append(gif.convert("RGB").getpixel((20, 20))[0])
        assert gif.size == (40, 40)
        assert gif.info["loop"] == 0
    assert shown == pytest.approx([0, 50, 100, 150, 200], abs=2)
    assert durations == [500, 500, 500, 500, film.LAST_SHOWN]


def test_every_score_has_its_protocol_and_moment(tmp_path):
    """`fd` was logged in training until row 40; an evaluation has another protocol."""
    folder = sample_run(tmp_path / "run")
    record = json.loads((folder / "run.json").read_text())
    record["scores"]["fd"]["words"] = "Near."
    record["best"] = {"monitor": "fd", "value": 3.0, "examples_seen": 32000}
    (folder / "run.json").write_text(json.dumps(record))
    unlike = {"value": 2.5, "protocol": PROTOCOL | {"generated_samples": 64}, "words": "Far."}
    entry = {"checkpoint": "best", "images_seen": 32000, "scores": {"fd": unlike, "x": {}}}
    (folder / "scores.json").write_text(json.dumps({"evaluations": [entry]}))
    run = page_of(folder).data["run"]
    by_value = {group["scores"][0]["value"]: group for group in run["scores"]}
    assert by_value[10.0]["taken"] == "training"
    assert by_value[10.0]["examples"] == 3200 * 40
    assert by_value[10.0]["scores"][0]["words"] == "Near."
    assert by_value[2.5]["examples"] == 32000
    assert by_value[2.5]["protocol"]["checkpoint"] == "best"
    assert by_value[2.5]["protocol"]["generated_samples"] == 64
    assert run["best"] == {"monitor": "fd", "examples": 32000}
    assert any("x is not a finite number" in note for note in run["notes"])


@pytest.mark.parametrize(
    ("setting", "chosen", "text"),
    [
        ("auto", "bf16-mixed", "bfloat16 (bf16-mixed), chosen by precision=auto"),
        ("32-true", "32-true", "float32 (32-true)"),
        ("64-true", "64-true", "64-true"),
    ],
)
def test_the_precision_is_among_the_facts(setting, chosen, text, tmp_path):
    more = f"precision: {setting}\ntrainer: {{precision: {chosen}}}"
    folder = sample_run(tmp_path / "run", more=more)
    assert page_of(folder).data["run"]["run"]["facts"]["Precision"] == text


def test_a_run_without_samples_scores_and_log_has_a_page(tmp_path):
    folder = sample_run(tmp_path / "run", pictures=0, rows=1, scores={}, status="running")
    for name in ("metrics.csv", "timing.csv", "config.yaml"):
        (folder / name).unlink()
    written = write_run_page(folder)
    assert written.film is None
    assert not (folder / "samples.gif").exists()
    data = Tags(written.page.read_text(encoding="utf-8")).data
    assert (data["run-film"], data["run"]["scores"], data["run"]["quantities"]) == ([], [], [])
    assert "config.yaml" in data["run"]["doctor"]["why"]
    assert data["run"]["command"]["command"] is None


def test_text_of_a_run_never_becomes_markup(tmp_path):
    plain = page_of(sample_run(tmp_path / "plain"))
    hostile = sample_run(
        tmp_path / "<img src=x>",
        name=f"{HOSTILE}\u202e",
        error=HOSTILE,
        status="failed",
        command=["ganlab", "train", HOSTILE],
        more=f"note: {json.dumps(HOSTILE)}\n{json.dumps(HOSTILE)}: 1",
        hardware={"accelerator": HOSTILE},
        versions={"torch": HOSTILE},
    )
    page = page_of(hostile)
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert page.data["run"]["run"]["name"] == f"{HOSTILE}�"
    links = [v for _, given in page.tags for k, v in given.items() if k in ("src", "href")]
    assert all(link.startswith(("#", "data:")) for link in links)
    policy = next(given["content"] for _, given in page.tags if "http-equiv" in given)
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")


def test_pictures_behind_links_are_not_shown_and_links_not_followed(tmp_path):
    folder, private = sample_run(tmp_path / "run"), tmp_path / "private.png"
    noise(private, 30)
    for path in folder.glob("samples/*.png"):
        path.unlink()
        path.symlink_to(private)
    for name in ("real.png", "report.html"):
        (folder / name).symlink_to(private)
    before = private.read_bytes()
    data = page_of(folder).data
    assert (data["run-film"], data["run-figures"]) == ([], [])
    assert private.read_bytes() == before
    assert not (folder / "report.html").is_symlink()


def test_the_command_prints_what_it_has_written(tmp_path, capsys):
    folder = sample_run(tmp_path / "run")
    assert main(["report", f"run={folder}"]) == 0
    assert capsys.readouterr().out.split() == [
        *("Wrote", f"{folder}/report.html", "Wrote", f"{folder}/samples.gif")
    ]
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(["report", f"run={folder}", f"out={tmp_path}/new/x.html"]) == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["x.gif", "x.html"]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run={0}/rnu"], "Did you mean '{0}/run'?"),
        (["run={0}"], "It holds some: {0}/run."),
        (["run={0}/run", "out={0}"], "needs a name that ends in .html"),
        (["run={0}/run", "out={0}/folder.html"], "folder.html is a folder; name a file."),
        (["run={0}/run", "out={0}/run/run.json/x.html"], "run.json is a file; name a folder."),
        (["run={0}/run", "out=/proc/none/x.html"], "cannot be written"),
    ],
)
def test_a_mistake_gets_one_message_and_nothing_is_written(arguments, words, tmp_path, capsys):
    sample_run(tmp_path / "run")
    (tmp_path / "folder.html").mkdir()
    before = sorted(tmp_path.rglob("*"))
    assert main(["report", *(text.format(tmp_path) for text in arguments)]) == 1
    printed = capsys.readouterr()
    first, *others = printed.err.splitlines()
    message = others.pop() if first.startswith("ganlab report: loading") else first
    assert words.format(tmp_path) in message
    assert others == []
    assert printed.out == ""
    assert sorted(tmp_path.rglob("*")) == before
