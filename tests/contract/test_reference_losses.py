"""Small games of every family have the recorded first losses, and use all their parts."""

import json

import pytest
from helpers.experiments.acted import Acted
from helpers.experiments.reference_games import GAMES, RECORD, first_losses, overrides, play

from ganlab.config.compose import compose, to_plain


@pytest.fixture(scope="module", params=GAMES)
def played(request, tmp_path_factory, no_curves):
    """Return a game's name, its folder after `ganlab train`, and the record of what acted."""
    folder = tmp_path_factory.mktemp("reference") / request.param
    words = [*overrides(request.param), f"run_dir={folder}"]
    with pytest.MonkeyPatch.context() as patch:
        acted = Acted(to_plain(compose(words)), patch)
        play(request.param, folder, patch)
    return request.param, folder, acted


def test_first_losses_are_those_on_record(played):
    game, folder, _ = played
    recorded, losses = json.loads(RECORD.read_text())[game], first_losses(folder)
    assert losses.keys() == recorded.keys()
    for term, values in recorded.items():
        assert len(values) >= 4
        assert losses[term] == pytest.approx(values, rel=1e-5, abs=1e-12), term


def test_all_that_the_configuration_names_has_acted(played):
    played[2].check()
