"""No text that ganlab prints can control a terminal or reorder what it shows."""

import io
import sys
import unicodedata
from contextlib import redirect_stderr

import pytest
from rich.console import Console
from rich.progress import Progress

from ganlab.printable import PrintableStream, console, one_line, printable, printing_safely

SAFE_CONTROLS = "\n\t"


@pytest.mark.parametrize("function", [printable, one_line])
def test_no_control_or_direction_is_left_and_the_length_is_kept(function):
    every = "".join(map(chr, range(0x110000)))
    shown = function(every)
    assert len(shown) == len(every)
    allowed = SAFE_CONTROLS if function is printable else ""
    for before, after in zip(every, shown, strict=True):
        is_harmful = (
            unicodedata.category(before) in ("Cc", "Cs", "Zl", "Zp")
            or unicodedata.bidirectional(before) in ("LRE", "RLE", "LRO", "RLO", "PDF")
            or unicodedata.bidirectional(before) in ("LRI", "RLI", "FSI", "PDI")
            or before in "\u061c\u200e\u200f"
        )
        assert (after != before) == (is_harmful and before not in allowed), hex(ord(before))


def test_signs_of_controls_are_visible():
    assert one_line("a\x1b[2J\nb\u202ec\x7f") == "a␛[2J␊b�c␡"
    assert printable("naïve → ü 漢 مرحبا\n") == "naïve → ü 漢 مرحبا\n"


def test_everything_in_the_block_is_made_printable(capsys):
    with printing_safely():
        print("a\x1b[31mb")
        print("c\x9bd", file=sys.stderr)
        sys.stderr.writelines(["g\x1bh\n", "i"])
        with printing_safely():  # a command that calls another one
            print("e\u202ef")
    assert capsys.readouterr() == ("a␛[31mb\ne�f\n", "c�d\ng␛h\ni")


def test_rich_still_draws_its_own_escapes_but_no_marks_of_direction():
    file = io.StringIO()
    stream = PrintableStream(file)
    console = Console(file=stream, force_terminal=True, color_system="standard")
    console.print("[bold]a\u202eb[/bold]")
    assert file.getvalue() == "\x1b[1ma�b\x1b[0m\n"


def test_a_progress_bar_draws_also_while_rich_replaces_stderr():
    """While rich draws, it replaces stderr by a stream around the one that makes text printable."""
    terminal = io.StringIO()
    with redirect_stderr(terminal), printing_safely():
        with Progress(console=console()) as progress:
            progress.add_task("first")
            console().file.write("\x1b[1m")
        print("\x1b[2m", file=sys.stderr)
    assert "\x1b[1m" in terminal.getvalue()
    assert "␛[2m" in terminal.getvalue()
