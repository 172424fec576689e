"""`ganlab bench`: the training loop against a hand-written one, and where the time goes."""

from __future__ import annotations

import json
import statistics
import tempfile
from typing import Any

from ganlab.cli.arguments import Argument, boolean, count, parse, usage, wants_help
from ganlab.cli.trial import fit, quiet
from ganlab.errors import ConfigError

FAMILIES = ("GAN", "CycleGAN", "Pix2Pix")
PRECISIONS = ("32-true", "bf16-mixed")


def _precision(text: str) -> str:
    if text not in PRECISIONS:
        raise ValueError(f"received {text!r}; allowed {', '.join(PRECISIONS)}")
    return text


ARGUMENTS = {
    "json": Argument(boolean, "true prints one JSON object (false)", False),
    "batches": Argument(count, "batches in a block (chosen so that a block takes about 2 s)"),
    "blocks": Argument(count, "pairs of blocks, ours and the reference in turn (7)", 7),
    "reference": Argument(
        _precision, "precision of the reference, 32-true or bf16-mixed (trainer.precision)"
    ),
}
BLOCK_SECONDS = 2.0


def main(argv: list[str]) -> int:
    """Measure and print; all other arguments are those of `ganlab train`."""
    if wants_help(argv):
        print(usage("bench", "time the training loop; any key of `ganlab train`, and", ARGUMENTS))
        return 0
    for text in argv:
        if (key := text.partition("=")[0]) in ("run", "resume"):
            raise ConfigError(
                f"{key}: is for ganlab train; bench measures a new model. Leave it out."
            )
    own = [text for text in argv if text.partition("=")[0] in ARGUMENTS]
    arguments = parse(own, ARGUMENTS)
    from ganlab.cli.compose import compose, to_plain
    from ganlab.cli.validate import check

    composed = compose([text for text in argv if text not in own])
    with tempfile.TemporaryDirectory() as folder:
        composed.run_dir = folder
        config = to_plain(composed)
        family = config["model"]["_target_"].rpartition(".")[2]
        if family not in FAMILIES:
            raise ConfigError(
                f"model: bench has no loop to compare a {family} with; allowed "
                f"{', '.join(FAMILIES)}."
            )
        check(config)
        own = _check_comparable(config, family)
        precision = arguments["reference"] or own
        result = measure(config, arguments["batches"], arguments["blocks"], precision)
    print(json.dumps(result) if arguments["json"] else report(result))
    return 0


def _check_comparable(config: dict[str, Any], family: str) -> str:
    """Refuse what the reference loop does not do; the precision of ours."""
    model, players = config["model"], config["model"]["players"]
    precision = str(config["trainer"].get("precision")).replace("32-true", "32")
    unlike = {
        "trainer.precision": precision not in ("32", "bf16-mixed"),
        "compile": bool(config.get("compile")),
        "model.players.discriminator.every": players["discriminator"].get("every", 1) != 1,
    }
    for role, player in players.items():
        unlike[f"model.players.{role}.accumulate"] = player.get("accumulate", 1) != 1
        unlike[f"model.players.{role}.gradient_clip"] = player.get("gradient_clip") is not None
    if family != "GAN":
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
            raise ConfigError(f"{key}: the reference loop of bench does not do this; leave it out.")
    return "32-true" if precision == "32" else precision


def measure(
    config: dict[str, Any], batches: int | None, blocks: int, precision: str
) -> dict[str, Any]:
    """Run both loops in one process, block by block in turn; then time the parts of ours.

    Args:
        config: plain and checked.
        batches: in a block; None chooses them by time.
        blocks: pairs of blocks; the median of their ratios is reported.
        precision: of the reference.
    """
    from ganlab.cli.bench_parts import time_parts
    from ganlab.cli.bench_reference import Pairing, peak_memory

    silent = quiet(config, "ema")
    pairing = Pairing(batches, blocks, BLOCK_SECONDS, precision)
    fit(silent, pairing)
    ours, reference = pairing.ours, pairing.reference
    size = pairing.images_in_batch
    milliseconds = 1000 * statistics.median(ours)
    theirs = 1000 * statistics.median(reference)
    ratios = [a / b for a, b in zip(ours, reference, strict=True)]
    more = max(2, min(20, round(1e4 / milliseconds)))  # batches in about ten seconds
    memory = peak_memory(silent, more, precision)
    return {
        "name": config["name"],
        "device": pairing.device,
        "precision": str(config["trainer"].get("precision")),
        "reference_precision": precision,
        "ratio": round(statistics.median(ratios), 4),
        "ratio_min": round(min(ratios), 4),
        "ratio_max": round(max(ratios), 4),
        "milliseconds_per_batch": round(milliseconds, 4),
        "reference_milliseconds_per_batch": round(theirs, 4),
        "images_per_second": round(1000 * size / milliseconds, 1),
        "reference_images_per_second": round(1000 * size / theirs, 1),
        "peak_memory_mib": memory["ours"],
        "reference_peak_memory_mib": memory["reference"],
        "calls": pairing.calls["ours"],
        "reference_calls": pairing.calls["reference"],
        "batches_per_block": pairing.batches,
        "blocks": blocks,
        "parts_milliseconds": time_parts(silent, max(more, pairing.batches)),
    }


def report(result: dict[str, Any]) -> str:
    """The measurements as a table."""
    lines = [
        f"{result['name']} on {result['device']}, {result['precision']} against "
        f"{result['reference_precision']}, {result['blocks']} pairs of blocks of "
        f"{result['batches_per_block']} batches in turn, medians:",
        f"{'':24}{'ganlab':>12}{'reference':>14}",
    ]
    for key in ("milliseconds_per_batch", "images_per_second", "peak_memory_mib"):
        name = key.replace("_", " ")
        lines.append(f"  {name:22}{result[key]:12,.2f}{result[f'reference_{key}']:14,.2f}")
    lines.append(
        f"  ratio {result['ratio']:.3f} (of the pairs {result['ratio_min']:.3f} to "
        f"{result['ratio_max']:.3f})"
    )
    for key, calls in result["calls"].items():
        if calls:
            name = f"{key} called"
            lines.append(f"  {name:22}{calls:12,}{result['reference_calls'][key]:14,}")
    parts = result["parts_milliseconds"]
    total = sum(parts.values())
    lines.append("Where a batch's time goes (measured apart, with clocks in the loop):")
    lines += [f"  {name:32}{ms:9.3f} ms {ms / total:6.1%}" for name, ms in parts.items()]
    return "\n".join(lines)
