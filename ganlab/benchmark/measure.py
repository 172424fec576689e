"""Compare the speed of ganlab's training loop with a hand-written loop, in one process."""

from __future__ import annotations

import statistics
from typing import Any

from ganlab.config.targets import locate
from ganlab.errors import ConfigError
from ganlab.runs.trial import fit, without_callbacks

BLOCK_SECONDS = 2.0  # the time that a block of batches takes by default


def check_comparable(config: dict[str, Any], family: type) -> str:
    """Return the precision of the reference loop, "32-true" or "bf16-mixed".

    Args:
        config: the configuration, plain and checked.
        family: the model's class, one of `REFERENCE_LOOPS`.

    Raises:
        ConfigError: the reference loop does not support a setting.
    """
    from ganlab.families import GAN

    model, players = config["model"], config["model"]["players"]
    precision = str(config["trainer"].get("precision")).replace("32-true", "32")
    unlike = {
        "trainer.precision": precision not in ("32", "bf16-mixed"),
        "compile": bool(config.get("compile")),
        "model.phases": bool(model.get("phases")),
        "model.players.discriminator.every": players["discriminator"].get("every", 1) != 1,
    }
    for role, player in players.items():
        unlike[f"model.players.{role}.accumulate"] = player.get("accumulate", 1) != 1
        unlike[f"model.players.{role}.gradient_clip"] = player.get("gradient_clip") is not None
    if family is not GAN:
        unlike |= {
            "model.players.generator.every": players["generator"].get("every", 1) != 1,
            "loss.regularizers": any((config["loss"].get("regularizers") or {}).values()),
            "model.objective": model.get("objective", "l1_gan") != "l1_gan",
            "model.feature_matching_weight": model.get("feature_matching_weight", 0) != 0,
            "model.cycle_weight": model.get("cycle_weight", 1) == 0,
            "model.identity_weight": model.get("identity_weight", 1) == 0,
        }
    for key, differs in unlike.items():
        if differs:
            raise ConfigError(
                f"{key}: the reference loop of bench does not support this setting; leave it out."
            )
    return "32-true" if precision == "32" else precision


def measure(
    config: dict[str, Any], batches: int | None, blocks: int, precision: str | None
) -> dict[str, Any]:
    """Time both loops in alternating blocks of batches; then time the parts of ganlab's loop.

    A family of which `REFERENCE_LOOPS` has no loop is timed alone.

    Args:
        config: the configuration, plain and checked.
        batches: the number of batches in a block; None for blocks of about `BLOCK_SECONDS`.
        blocks: the number of pairs of blocks; the median of their ratios is reported.
        precision: the precision of the reference loop; None for the trainer's.

    Returns:
        The measurements, for `ganlab bench`. Keys that begin with "reference_" belong to the
        reference loop; "ratio" is ganlab's time divided by the reference loop's time. A family
        without a reference loop has neither.

    Raises:
        ConfigError: the reference loop does not support a setting, see `check_comparable`.
    """
    from ganlab.benchmark.parts import time_parts
    from ganlab.benchmark.reference import REFERENCE_LOOPS, AlternatingLoops, peak_memory

    family = locate(config["model"]["_target_"], "model")
    is_compared = family in REFERENCE_LOOPS
    if is_compared:
        trained_in = check_comparable(config, family)
        precision = precision or trained_in
    silent = without_callbacks(config, kept=("ema",))
    pairing = AlternatingLoops(batches, blocks, BLOCK_SECONDS, precision or "32-true")
    fit(silent, pairing)
    size = pairing.examples_in_batch
    milliseconds = 1000 * statistics.median(pairing.ours)
    more = max(2, min(20, round(1e4 / milliseconds)))  # batches in about ten seconds
    loops = ("ours", "reference") if is_compared else ("ours",)
    memory = peak_memory(silent, more, precision or "32-true", loops)
    measured = {
        "name": config["name"],
        "device": pairing.device,
        "precision": str(config["trainer"].get("precision")),
        "milliseconds_per_batch": round(milliseconds, 4),
        "examples_per_second": round(1000 * size / milliseconds, 1),
        "peak_memory_mib": memory["ours"],
        "calls": pairing.calls["ours"],
        "batches_per_block": pairing.batches,
        "blocks": blocks,
        "parts_milliseconds": time_parts(silent, max(more, pairing.batches)),
    }
    if is_compared:
        reference_milliseconds = 1000 * statistics.median(pairing.reference)
        ratios = [a / b for a, b in zip(pairing.ours, pairing.reference, strict=True)]
        measured |= {
            "reference_precision": precision,
            "ratio": round(statistics.median(ratios), 4),
            "ratio_min": round(min(ratios), 4),
            "ratio_max": round(max(ratios), 4),
            "reference_milliseconds_per_batch": round(reference_milliseconds, 4),
            "reference_examples_per_second": round(1000 * size / reference_milliseconds, 1),
            "reference_peak_memory_mib": memory["reference"],
            "reference_calls": pairing.calls["reference"],
        }
    return measured
