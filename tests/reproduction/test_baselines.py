"""Verdicts by closed form; every experiment's baseline; the ledger."""

import json
import math

import pytest
import yaml
from omegaconf import OmegaConf

from ganlab.config.checks import check
from ganlab.config.compose import compose, to_plain
from ganlab.config.groups import file_of, options
from ganlab.config.protocols import named_protocol
from ganlab.config.recipe import protocol_hash, recipe_hash
from ganlab.core.build import make
from ganlab.errors import ConfigError
from ganlab.reproduction import ledger as ledgers
from ganlab.reproduction.baselines import baseline_of, interval, judge, measured, short_tolerance
from ganlab.reproduction.ledger import baseline_named, baselines, ledger, recorded, standing

BLOCK = {
    "paper": "arXiv:1704.00028",
    "score": "fid",
    "protocol": "mimicry_cifar10",
    "better": "lower",
    "published": [
        {"by": "mimicry", "value": 20.0, "how": "50k", "source": "README"},
        {"by": "other", "value": 25.0, "how": "10k", "source": "log", "comparable": False},
    ],
    "target": 20.0,
    "tolerance": 1.0,
}
SHORT = {"published": [], "target": None, "tolerance": None}
UNLIKE = {"published": BLOCK["published"][1:], "target": None, "tolerance": None}


def baseline(**changes):
    return baseline_of("x", "dcgan", "cifar10", BLOCK | changes)


@pytest.mark.parametrize(
    ("better", "failure", "value", "word"),
    [
        ("lower", False, 10.0, "reproduced"),
        ("lower", False, 21.0, "reproduced"),
        ("lower", False, 21.5, "not reproduced"),
        ("higher", False, 30.0, "reproduced"),
        ("higher", False, 19.0, "reproduced"),
        ("higher", False, 18.5, "not reproduced"),
        ("lower", True, 30.0, "failure reproduced"),
        ("lower", True, 19.0, "failure reproduced"),
        ("lower", True, 18.5, "failure not reproduced"),
        ("higher", True, 21.5, "failure not reproduced"),
        ("lower", False, math.nan, "not reproduced"),
        ("lower", True, math.inf, "failure reproduced"),
        ("higher", True, math.nan, "failure reproduced"),
    ],
)
def test_verdict_is_on_the_worse_side_of_the_target(better, failure, value, word):
    verdict = judge(baseline(better=better, failure=failure), [value])
    assert verdict.name == word
    assert verdict.sentence.startswith(f"{word}: ")


def test_verdict_is_of_the_mean_and_says_by_how_much():
    """(20 + 23) / 2 is 1.5 worse than 20, though one seed reaches it."""
    words = judge(baseline(), [20.0, 23.0]).sentence
    assert words == "not reproduced: 1.5 worse than 20, mean of 2 seeds, tolerance 1"


def test_one_diverged_seed_is_no_failure_of_the_others():
    """Of a failure: they have to fail too, by the mean of what is finite."""
    failing = baseline(better="higher", failure=True)
    verdict = judge(failing, [99.0, math.nan, 97.0])
    assert verdict.sentence == (
        "failure not reproduced: 1 of 3 seeds diverged; 78 better than 20, mean of the others, "
        "tolerance 1"
    )
    assert judge(failing, [19.0, math.nan, 20.0]).name == "failure reproduced"
    both = judge(failing, [math.nan, math.inf]).sentence
    assert both == "failure reproduced: 2 of 2 seeds diverged"
    success = judge(baseline(better="higher"), [99.0, math.nan, 97.0]).sentence
    assert success == "not reproduced: 1 of 3 seeds diverged"
    assert ledgers.mean_and_spread([99.0, None, 97.0]) == "1 of 3 diverged"


def test_our_own_figure_is_called_that():
    """Nobody takes a short experiment's measurement for a published figure."""
    words = judge(baseline(published=[]), [20.0]).sentence
    assert words == "reproduced: equal to our own 20, one seed, tolerance 1"


@pytest.mark.parametrize(
    ("block", "options", "word", "said"),
    [
        ({}, {"scale": 0.01}, "no verdict", "scaled to 1 %: no verdict"),
        ({}, {"changed": ["a: 1 → 2"]}, "not comparable", "not comparable: a: 1 → 2"),
        ({}, {"missing": ["seed 1 is failed"]}, "no verdict", "no verdict: seed 1 is failed"),
        (SHORT, {}, "no verdict", "no verdict: there is no target yet"),
        ({"protocol": None, "why": "people judge"}, {}, "no verdict", "no verdict: people judge"),
        (UNLIKE | {"why": "their network"}, {}, "no verdict", "no verdict: their network"),
    ],
)
def test_what_is_never_held_against_the_target(block, options, word, said):
    """Not even where the score is far better."""
    verdict = judge(baseline(**block), [1.0], **options)
    assert (verdict.name, verdict.sentence) == (word, said)


