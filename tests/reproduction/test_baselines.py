"""Verdicts, the baselines of all experiments, and the ledger."""

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
    """Return the baseline of BLOCK, with some entries replaced."""
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
def test_only_a_worse_mean_misses_the_target_and_only_a_better_one_misses_a_failure(
    better, failure, value, word
):
    """The target is 20 with tolerance 1."""
    verdict = judge(baseline(better=better, failure=failure), [value])
    assert verdict.name == word
    assert verdict.sentence.startswith(f"{word}: ")


def test_verdict_compares_the_mean_and_names_the_difference():
    """The mean of 20 and 23 is 1.5 worse than 20, although one seed reaches 20."""
    words = judge(baseline(), [20.0, 23.0]).sentence
    assert words == "not reproduced: 1.5 worse than 20, mean of 2 seeds, tolerance 1"


def test_failure_needs_a_failing_mean_of_the_seeds_that_did_not_diverge():
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


def test_verdict_marks_a_target_of_our_own():
    """Our own target must not look like a published score."""
    words = judge(baseline(published=[]), [20.0]).sentence
    assert words == "reproduced: equal to our earlier mean 20, one seed, tolerance 1"


@pytest.mark.parametrize(
    ("block", "options", "word", "sentence"),
    [
        ({}, {"scale": 0.01}, "no verdict", "scaled to 1 %: no verdict"),
        ({}, {"changed": ["a: 1 → 2"]}, "not comparable", "not comparable: a: 1 → 2"),
        ({}, {"missing": ["seed 1 is failed"]}, "no verdict", "no verdict: seed 1 is failed"),
        (SHORT, {}, "no verdict", "no verdict: there is no target yet"),
        ({"protocol": None, "why": "people judge"}, {}, "no verdict", "no verdict: people judge"),
        (UNLIKE | {"why": "their network"}, {}, "no verdict", "no verdict: their network"),
    ],
)
def test_scores_that_are_not_compared_with_the_target(block, options, word, sentence):
    """The score 1 would be far better than the target."""
    verdict = judge(baseline(**block), [1.0], **options)
    assert (verdict.name, verdict.sentence) == (word, sentence)


def test_without_scores_there_is_no_verdict():
    assert judge(baseline(), []).name == "no verdict"


def test_interval_uses_students_t():
    """For 0 and 2 the interval is 1 ± t · √2 / √2. For 1 degree of freedom, t is the Cauchy
    quantile tan(0.475 π)."""
    low, high = interval([0.0, 2.0])
    assert (low, high) == pytest.approx(
        (1 - math.tan(0.475 * math.pi), 1 + math.tan(0.475 * math.pi))
    )
    assert interval([1.0]) is None


def test_short_tolerance():
    """The tolerance is 3 standard deviations, but at least 5 % of the mean."""
    assert short_tolerance([1.0, 2.0, 3.0]) == pytest.approx(3.0)
    assert short_tolerance([-10.0, -10.0, -10.0]) == pytest.approx(0.5)


def test_printed_lines_of_a_first_measurement_make_a_valid_baseline():
    """The verdict on the measured values is that they reproduce this baseline."""
    values = [0.8, 0.9, 1.0]
    lines = yaml.safe_load(measured(values, {"seeds": [0, 1, 2], "torch": "2.0.1"}))
    block = BLOCK | {"better": "higher", "published": []} | lines
    assert judge(baseline_of("x", "m", "d", block), values).name == "reproduced"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tolerence": 1}, "Did you mean 'tolerance'"),
        ({"better": "less"}, "'less'"),
        ({"checkpoint": "first"}, "'first'"),
        ({"target": 25.0}, "one of the comparable published"),
        ({"tolerance": None}, "both target and tolerance, or null for both"),
        ({"protocol": None}, "why"),
        (UNLIKE, "why"),
        ({"why": "it has a verdict"}, "why"),
        (UNLIKE | {"why": "x", "target": 25.0, "tolerance": 1.0}, "null, since no published"),
        (
            {"published": [{"by": "me", "value": 1}]},
            "each published value needs the keys by, value, how, source",
        ),
    ],
)
def test_wrong_blocks_are_refused(change, message):
    with pytest.raises(ConfigError, match="experiment x: baseline") as error:
        baseline(**change)
    assert message in str(error.value)


def test_baselines_read_without_hydra_equal_composed_ones():
    """Every file with a block is found, with the experiment's model and data."""
    known = baselines()
    for name in options("experiment"):
        text = file_of("experiment", name).read_text()
        assert (name in known) == ("\nbaseline:" in text)
    for name, read in known.items():
        config = compose([f"experiment={name}"])
        block = OmegaConf.to_container(config)["baseline"]
        assert read == baseline_of(name, config.choices.model, config.choices.data, block)
    assert baseline_named("gan/ring/ring_wgan") == known["ring_wgan"]


@pytest.mark.parametrize("name", [name for name, b in baselines().items() if b.protocol])
def test_protocol_of_a_baseline_has_its_score(name):
    """The protocol must support the experiment's model and data."""
    expected = baseline_named(name)
    config = to_plain(compose([f"experiment={name}", "run_dir=unused"]))
    module, data = check(config)
    protocol = make(named_protocol(expected.protocol))
    protocol.check(module, data)
    assert expected.score in protocol.names
    if expected.checkpoint == "best":
        callbacks = config["callbacks"]
        assert callbacks["evaluation"]["protocol"]["name"] == expected.protocol
        assert callbacks["checkpoints"]["monitor"] == expected.score
        assert callbacks["checkpoints"]["mode"] == ("min" if expected.better == "lower" else "max")


