"""The last lines of a terminal stay below what is printed."""

import logging
import sys
import threading

from helpers.screens import on_terminal

from ganlab.callbacks.status_area import StatusArea
from ganlab.modalities.terminal import Shown
from ganlab.printable import raw_stderr


def area(text=lambda columns: ["bar", "facts"], picture=lambda size: Shown(("▀▀", "▀▀"))):
    return StatusArea(raw_stderr(), text, picture, seconds=1000)


def test_what_is_printed_appears_above():
    with on_terminal() as terminal:
        handler = logging.StreamHandler(sys.stderr)  # made before the area, as by runs.messages
        print("before")
        below = area()
        below.start()
        print("one")
        print("tw", end="", file=sys.stderr)
        print("o", file=sys.stderr)
        handler.emit(logging.LogRecord("x", logging.WARNING, "", 0, "three", (), None))
        print("unfinished", end="")
        assert terminal.text == "before\none\ntwo\nthree\n▀▀\n▀▀\nbar\nfacts"
        assert (terminal.x, terminal.screen[terminal.y - 1]) == (0, list("facts"))
        below.close()
        print(" after")
        assert terminal.text == "before\none\ntwo\nthree\n▀▀\n▀▀\nunfinished after"


def test_nothing_that_is_printed_gets_lost_when_the_screen_is_full():
    with on_terminal() as terminal:
        below = area()
        below.start()
        for number in range(50):
            print("line", number)
            below.refresh()
        below.close()
        assert terminal.text.split("\n") == [*(f"line {n}" for n in range(50)), "▀▀", "▀▀"]


def test_escapes_of_others_do_nothing():
    with on_terminal() as terminal:
        below = area()
        below.start()
        print("a\x1b[2Jb")
        below.close()
        assert terminal.text == "a␛[2Jb\n▀▀\n▀▀"


def test_only_the_text_is_sent_again_unless_the_size_changes():
    with on_terminal() as terminal:
        below = area()
        below.start()
        start = len(terminal.raw)
        below.refresh()
        assert "▀" not in "".join(terminal.raw[start:])
        terminal.columns = 100
        below.refresh()
        assert "▀" in "".join(terminal.raw[start:])
        below.close()
        assert terminal.text == "▀▀\n▀▀"


def test_lines_that_a_narrower_terminal_has_wrapped_are_erased(monkeypatch):
    with on_terminal() as terminal:
        for name in ("TERM", "XTERM_VERSION"):
            monkeypatch.delenv(name, raising=False)
        below = area(text=lambda columns: ["x" * (columns - 1)])
        print("before")
        below.start()
        terminal.columns = 30  # 79 characters take three lines of 30
        terminal.screen[3:6] = [list("x" * 30), list("x" * 30), list("x" * 19)]
        terminal.y = 6
        below.refresh()
        assert terminal.text == "before\n▀▀\n▀▀\n" + "x" * 29
        below.close()


def test_a_picture_is_drawn_over_empty_lines():
    with on_terminal() as terminal:
        print("\n" * 30)  # so that the area's lines scroll the screen
        below = area(picture=lambda size: Shown(("", "", ""), "\x1b_Gpicture\x1b\\"))
        below.start()
        assert terminal.pictures == [(terminal.lines - 1 - 3, "Gpicture")]
        assert (terminal.x, terminal.y) == (0, terminal.lines - 1)
        below.close()
        assert (terminal.x, terminal.y) == (0, terminal.lines - 1 - 2)


def test_closing_restores_the_streams_and_ends_the_thread():
    with on_terminal():
        stream, threads = raw_stderr(), threading.active_count()
        below = StatusArea(raw_stderr(), lambda _: ["bar"], lambda _: Shown(), seconds=0.01)
        below.start()
        assert raw_stderr() is not stream
        below.close()
        below.close()
        assert raw_stderr() is stream
        assert threading.active_count() == threads


def test_other_progress_bars_are_silent():
    with on_terminal() as terminal:
        from rich.progress import track

        from ganlab.printable import console

        below = area()
        below.start()
        assert list(track(range(3), "other", console=console(), transient=True)) == [0, 1, 2]
        below.close()
        assert terminal.text.strip() == "▀▀\n▀▀"
