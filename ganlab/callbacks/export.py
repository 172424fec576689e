"""Writes a trained network as a safetensors file, with the origin of its weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer

from ganlab.core import AdversarialModule
from ganlab.errors import one_of
from ganlab.files import atomic, check_name
from ganlab.record.machine import git_commit

# keys of the configuration that the hash leaves out
IGNORED = (
    "run",
    "run_dir",
    "resume",
    "logger",
    "trainer",
    "choices",
    "threads",
    "metrics_memory",
    "name",
    "callbacks",
)


class ExportWeights(Callback):
    """Writes `<name>.safetensors` at the end of the run.

    The file holds the EMA weights if the network is averaged, else the raw weights. Its metadata
    holds the newest scores, but not those of single classes or directions, and hashes of the
    configuration and of the training data.

    Args:
        folder: the run's folder.
        module: name of the submodule to export.
        name: name of the file, without its ending.

    Raises:
        ConfigError: the name is no plain name, or the model has no such submodule.
    """

    def __init__(self, folder: str, module: str, name: str) -> None:
        self.path = Path(folder) / f"{check_name('export.name', name)}.safetensors"
        self.module = module

    def on_train_end(self, trainer: Trainer, pl_module: AdversarialModule) -> None:
        """Write the file."""
        from safetensors.torch import save_file

        if not trainer.is_global_zero:
            return
        children = dict(pl_module.named_children())
        one_of("export.module", self.module, children)
        averaged = self.module in pl_module.averaged
        network = pl_module.averaged[self.module] if averaged else children[self.module]
        metadata = {
            "weights": "ema" if averaged else "raw",
            "examples_seen": str(pl_module.examples_seen),
            "config_hash": config_hash(pl_module.config or {}),
            "train_data_hash": trainer.datamodule.content_hash("train"),
            "git_commit": str(git_commit()),
            "scores": json.dumps(
                {k: v for k, v in pl_module.latest.items() if "/" not in k and "." not in k}
            ),
        }
        tensors = {
            k: v.cpu().contiguous()
            for k, v in network.state_dict().items()
            if not k.endswith("num_batches_tracked")
        }
        with atomic(self.path) as temporary:
            save_file(tensors, temporary, metadata)


def config_hash(config: dict[str, Any]) -> str:
    """Return 16 hex digits of the SHA-256 of the settings of model, data, losses and budget.

    The order of keys, the keys in `IGNORED`, and `data.root` and `data.download` do not matter.
    Some ignored settings do change the weights, such as `trainer.precision` and `callbacks.ema`.
    """
    kept = {k: v for k, v in config.items() if k not in IGNORED}
    if kept.get("data"):
        kept["data"] = {k: v for k, v in kept["data"].items() if k not in ("root", "download")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()[:16]
