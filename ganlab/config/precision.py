"""The precision of a run: `precision=auto` chooses one that suits the processor."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganlab.errors import ConfigError, one_of

PRECISIONS = ("auto", "32-true", "32", "bf16-mixed", "16-mixed")
# flags of processors with instructions for products of bfloat16 matrices: x86 and Arm
NATIVE = ("amx_bf16", "avx512_bf16", "bf16")


def set_precision(config: dict[str, Any]) -> None:
    """Replace trainer.precision=auto in a plain configuration, and let `precision` agree with it.

    `precision` stays "auto" if it has chosen `trainer.precision`, so that the recipe of the run is
    the same on every machine. If `trainer.precision` was given, `precision` becomes equal to it.

    Raises:
        ConfigError: the precision is not in `PRECISIONS`.
    """
    trainer = config.get("trainer") or {}
    if "precision" not in config or "precision" not in trainer:
        return
    if one_of("precision", str(trainer["precision"]), PRECISIONS) == "auto":
        config["precision"] = "auto"
        has_bfloat16 = computes_in_bfloat16(str(trainer.get("accelerator")))
        trainer["precision"] = "bf16-mixed" if has_bfloat16 else "32-true"
    else:
        config["precision"] = trainer["precision"]


def same_precision(name: str) -> str:
    """Return the name of a precision that has two: 32 is 32-true."""
    return "32-true" if str(name) == "32" else str(name)


def check_precisions(overrides: Sequence[str]) -> None:
    """Raise if `precision=` and `trainer.precision=` are both given, not as auto, and differ.

    Raises:
        ConfigError: they differ; the message says both.
    """
    given = {text.lstrip("+").partition("=")[0]: text for text in overrides}
    texts = [given[key] for key in ("precision", "trainer.precision") if key in given]
    if len({same_precision(text.partition("=")[2]) for text in texts} - {"auto"}) > 1:
        raise ConfigError(f"precision: received {' and '.join(texts)}; give one of them.")


def computes_in_bfloat16(accelerator: str) -> bool:
    """Whether a processor has instructions for products of bfloat16 matrices.

    The environment variable ONEDNN_MAX_CPU_ISA, which keeps torch from such instructions of a CPU,
    is respected.

    Args:
        accelerator: that of Lightning's trainer: "cpu", "gpu", "cuda", "mps" or "auto".
    """
    if accelerator == "mps":
        return False
    if accelerator != "cpu":
        import torch

        if torch.cuda.is_available():
            return torch.cuda.is_bf16_supported(including_emulation=False)
        if accelerator != "auto" or torch.backends.mps.is_available():
            return False
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "ALL"
    if not re.search("BF16|FP16|AMX|AVX10|ALL|DEFAULT", allowed.upper()):
        return False
    return not _flags().isdisjoint(NATIVE)


def _flags() -> set[str]:
    """Return the flags of the CPU that the system lists; none where it lists no flags."""
    if platform.system() != "Linux":
        return set()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    line = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return set(line.group(1).split()) if line else set()
