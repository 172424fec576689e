"""The README names only valid commands and choices; tests/contract runs its commands."""

import re
import shlex

import pytest
from helpers.readme import COMMANDS, TEXT

from ganlab.cli import COMMANDS as PROGRAM
from ganlab.config.checks import check
from ganlab.config.compose import compose, to_plain
from ganlab.config.groups import options
from ganlab.config.sweeps import merge_sweep
from ganlab.sweeps.plan import expand

# options that the README leaves out: for the classifiers that ship with ganlab, or no choice
INTERNAL = {"digit_classifier", "shape_segmenter", "shape_segments", "none"}


def _words(command):
    return shlex.split(command.partition("&& ")[2] if "pip install" in command else command)


TRAININGS = [
    words[2:]
    for words in map(_words, COMMANDS)
    if words[:2] == ["ganlab", "train"] and "resume=true" not in words
]


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_one_of_the_programs(command):
    program, *words = _words(command)
    assert (program, words) == ("pytest", []) or (program == "ganlab" and words[0] in PROGRAM)


@pytest.mark.parametrize("words", TRAININGS, ids=" ".join)
def test_configurations_of_training_commands_are_valid(words):
    """The trainer is ignored, so that this works on any machine; networks are on the meta device.

    Of a sweep, the first and the last job are checked.
    """
    overrides = [
        word for word in words if word != "-m" and not word.startswith(("hydra/", "trainer="))
    ]
    jobs = expand(merge_sweep(overrides)[1]) if "-m" in words else [overrides]
    assert len(jobs) > 1 or "-m" not in words
    for job in {" ".join(job): job for job in (jobs[0], jobs[-1])}.values():
        config = to_plain(compose([*job, "run_dir=unused"]))
        module, data = check(config)
        assert (module is None) == (data is None) == bool(config.get("lesson"))


def test_choices_are_those_of_the_configs():
    """The table names every option of a group, and nothing else."""
    for group in ("model", "data", "loss", "trainer"):
        row = re.search(rf"\| `{group}=` \|(.*)\|", TEXT).group(1)
        named = set(re.findall(r"`(\w+)`", row))
        assert named == set(options(group)) - INTERNAL
