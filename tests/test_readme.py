"""What the README says is there; tests/contract/test_readme.py runs its commands."""

import re
import shlex

import pytest
from helpers.readme import COMMANDS, TEXT

from ganlab.cli import COMMANDS as PROGRAM
from ganlab.config.checks import check
from ganlab.config.compose import compose, to_plain
from ganlab.config.groups import options
from ganlab.config.sweeps import with_sweep
from ganlab.sweeps.plan import expand

# for the project's own classifiers and segmenters, and what is no choice
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
def test_what_is_trained_is_valid(words):
    """On whatever machine this is; of a sweep its first and last job.

    Networks are built on the meta device.
    """
    own = [word for word in words if word != "-m" and not word.startswith(("hydra/", "trainer="))]
    jobs = expand(with_sweep(own)[1]) if "-m" in words else [own]
    assert len(jobs) > 1 or "-m" not in words
    for job in {" ".join(job): job for job in (jobs[0], jobs[-1])}.values():
        config = to_plain(compose([*job, "run_dir=unused"]))
        module, data = check(config)
        assert (module is None) == (data is None) == bool(config.get("lesson"))


def test_choices_are_those_of_the_configs():
    """The table names every option of a group, and no other."""
    for group in ("model", "data", "loss", "trainer"):
        row = re.search(rf"\| `{group}=` \|(.*)\|", TEXT).group(1)
        named = set(re.findall(r"`(\w+)`", row))
        assert named == set(options(group)) - INTERNAL
