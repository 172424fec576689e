"""Model files: a trained model in one safetensors file, without the state of its training.

The file holds the tensors of all networks, with the EMA weights of those that have them. Its
metadata hold the configuration that builds the model, and scores of what is stored. The files in
this folder come with ganlab; their names are names of models, e.g. `ganlab sample run=digits`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from ganlab.core.build import build_module
from ganlab.core.module import AdversarialModule
from ganlab.errors import CheckpointError, ConfigError
from ganlab.files import atomic
from ganlab.printable import one_line
from ganlab.reading import parse_json
from ganlab.record.stored import check_stored

ENDING = ".safetensors"
HASHES = {  # SHA-256 of the files in this folder
    # ganlab train experiment=quickstart budget.minutes=null threads=1, on an AMD EPYC in bfloat16
    "digits": "fdbe074529c85fa3aec1ef52fb9af9caf2b4ed8d5ba1c5e4482981db6ce54db1",
}
DTYPES = {"float16": torch.float16, "float32": torch.float32}
# settings that a model file keeps: what builds the model, and how it was trained
KEPT = ("name", "choices", "seed", "precision", "memory_format", "budget", "model", "loss", "data")
PLACES = ("root", "cache", "download")  # settings of the data that say where they lie
MOST_CONFIG = 2**20  # characters


def packaged() -> dict[str, Path]:
    """Return the names and files of the models that come with ganlab."""
    return {name: Path(__file__).parent / f"{name}{ENDING}" for name in HASHES}


def model_file(run: Path) -> Path | None:
    """Return the model file that `run` names: the file itself, or a model of ganlab.

    Return None for everything else. A run's folder is preferred to a model of ganlab of that name.
    """
    if run.suffix == ENDING and run.is_file():
        return run
    return None if (run / "config.yaml").exists() else packaged().get(str(run))


def folder_for(run: Path) -> Path:
    """Return the folder for results of a model: the run's, or outputs/NAME for a model file."""
    path = model_file(run)
    return run if path is None else Path("outputs") / path.stem


def write_model(
    module: AdversarialModule, path: Path, dtype: torch.dtype, scores: dict[str, Any]
) -> None:
    """Write a model file.

    Args:
        module: a model that was built from a run's configuration.
        path: the file to write.
        dtype: of the floating-point tensors.
        scores: maps names of scores to their values and protocols.

    Raises:
        RunError: the file cannot be written.
    """
    from safetensors.torch import save_file

    config = {key: module.config[key] for key in KEPT if key in module.config}
    if config.get("data"):
        config["data"] = {k: v for k, v in config["data"].items() if k not in PLACES}
    metadata = {
        "ganlab": "model",
        "config": json.dumps(config),
        "examples_seen": str(module.examples_seen),
        "scores": json.dumps(scores),
    }
    tensors = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in _state(module).items()
    }
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata)


def _state(module: AdversarialModule) -> dict[str, Tensor]:
    state = {
        name: tensor
        for name, tensor in module.state_dict().items()
        if not name.startswith("averaged.")
    }
    for network in module.averaged:
        averaged = module.averaged[network].state_dict()
        state |= {f"{network}.{name}": tensor for name, tensor in averaged.items()}
    return state


def read_metadata(path: Path) -> dict[str, Any]:
    """Return `config`, `examples_seen` and `scores` of a model file.

    Raises:
        CheckpointError: the file cannot be read, is damaged, or is no model file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        if metadata.get("ganlab") != "model":
            raise ValueError("it holds no model of ganlab")
        if len(metadata.get("config", "")) > MOST_CONFIG:
            raise ValueError(f"its configuration has more than {MOST_CONFIG:,} characters")
        config, scores = (parse_json(metadata.get(key, "")) for key in ("config", "scores"))
        if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
            raise ValueError("its configuration names no model")
        if not isinstance(scores, dict) or not all(map(_is_score, scores.values())):
            raise ValueError("its scores are damaged")
        seen = metadata.get("examples_seen", "")
        if not (seen.isdecimal() and len(seen) <= 18) or len(scores) > 500:
            raise ValueError("its numbers are damaged")
    except (OSError, SafetensorError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise CheckpointError(
            f"run: {path} cannot be read as a model: {reason}. Give a run's folder, or a file "
            "that `ganlab export format=model` wrote."
        ) from error
    return {"config": config, "scores": scores, "examples_seen": int(seen)}


@contextmanager
def _at_most(parameters: int) -> Iterator[None]:
    """Within the block, raise a ValueError once modules get more parameters than a number."""
    made = count(1)

    def check(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if next(made) > parameters:
            raise ValueError("it describes more layers than it holds")

    hook = register_module_parameter_registration_hook(check)
    try:
        yield
    finally:
        hook.remove()


def _is_score(score: Any) -> bool:
    if not isinstance(score, dict) or not isinstance(score.get("protocol"), dict):
        return False
    return isinstance(score.get("value"), (int, float))


def described(path: Path) -> str:
    """Return a line for users: how a model file was made, and its first score with the protocol."""
    metadata = read_metadata(path)
    parts = [f"{path.stem}: {metadata['config'].get('name')}"]
    parts.append(f"{metadata['examples_seen']:,} examples")
    for name, score in [*metadata["scores"].items()][:1]:
        parts.append(f"{name} {score['value']:.3g} ({score['protocol'].get('protocol')})")
    return one_line(", ".join(parts))


def read_model(path: Path, trust: bool = False) -> AdversarialModule:
    """Return the model of a model file, in evaluation mode on the CPU, in float32.

    Args:
        path: the file.
        trust: whether its configuration may name classes that are not part of ganlab.

    Raises:
        CheckpointError: the file is damaged, is no model file, or its tensors do not fit.
        RunError: its configuration names what may not be built, see `ganlab.record.stored`.
    """
    from safetensors.torch import load_file

    metadata = read_metadata(path)
    config = metadata["config"]
    if path == packaged().get(path.stem):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != HASHES[path.stem]:
            raise CheckpointError(
                f"run: {path} is not the file that ganlab came with. Reinstall ganlab."
            )
    if not trust:
        check_stored(config, f"run: {path}", path.parent)
    tensors = load_file(path)
    try:
        # on the meta device, a configuration of huge networks takes no memory
        with torch.device("meta"), _at_most(2 * len(tensors) + 1000):
            wanted = build_module(config).state_dict()
        kinds = {name: (t.shape, t.is_floating_point()) for name, t in tensors.items()}
        if kinds != {name: (t.shape, t.is_floating_point()) for name, t in wanted.items()}:
            raise ValueError("its tensors are not those of the model that it describes")
        if not all(tensor.isfinite().all() for tensor in tensors.values()):
            raise ValueError("its weights are not finite")
        module = build_module(config)
    except (ConfigError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as e:
        reason = str(e).partition("\n")[0].rstrip(".")
        raise CheckpointError(
            f"run: {path} cannot be used as a model: {reason}. Put back a copy of it."
        ) from e
    module.load_state_dict(tensors)  # converts to float32
    module.examples_seen = metadata["examples_seen"]
    return module.eval()
