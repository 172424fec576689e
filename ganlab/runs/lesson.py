"""Runs a lesson instead of a training: a figure and a few numbers, see `ganlab.lectures`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

from ganlab.core.build import make
from ganlab.errors import RunError
from ganlab.files import atomic, from_here, write_json
from ganlab.record.run import RunRecord, write_config
from ganlab.record.states import holds_nothing
from ganlab.runs.session import is_keyboard_interrupt
from ganlab.signals import handled_by


def run_lesson(config: dict[str, Any]) -> int:
    """Write a lesson's figure and numbers to the run's folder, and print its sentences; return 0.

    Raises:
        RunError: the folder holds a run, or cannot be written.
        KeyboardInterrupt: Ctrl-C or another signal of `ganlab.signals` ended the lesson.
    """
    folder = from_here(Path(config["run_dir"]))
    if not config.get("resume") and not holds_nothing(folder):
        raise RunError(f"run_dir: {folder} holds a run already. Choose another folder.")
    record = RunRecord(folder)
    status, reason = "failed", None
    with handled_by(signal.default_int_handler):  # all end the lesson as Ctrl-C does
        try:
            record.start(config["name"], config["seed"], choices=config.get("choices"))
            write_config(folder, config)
            if config.get("threads"):
                import torch

                torch.set_num_threads(config["threads"])
            print(f"{config['name']}: this takes up to two minutes …", file=sys.stderr, flush=True)
            lesson = make(config["lesson"])(seed=config["seed"])
            with atomic(folder / "figure.png") as temporary:
                lesson.figure.savefig(temporary, format="png", dpi=110)
            write_json(folder / "numbers.json", lesson.numbers)
            record.data["numbers"] = lesson.numbers
            status = "finished"
        except (KeyboardInterrupt, SystemExit) as error:
            if not is_keyboard_interrupt(error):
                raise
            status = "interrupted"
            raise KeyboardInterrupt from None
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise
        finally:
            record.end(status, reason)
    print(f"Finished in {record.data['seconds']:.0f} s.")
    print(f"  figure    {folder / 'figure.png'}")
    width = max(map(len, lesson.numbers))
    for name, value in lesson.numbers.items():
        print(f"  {name:<{width}}  {value:.4g}")
    print(*lesson.sentences, sep="\n")
    return 0
