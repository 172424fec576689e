"""`ganlab bench`: time the training loop and its parts against a hand-written reference loop."""

from __future__ import annotations

import json
import tempfile
from typing import Any

from ganlab.cli.arguments import Argument, parse, say_loading, usage, wants_help
from ganlab.config.values import boolean, count
from ganlab.errors import ConfigError

PRECISIONS = ("32-true", "bf16-mixed")


def _precision(text: str) -> str:
    if text not in PRECISIONS:
        raise ValueError(f"received {text!r}; allowed {', '.join(PRECISIONS)}")
    return text


ARGUMENTS = {
    "json": Argument(boolean, "true to print one JSON object", False),
    "batches": Argument(count, "batches per block (default: the number that takes about 2 s)"),
    "blocks": Argument(count, "timed blocks of each loop; the loops alternate", 7),
    "reference": Argument(
        _precision,
        "precision of the reference loop, 32-true or bf16-mixed (default: trainer.precision)",
    ),
}


def main(argv: list[str]) -> int:
    """Measure and print; further arguments are overrides as in `ganlab train`."""
    if wants_help(argv):
        purpose = (
            "time the training loop against a reference loop, written by hand. Arguments: any "
            "key=value of `ganlab train`, and"
        )
        print(usage("bench", purpose, ARGUMENTS))
        return 0
    for text in argv:
        if (key := text.partition("=")[0]) in ("run", "resume"):
            raise ConfigError(
                f"{key}: is for ganlab train; bench measures a new model. Leave it out."
            )
    given = [text for text in argv if text.partition("=")[0] in ARGUMENTS]
    arguments = parse(given, ARGUMENTS)
    say_loading("bench", "the measurement")
    from ganlab.config.checks import check
    from ganlab.config.compose import compose, to_plain
    from ganlab.config.reads import warn_of_repeated

    overrides = [text for text in argv if text not in given]
    warn_of_repeated(overrides)
    composed = compose(overrides)
    with tempfile.TemporaryDirectory() as folder:
        composed.run_dir = folder
        config = to_plain(composed)
        from ganlab.benchmark.measure import measure

        check(config)
        result = measure(config, arguments["batches"], arguments["blocks"], arguments["reference"])
    print(json.dumps(result) if arguments["json"] else report(result))
    return 0


def report(result: dict[str, Any]) -> str:
    """Return the measurements as a table."""
    columns, reference = {"ganlab": ""}, "no reference loop for this family"
    if "ratio" in result:
        columns["reference"] = "reference_"
        reference = f"reference in {result['reference_precision']}"
    lines = [
        f"{result['name']} on {result['device']}, ganlab in {result['precision']}, {reference}; "
        f"medians of {result['blocks']} blocks of {result['batches_per_block']} batches each:",
        f"{'':24}" + "".join(f"{column:>14}" for column in columns),
    ]
    for key in ("milliseconds_per_batch", "examples_per_second", "peak_memory_mib"):
        values = "".join(f"{result[prefix + key]:14,.2f}" for prefix in columns.values())
        lines.append(f"  {key.replace('_', ' '):22}{values}")
    if "ratio" in result:
        lines.append(
            f"  ratio of times {result['ratio']:.3f} (pairs of blocks: {result['ratio_min']:.3f} "
            f"to {result['ratio_max']:.3f})"
        )
    for key, calls in result["calls"].items():
        if calls:
            values = "".join(f"{result[f'{x}calls'][key]:14,}" for x in columns.values())
            lines.append(f"  {f'{key} called':22}{values}")
    parts = result["parts_milliseconds"]
    total = sum(parts.values())
    lines.append("Time per part of a batch (from a separate run with timers in the loop):")
    lines += [f"  {name:32}{ms:9.3f} ms {ms / total:6.1%}" for name, ms in parts.items()]
    return "\n".join(lines)
