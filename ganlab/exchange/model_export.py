"""Writes a run's model as a model file, with the scores of what is stored."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ganlab.core import AdversarialModule
from ganlab.core.build import make
from ganlab.core.model_files import DTYPES, read_model, write_model
from ganlab.errors import one_of
from ganlab.runs.evaluation import Subject, evaluate


def export_model(module: AdversarialModule, path: Path, dtype: str = "float16") -> str:
    """Write a model file, read it back, score what was read, and write it with the scores.

    The scores are those of the run's own protocol. A run without a protocol gives no scores.

    Args:
        module: the model of a run, as `ganlab.core.load.load_module` returns it.
        path: the file to write.
        dtype: of the stored weights, "float16" or "float32".

    Returns:
        Lines with the file, its size and the scores.

    Raises:
        GanlabError: the data of the run are missing, or the file cannot be written.
    """
    precision = DTYPES[one_of("dtype", dtype, DTYPES)]
    with tempfile.TemporaryDirectory() as folder:  # so that an older file stays until the end
        draft = Path(folder) / path.name
        write_model(module, draft, precision, {})
        scores = scored(draft, module.config)
    write_model(module, path, precision, scores)
    lines = [f"{path}: {path.stat().st_size:,} bytes, weights in {dtype}"]
    for name, score in scores.items():
        if "/" not in name:
            lines.append(f"  {name} {score['value']:.4g} ({score['protocol']['protocol']})")
    return "\n".join(lines)


def scored(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Return the scores of a model file under a run's protocol, each with value and protocol.

    Args:
        path: the model file.
        config: the run's configuration, with the data that the model is scored against.
    """
    protocol = ((config.get("callbacks") or {}).get("evaluation") or {}).get("protocol")
    if not protocol:
        return {}
    subject = Subject(str(path), {}, make(config["data"]), module=read_model(path, trust=True))
    (entry,) = evaluate(subject, make(protocol), [protocol.get("seed")])
    return {
        name: {key: score[key] for key in ("value", "protocol")}
        for name, score in entry["scores"].items()
    }