def record(folder, name="ring_wgan_gp", at="2026-01-01T00:00:00+0000", **more):
    """Write a verdict.json for the baseline `ring()`, and return its folder."""
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
    """Return the baseline of BLOCK for experiment ring_wgan_gp, where higher is better."""
    return baseline_of("ring_wgan_gp", "mlp", "ring", BLOCK | {"better": "higher"} | changes)


def test_ledger_has_a_line_for_each_baseline(tmp_path):
    text = ledger(tmp_path)
    for name, listed in baselines().items():
        line = next(line for line in text.splitlines() if line.startswith(f"{name} "))
        assert listed.data in line
        assert listed.paper in line
        for figure in listed.published:
            assert f"{figure['value']:g}" in line


def test_ledger_shows_the_newest_verdict(tmp_path):
    """Later scaled, changed or damaged records do not hide the verdict."""
    record(tmp_path, at="2026-01-01T00:00:00+0000", values=[30.0])
    record(tmp_path, at="2026-01-02T00:00:00+0000", values=[10.0])
    record(tmp_path, at="2026-01-03T00:00:00+0000", values=[99.0], scale=0.01)
    record(tmp_path, at="2026-01-04T00:00:00+0000", values=[99.0], changed=["data.modes: 8 → 9"])
    damaged = record(tmp_path, at="2026-01-05T00:00:00+0000")
    (damaged / "verdict.json").write_text("{")
    ours, verdict = standing(ring(), recorded("ring_wgan_gp", tmp_path))
    assert (ours, verdict.name) == ("10", "not reproduced")


def test_ledger_shows_a_score_without_a_verdict(tmp_path):
    record(tmp_path, scale=0.01)
    ours, verdict = standing(ring(), recorded("ring_wgan_gp", tmp_path))
    assert (ours, verdict.sentence) == ("0.55 ± 0.071", "scaled to 1 %: no verdict")


def test_records_of_an_older_recipe_are_not_comparable(tmp_path):
    """A verdict counts only for the recipe that the experiment's file has now."""
    record(tmp_path, recipe_hash="0" * 16)
    _, verdict = standing(ring(), recorded("ring_wgan_gp", tmp_path))
    assert verdict.sentence == "not comparable: the recipe has changed"


@pytest.mark.parametrize(
    ("recorded_as", "reason"),
    [
        ({"score": "kid"}, "the score was kid and is now fid"),
        ({"protocol": "modes10k"}, "the protocol was modes10k and is now mimicry_cifar10"),
        ({"checkpoint": "best"}, "the checkpoint was best and is now last"),
        ({"protocol_hash": "0" * 16}, "the settings of protocol mimicry_cifar10 have changed"),
        ({"recipe_hash": None}, "the recipe is unknown"),
    ],
)
def test_records_of_another_score_or_protocol_are_not_comparable(tmp_path, recorded_as, reason):
    record(tmp_path, **recorded_as)
    _, verdict = standing(ring(), recorded("ring_wgan_gp", tmp_path))
    assert verdict.sentence == f"not comparable: {reason}"


def test_records_of_the_same_protocol_are_compared(tmp_path):
    """Also records of earlier versions, which have no hash of the protocol."""
    plain = named_protocol("mimicry_cifar10")
    for more in ({"protocol_hash": protocol_hash(plain)}, {}):
        record(tmp_path / str(len(more)), values=[30.0], **more)
        _, verdict = standing(ring(), recorded("ring_wgan_gp", tmp_path / str(len(more))))
        assert verdict.name == "reproduced"


def test_measurement_that_defined_the_target_gives_no_verdict(tmp_path):
    """Neither `ours` in the experiment's file nor a record without a target is a reproduction."""
    ours = {"mean": 20.0, "interval": [19.0, 21.0], "seeds": [0, 1, 2]}
    own_target = ring(published=[], ours=ours)
    words = "no verdict: measured here, 3 seeds"
    assert standing(own_target, [])[1].sentence == words
    record(tmp_path, values=[19.5, 20.0, 20.5], target=None)
    assert standing(own_target, recorded("ring_wgan_gp", tmp_path))[1].sentence == words
    record(tmp_path, at="2026-01-02T00:00:00+0000", values=[19.5, 20.0, 20.5])
    assert standing(own_target, recorded("ring_wgan_gp", tmp_path))[1].name == "reproduced"


@pytest.mark.parametrize("content", ['{"at": 3}', "[]", "{", '{"values": 1}'])
def test_ledger_names_damaged_records(tmp_path, content):
    path = record(tmp_path) / "verdict.json"
    path.write_text(content)
    assert f"\n{path} is damaged and was skipped." in ledger(tmp_path)


def test_ledger_uses_ours_of_the_file_without_records(tmp_path):
    ours = {"mean": 19.5, "interval": [19.0, 20.0], "seeds": [0, 1, 2]}
    text, verdict = standing(baseline(ours=ours), [])
    assert text == "19.5 (19 … 20)"
    assert verdict.name == "reproduced"