def test_no_scores_are_no_verdict():
    assert judge(baseline(), []).name == "no verdict"


def test_interval_is_students():
    """Of 0 and 2: 1 ± t(1; .975) · √2 / √2, and t(1) is a Cauchy quantile, tan(.475 π)."""
    low, high = interval([0.0, 2.0])
    assert (low, high) == pytest.approx(
        (1 - math.tan(0.475 * math.pi), 1 + math.tan(0.475 * math.pi))
    )
    assert interval([1.0]) is None


def test_short_tolerance():
    """Three standard deviations, but 5 % at least."""
    assert short_tolerance([1.0, 2.0, 3.0]) == pytest.approx(3.0)
    assert short_tolerance([-10.0, -10.0, -10.0]) == pytest.approx(0.5)


def test_first_measurement_becomes_a_baseline():
    """What is printed to paste makes a block that is its own reproduction."""
    values = [0.8, 0.9, 1.0]
    lines = yaml.safe_load(measured(values, {"seeds": [0, 1, 2], "torch": "2.0.1"}))
    block = BLOCK | {"better": "higher", "published": []} | lines
    assert judge(baseline_of("x", "m", "d", block), values).name == "reproduced"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tolerence": 1}, "Did you mean 'tolerance'"),
        ({"better": "less"}, "'less'"),
        ({"checkpoint": "first"}, "'first'"),
        ({"target": 25.0}, "one of the comparable published"),
        ({"tolerance": None}, "both given, or both null"),
        ({"protocol": None}, "why"),
        (UNLIKE, "why"),
        ({"why": "it has a verdict"}, "why"),
        (UNLIKE | {"why": "x", "target": 25.0, "tolerance": 1.0}, "of which there are none: null"),
        ({"published": [{"by": "me", "value": 1}]}, "each figure has by, value, how, source"),
    ],
)
def test_wrong_blocks_are_refused(change, said):
    with pytest.raises(ConfigError, match="experiment x: baseline") as error:
        baseline(**change)
    assert said in str(error.value)


def test_blocks_are_those_that_hydra_composes():
    """Reading the files finds every block, with the model and data that the experiment has."""
    found = baselines()
    for name in options("experiment"):
        text = file_of("experiment", name).read_text()
        assert (name in found) == ("\nbaseline:" in text)
    for name, mine in found.items():
        config = compose([f"experiment={name}"])
        block = OmegaConf.to_container(config)["baseline"]
        assert mine == baseline_of(name, config.choices.model, config.choices.data, block)
    assert baseline_named("gan/ring/ring_wgan") == found["ring_wgan"]


@pytest.mark.parametrize("name", [name for name, b in baselines().items() if b.protocol])
def test_the_protocol_gives_the_score(name):
    """Of this model on this data, without training."""
    mine = baseline_named(name)
    config = to_plain(compose([f"experiment={name}", "run_dir=unused"]))
    module, data = check(config)
    protocol = make(named_protocol(mine.protocol))
    protocol.check(module, data)
    assert mine.score in protocol.names
    if mine.checkpoint == "best":
        callbacks = config["callbacks"]
        assert callbacks["evaluation"]["protocol"]["name"] == mine.protocol
        assert callbacks["checkpoints"]["monitor"] == mine.score
        assert callbacks["checkpoints"]["mode"] == ("min" if mine.better == "lower" else "max")


def record(folder, name="ring_wgan_gp", at="2026-01-01T00:00:00+0000", **more):
    """Of the baseline that `ring` gives."""
    config = to_plain(compose([f"experiment={name}", "run_dir=unused"]))
    content = {
        "at": at,
        "score": "fid",
        "protocol": "mimicry_cifar10",
        "checkpoint": "last",
        "target": 20.0,
        "values": [0.5, 0.6],
        "changed": [],
        "missing": [],
        "scale": 1,
        "recipe_hash": recipe_hash(config),
        **more,
    }
    path = folder / name / at[:19].replace(":", "-")
    path.mkdir(parents=True)
    (path / "verdict.json").write_text(json.dumps(content))
    return path


def ring(**changes):
    return baseline_of("ring_wgan_gp", "mlp", "ring", BLOCK | {"better": "higher"} | changes)


