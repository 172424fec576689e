"""`precision=auto`: bfloat16 where the processor has instructions for it, chosen once."""

import pytest

from ganlab.config import precision
from ganlab.config.compose import compose, to_plain
from ganlab.config.precision import computes_in_bfloat16, set_precision
from ganlab.config.recipe import changes
from ganlab.errors import RunError
from ganlab.files import write_json
from ganlab.record.run import write_config
from ganlab.runs.resume import continued


def composed(*overrides):
    return to_plain(compose(["trainer=cpu", *overrides]))


@pytest.fixture
def processor(monkeypatch):
    """Return a function that sets the flags of the CPU."""
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.delenv("DNNL_MAX_CPU_ISA", raising=False)
    return lambda *flags: monkeypatch.setattr(precision, "_flags", lambda: {"sse2", *flags})


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [
        ((), "32-true"),
        (("avx2", "avx512f"), "32-true"),
        (("avx512_bf16",), "bf16-mixed"),
        (("amx_bf16", "amx_tile"), "bf16-mixed"),
        (("bf16", "sve"), "bf16-mixed"),
    ],
)
def test_the_processor_chooses(processor, flags, chosen):
    processor(*flags)
    config = composed("precision=auto")
    assert (config["precision"], config["trainer"]["precision"]) == ("auto", chosen)


@pytest.mark.parametrize(
    ("variable", "value", "has"),
    [
        ("ONEDNN_MAX_CPU_ISA", "AVX2", False),
        ("ONEDNN_MAX_CPU_ISA", "avx512_core_vnni", False),
        ("DNNL_MAX_CPU_ISA", "AVX2", False),
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_AMX", True),
        ("ONEDNN_MAX_CPU_ISA", "DEFAULT", True),
    ],
)
def test_the_environment_may_keep_torch_from_the_instructions(
    processor, monkeypatch, variable, value, has
):
    processor("avx512_bf16", "amx_bf16")
    monkeypatch.setenv(variable, value)
    assert computes_in_bfloat16("cpu") == has


@pytest.mark.parametrize("given", ["precision=bf16-mixed", "trainer.precision=bf16-mixed"])
def test_a_given_precision_holds_and_both_keys_agree(processor, given):
    processor()
    config = composed(given)
    assert config["precision"] == config["trainer"]["precision"] == "bf16-mixed"
    assert composed()["precision"] == composed()["trainer"]["precision"] == "32-true"


def test_the_recipe_is_the_same_on_every_machine_but_not_that_of_a_given_precision(processor):
    processor()
    old = composed("precision=auto")
    processor("amx_bf16")
    new = composed("precision=auto")
    assert old["trainer"] != new["trainer"]
    assert changes(new, old) == []
    given = composed("precision=auto", "trainer.precision=32-true")
    assert changes(given, new) == ["trainer.precision: auto → 32-true"]


def test_a_resumed_run_keeps_the_precision_that_was_chosen(processor, tmp_path):
    processor()
    config = composed("precision=auto", f"run_dir={tmp_path}", "budget.examples=100")
    write_config(tmp_path, config)
    write_json(tmp_path / "run.json", {"status": "interrupted"})
    processor("amx_bf16")

    def precisions(*overrides, wanted=None):
        new = continued(tmp_path, list(overrides), wanted)
        return new["precision"], new["trainer"]["precision"]

    assert precisions() == ("auto", "32-true")
    planned = composed("precision=auto", f"run_dir={tmp_path}", "budget.examples=100")
    assert planned["trainer"]["precision"] == "bf16-mixed"
    assert precisions(wanted=planned) == ("auto", "32-true")
    assert precisions("precision=bf16-mixed") == ("bf16-mixed", "bf16-mixed")
    assert precisions("trainer.precision=bf16-mixed") == ("bf16-mixed", "bf16-mixed")
    with pytest.raises(RunError, match="seed"):
        precisions("seed=5")


def test_configurations_without_precision_are_left_alone():
    for config in ({}, {"trainer": None}, {"trainer": {"precision": "32-true"}}):
        before = str(config)
        set_precision(config)
        assert str(config) == before
