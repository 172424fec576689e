"""Hydra's grammar of sweeps, converted to Optuna's distributions."""

import pytest

optuna = pytest.importorskip("optuna")
from optuna.distributions import (  # noqa: E402
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from ganlab.errors import ConfigError  # noqa: E402
from ganlab.record.machine import without_password  # noqa: E402
from ganlab.tuning.scores import direction, trial_config  # noqa: E402
from ganlab.tuning.space import changes, first_and_last, split_space, suggest  # noqa: E402


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hinge,wgan", CategoricalDistribution(["hinge", "wgan"])),
        ("choice(hinge,wgan,hinge)", CategoricalDistribution(["hinge", "wgan"])),
        ("1,2,5", CategoricalDistribution(["1", "2", "5"])),
        ("[],[r1]", CategoricalDistribution(["[]", "[r1]"])),
        ("null,1e-4", CategoricalDistribution(["null", "0.0001"])),
        ("range(3)", IntDistribution(0, 2)),
        ("range(1,9)", IntDistribution(1, 8)),
        ("range(1,9,3)", IntDistribution(1, 7, step=3)),
        ("range(9,1,-2)", IntDistribution(3, 9, step=2)),
        ("range(0,1,0.1)", FloatDistribution(0.0, 0.9, step=0.1)),
        ("tag(log,range(1,65))", IntDistribution(1, 64, log=True)),
        ("interval(1,10)", FloatDistribution(1.0, 10.0)),
        ("int(interval(1,10))", IntDistribution(1, 10)),
        ("tag(int,interval(1,10))", IntDistribution(1, 10)),
        ("tag(int,log,interval(1,10))", IntDistribution(1, 10, log=True)),
        ("tag(log, interval(1e-4, 1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
    ],
)
def test_overrides_become_distributions(text, expected):
    assert split_space([f"a.b={text}", "seed=3"]) == (["seed=3"], {"a.b": expected})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("range(5,1)", "no values"),
        ("range(1,5,0)", "step"),
        ("interval(5,1)", "low"),
        ("tag(log,interval(0,1))", "low"),
        ("tag(logg,interval(1,2))", "Did you mean 'log'"),
        ("tag(log,choice(1,2))", "no order"),
        ("tag(int,interval(0.5,2))", "whole"),
        ("glob(*)", "write the choices out"),
        ("interval(1", "cannot be read"),
    ],
)
def test_overrides_that_cannot_be_searched_over(text, says):
    with pytest.raises(ConfigError, match=says):
        split_space([f"a={text}"])


def test_suggestions_are_overrides_and_do_not_change():
    _, space = split_space(["loss=hinge,wgan", "n=range(1,9)", "lr=tag(log,interval(1e-6,1e-5))"])
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    said = suggest(trial, space)
    assert [text.partition("=")[0] for text in said] == ["loss", "n", "lr"]
    assert suggest(optuna.Trial(study, trial._trial_id), space) == said
    assert float(said[2].partition("=")[2]) == trial.params["lr"]
    assert first_and_last(space) == (
        ["loss=hinge", "n=1", "lr=1e-06"],
        ["loss=wgan", "n=8", "lr=1e-05"],
    )


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("interval(1,2)", "interval(0,2)", False),
        ("interval(1,2)", "interval(1.5,3)", True),
        ("interval(1,2)", "tag(log,interval(1,2))", True),
        ("range(2,9,2)", "range(0,20,2)", False),
        ("range(2,9,2)", "range(1,20,2)", True),
        ("hinge,wgan", "hinge,wgan", False),
        ("hinge,wgan", "hinge,wgan,lsgan", True),
        ("1,2", "range(1,3)", True),
    ],
)
def test_only_ranges_may_become_wider(old, new, changed):
    lines = changes(split_space([f"a={old}"])[1], split_space([f"a={new}"])[1])
    assert [line.partition(":")[0] for line in lines] == ["a"] * changed


def test_sweep_of_digits_is_valid_and_has_scores_during_training():
    from ganlab.config.sweeps import merge_sweep

    fixed, space = split_space(merge_sweep(["sweep=wgan_gp_mnist_5k"])[1])
    config, protocol = trial_config(fixed, space)
    assert direction(config, protocol, None) == ("frechet_distance_digits", False)
    assert config["budget"]["examples"] >= 4 * config["callbacks"]["evaluation"]["every_examples"]
    assert {"model.players.generator.every"} < set(space)


def test_direction_is_that_of_the_metric():
    from helpers.tiny import ARGUMENTS

    own = [text for text in ARGUMENTS if not text.startswith("evaluation")]
    config, protocol = trial_config([*own, "protocol=modes10k", "budget.batches=1"], {})
    assert direction(config, protocol, None) == ("high_quality", True)
    assert direction(config, protocol, "modes") == ("modes", True)
    with pytest.raises(ConfigError, match="modes, high_quality"):
        direction(config, protocol, "fid")
    with pytest.raises(ConfigError, match="protocol: none"):
        trial_config([*own, "protocol=none", "budget.batches=1"], {})


def test_passwords_are_not_shown():
    url = "storage=postgresql://me:secret@host:5432/x"
    assert without_password(url) == "storage=postgresql://me:…@host:5432/x"
    assert without_password("sqlite:///a.db") == "sqlite:///a.db"