def test_ledger_has_a_line_for_each(tmp_path):
    text = ledger(tmp_path)
    for name, mine in baselines().items():
        line = next(line for line in text.splitlines() if line.startswith(f"{name} "))
        assert mine.data in line
        assert mine.paper in line
        for figure in mine.published:
            assert f"{figure['value']:g}" in line


def test_ledger_shows_the_newest_verdict(tmp_path):
    """A later scaled or changed run does not hide it; a damaged record hides nothing."""
    record(tmp_path, at="2026-01-01T00:00:00+0000", values=[30.0])
    record(tmp_path, at="2026-01-02T00:00:00+0000", values=[10.0])
    record(tmp_path, at="2026-01-03T00:00:00+0000", values=[99.0], scale=0.01)
    record(tmp_path, at="2026-01-04T00:00:00+0000", values=[99.0], changed=["data.modes: 8 → 9"])
    damaged = record(tmp_path, at="2026-01-05T00:00:00+0000")
    (damaged / "verdict.json").write_text("{")
    ours, verdict = standing(ring(), recorded("ring_wgan_gp", tmp_path))
    assert (ours, verdict.name) == ("10", "not reproduced")


def test_ledger_marks_what_has_no_verdict(tmp_path):
    record(tmp_path, scale=0.01)
    ours, verdict = standing(ring(), recorded("ring_wgan_gp", tmp_path))
    assert (ours, verdict.sentence) == ("0.55 ± 0.071", "scaled to 1 %: no verdict")


def test_ledger_knows_an_earlier_recipe(tmp_path):
    """A verdict on settings that the experiment's file has no more is not one on it."""
    record(tmp_path, recipe_hash="0" * 16)
    _, verdict = standing(ring(), recorded("ring_wgan_gp", tmp_path))
    assert verdict.sentence == "not comparable: the recipe is another one by now"


@pytest.mark.parametrize(
    ("recorded_as", "said"),
    [
        ({"score": "kid"}, "the score was kid, and is fid by now"),
        ({"protocol": "modes10k"}, "the protocol was modes10k, and is mimicry_cifar10 by now"),
        ({"checkpoint": "best"}, "the checkpoint was best, and is last by now"),
        ({"protocol_hash": "0" * 16}, "the protocol mimicry_cifar10 has other settings by now"),
        ({"recipe_hash": None}, "its recipe is not known"),
    ],
)
def test_ledger_knows_an_earlier_score(tmp_path, recorded_as, said):
    """Figures of another score are not held against this one's target."""
    record(tmp_path, **recorded_as)
    _, verdict = standing(ring(), recorded("ring_wgan_gp", tmp_path))
    assert verdict.sentence == f"not comparable: {said}"


def test_ledger_takes_records_of_this_protocol(tmp_path):
    """With its hash, and without, as an earlier version wrote them."""
    plain = named_protocol("mimicry_cifar10")
    for more in ({"protocol_hash": protocol_hash(plain)}, {}):
        record(tmp_path / str(len(more)), values=[30.0], **more)
        _, verdict = standing(ring(), recorded("ring_wgan_gp", tmp_path / str(len(more))))
        assert verdict.name == "reproduced"


def test_our_own_target_does_not_reproduce_itself(tmp_path):
    """Neither by the experiment's file nor by the reproduction that the target was made from."""
    ours = {"mean": 20.0, "interval": [19.0, 21.0], "seeds": [0, 1, 2]}
    mine = ring(published=[], ours=ours)
    words = "no verdict: measured here, 3 seeds"
    assert standing(mine, [])[1].sentence == words
    record(tmp_path, values=[19.5, 20.0, 20.5], target=None)
    assert standing(mine, recorded("ring_wgan_gp", tmp_path))[1].sentence == words
    record(tmp_path, at="2026-01-02T00:00:00+0000", values=[19.5, 20.0, 20.5])
    assert standing(mine, recorded("ring_wgan_gp", tmp_path))[1].name == "reproduced"


@pytest.mark.parametrize("content", ['{"at": 3}', "[]", "{", '{"values": 1}'])
def test_ledger_names_damaged_records(tmp_path, content):
    path = record(tmp_path) / "verdict.json"
    path.write_text(content)
    assert f"\n{path} is damaged, and was left out." in ledger(tmp_path)


def test_ledger_takes_ours_from_the_file(tmp_path):
    ours = {"mean": 19.5, "interval": [19.0, 20.0], "seeds": [0, 1, 2]}
    text, verdict = standing(baseline(ours=ours), [])
    assert text == "19.5 (19 … 20)"
    assert verdict.name == "reproduced"
