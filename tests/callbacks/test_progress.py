"""What a run shows while it trains, in a terminal and in a log file."""

import os
import re
import sys
from unittest import mock

import pytest
from helpers.screens import on_terminal
from helpers.tiny import fit, tiny_gan, tiny_images, tiny_labelled, tiny_ring
from rich.cells import cell_len

from ganlab.callbacks import Evaluation, Progress, Samples
from ganlab.callbacks.cadence import crossed_early, halvings
from ganlab.metrics import ModeCoverage, SampleProtocol
from ganlab.metrics.protocols.protocol import in_words

STYLE = re.compile(r"\x1b\[[0-9;]*m")
TRUECOLOR = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


@pytest.fixture(autouse=True)
def environment():
    """A terminal with 24-bit colour, whatever the one that runs the tests is."""
    names = ("CI", "NO_COLOR", "TMUX", "STY", "TERM_PROGRAM", "LC_TERMINAL", "KITTY_WINDOW_ID")
    with mock.patch.dict(os.environ, TRUECOLOR):
        for name in names:
            os.environ.pop(name, None)
        yield


def trained(tmp_path, module=None, data=None, *callbacks, batches=6, **options):
    """Train in a terminal; return the terminal and the callback."""
    with on_terminal() as terminal:
        progress = Progress(refresh_seconds=0.0, **options)
        samples = Samples(str(tmp_path), every_examples=None)
        module, data = module or tiny_labelled(), data or tiny_images()
        module.log_every = 1
        fit(module, *callbacks, samples, progress, batches=batches, data=data)
        print("The summary.")
    return terminal, progress


def test_the_newest_samples_stand_above_the_bar_and_stay_at_the_end(tmp_path):
    terminal, _ = trained(tmp_path)
    everything = "".join(terminal.raw)
    assert "first batch …" in everything
    assert "24 examples" in everything
    assert re.search(r"loss: discriminator [\d.]+, generator [\d.]+", everything)
    lines = terminal.text.split("\n")
    assert lines[-1] == "The summary."
    assert set("".join(lines[:-1])) == {"▀"}
    assert len(lines) - 1 <= terminal.lines // 2


def test_points_are_shown_as_their_plot(tmp_path):
    terminal, _ = trained(tmp_path, tiny_gan(), tiny_ring(), batches=2)
    assert terminal.text.count("▀") > 100


def test_pictures_false_shows_the_bar_alone(tmp_path):
    terminal, _ = trained(tmp_path, pictures=False)
    assert "▀" not in "".join(terminal.raw)
    assert "24 examples" in "".join(terminal.raw)
    assert terminal.text == "The summary."


def test_disabled_and_other_ranks_show_nothing(tmp_path):
    terminal, _ = trained(tmp_path, enabled=False)
    assert terminal.text == "The summary."
    with on_terminal() as terminal:
        trainer = mock.Mock(is_global_zero=False)
        Progress().on_fit_start(trainer, tiny_gan())
    assert terminal.text == ""


def test_an_error_leaves_the_terminal_in_order(tmp_path):
    class Fails(Samples):
        def on_train_batch_end(self, trainer, module, *args):
            if module.batches_seen == 3:
                raise ValueError("on purpose")

    stderr = sys.stderr
    failing = Fails(str(tmp_path))
    with on_terminal() as terminal:
        with pytest.raises(ValueError, match="on purpose"):
            fit(tiny_labelled(), failing, Progress(0.0), batches=6, data=tiny_images())
        print("after")
    assert terminal.text.split("\n")[-1] == "after"
    assert "%" not in terminal.text
    assert (terminal.x, sys.stderr) == (0, stderr)


@pytest.mark.parametrize(
    "setting", [{"TERM": "dumb"}, {"TERM": ""}, {"NO_COLOR": "1"}, {"CI": "true"}]
)
def test_simple_terminals_get_lines(tmp_path, setting):
    with mock.patch.dict(os.environ, setting), on_terminal() as terminal:
        fit(tiny_labelled(), Progress(line_seconds=0.0), batches=2, data=tiny_images())
    assert "\x1b" not in "".join(terminal.raw)
    assert "100%  8 examples" in terminal.text


def test_terminals_without_utf8_get_lines(tmp_path):
    with on_terminal() as terminal:
        terminal.encoding = "iso8859-1"
        assert Progress().terminal is False


def test_a_log_file_gets_lines(capsys):
    fit(tiny_labelled(), Progress(line_seconds=0.0), batches=2, data=tiny_images())
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "training: first batch …"
    assert re.match(r" 50%  4 examples  [\d,]+/s  steps: discriminator, generator", lines[1])
    assert re.match(r"100%  8 examples  [\d,]+/s  finishing …$", lines[-1])
    assert "\x1b" not in "".join(lines)


def test_lines_are_shorter_than_any_terminal(tmp_path):
    protocol = SampleProtocol("test", {"modes": ModeCoverage()}, samples=50, split="train")
    evaluation = Evaluation(protocol, every_examples=4)
    _, progress = trained(tmp_path, tiny_gan(), tiny_ring(samples=200), evaluation, batches=2)
    score = progress._facts[2]
    assert re.fullmatch(r"modes [\d.]+", score)
    progress._facts[2] = "漢字の名前 1"
    for columns in range(1, 201):
        lines = progress._lines(columns)
        assert len(lines) == 2
        for line in lines:
            assert cell_len(STYLE.sub("", line)) <= max(columns - 1, 0)
    assert progress._lines(200)[1].count("  ") == 3
    evaluation.is_scoring = True
    assert "scoring …" in progress._lines(80)[0]


def test_time_left_follows_the_share_of_the_budget():
    progress = Progress()
    progress._began = 100.0, 0.2
    assert progress._time_left(130.0, 0.5) == "0:50 left"
    assert progress._time_left(130.0, 0.2) == ""
    assert progress._time_left(100.0 + 7200, 0.4) == "6:00:00 left"


def test_scores_have_names_in_words():
    assert in_words("frechet_distance_digits", "Fréchet distance") == "Fréchet distance (digits)"
    assert in_words("fid", "Fréchet distance") == "FID"
    assert in_words("psnr", "PSNR") == "PSNR"
    assert in_words("high_quality", "mode coverage") == "high quality"
    title = "memorization-informed Fréchet distance"
    assert in_words("memorization_informed_frechet_distance", title) == title


def test_pictures_come_early_at_growing_intervals():
    assert halvings(40_000) == [20_000, 10_000, 5_000, 2_500, 1_250]
    assert halvings(999) == halvings(None) == []
    module = tiny_gan()
    module.examples_in_batch, drawn = 64, []
    for module.examples_seen in range(64, 50_000, 64):
        if crossed_early(module, 40_000):
            drawn.append(module.examples_seen)
    assert drawn == [1_280, 2_560, 5_056, 10_048, 20_032]
