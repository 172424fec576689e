"""Makes a run of public CycleGAN and pix2pix checkpoints."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from ganlab.callbacks import Checkpoints
from ganlab.config.checks import check
from ganlab.config.compose import compose, to_plain
from ganlab.core import AdversarialModule
from ganlab.core.build import build_module
from ganlab.errors import CheckpointError, ConfigError
from ganlab.exchange.public_files import DIRECTIONS, ROLES, Network
from ganlab.record.run import RunRecord, write_config


def configure(
    kind: str,
    networks: dict[str, Network],
    own: dict[str, str],
    overrides: list[str],
    name: str,
    folder: Path,
) -> dict[str, Any]:
    """The plain, checked configuration of the run: the experiment's, with the files' networks.

    Raises:
        ConfigError: whatever is wrong with the overrides, or does not fit the networks.
    """
    keys = {text.partition("=")[0] for text in overrides}
    for key in keys:
        if key.startswith(tuple(f"model.{submodule}." for submodule in networks)):
            raise ConfigError(f"{key}: is read from the files, and cannot be chosen.")
    chosen = overrides if "experiment" in keys else [f"experiment={kind}", *overrides]
    config = compose(chosen)
    config.name, config.run_dir = config.name if "name" in keys else name, str(folder)
    for key, value in _facts(kind, networks, own).items():
        section, _, last = key.partition(".")
        if key not in keys and last in (config[section] or {}):
            config[section][last] = value
    is_rootless = "archive" in config.data and not (config.data.archive or config.data.root)
    if is_rootless:
        config.data.root = "."  # to check the rest; it comes with data.root=DIR when it is needed
    plain = to_plain(config)
    plain["model"] |= {submodule: network.config for submodule, network in networks.items()}
    if kind == "cyclegan":
        for missing, given in (("generator_ab", "generator_ba"), ("generator_ba", "generator_ab")):
            if missing not in networks:
                like = networks[given].config
                swapped = {"in_channels": like["out_channels"], "out_channels": like["in_channels"]}
                plain["model"][missing] = like | swapped
    check(plain)
    if is_rootless:
        plain["data"]["root"] = None
    return plain


def _facts(kind: str, networks: dict[str, Network], own: dict[str, str]) -> dict[str, Any]:
    """What the networks, and this command's arguments, say about data and game."""
    generator = next(n.config for name, n in networks.items() if name.startswith("generator"))
    inputs, outputs = generator["in_channels"], generator["out_channels"]
    facts: dict[str, Any] = {"data.channels": outputs}
    if generator.get("size"):
        facts["data.size"] = generator["size"]
    allowed = {outputs: "the generator's output"}
    if kind == "pix2pix":
        allowed[inputs + outputs] = "its input and output together"
        facts["data.source_channels"] = inputs
        facts |= {f"data.{k}": own[k] for k in ("direction",) if own.get(k)}
        facts |= {f"model.{k}": own[k] for k in ("objective",) if own.get(k)}
    for name, judge in networks.items():
        seen = judge.config["in_channels"]
        if name.startswith("discriminator") and seen not in allowed:
            listed = ", or ".join(f"{channels} ({what})" for channels, what in allowed.items())
            raise CheckpointError(
                f"{judge.file}: sees {seen} channels; allowed {listed}. The files are of different "
                "models, or of another kind than " + kind + "."
            )
        if name == "discriminator":
            facts["model.conditional"] = seen != outputs
    return facts


def write_run(
    config: dict[str, Any], networks: dict[str, Network], folder: Path
) -> AdversarialModule:
    """Build the game, give it the files' weights, and write the run's folder; returns the game."""
    torch.manual_seed(config["seed"])
    module = build_module(config)
    for submodule, network in networks.items():
        if hasattr(module, submodule):  # an objective may have no use for a discriminator
            module.get_submodule(submodule).load_state_dict(network.state)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.strategy.connect(module)
    trainer.strategy.optimizers = module.configure_optimizers()
    record = RunRecord(folder)
    try:
        record.start(
            config["name"],
            config["seed"],
            choices=config.get("choices"),
            baseline=config.get("baseline"),
            imported={name: _origin(network.file) for name, network in networks.items()},
        )
        write_config(folder, config)
        Checkpoints(str(folder)).save(trainer, module)
        record.write(status="interrupted")  # it can go on, and has not reached its budget
    finally:
        record.close()
    return module


def _origin(file: Path) -> dict[str, str]:
    return {"file": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def summary(
    kind: str,
    config: dict[str, Any],
    module: AdversarialModule,
    networks: dict[str, Network],
    folder: Path,
) -> str:
    """What was found in the files, and what to do with the run, for a reader."""
    lines = []
    for name in ROLES[kind].values():
        if not hasattr(module, name):
            continue
        network = module.get_submodule(name)
        facts = [f"{getattr(network, 'blocks', '')} blocks"] if hasattr(network, "blocks") else []
        facts += [f"{network.features} features", f"norm {network.norm}"]
        count = sum(p.numel() for p in network.parameters())
        source = str(networks[name].file) if name in networks else "drawn anew, no file holds it"
        lines.append(
            f"{name}: {type(network).__name__}, {', '.join(facts)}, {count:,} parameters; {source}"
        )
    is_second = kind == "cyclegan" and DIRECTIONS["a_to_b"] not in networks
    direction = " direction=b_to_a" if is_second else ""
    root = " data.root=DIR" if config["data"].get("root", "none needed") is None else ""
    lines += [
        f"The run is in {folder}. Use it with",
        f"  ganlab translate run={folder} input=DIR output=DIR{direction}",
    ]
    if (config.get("callbacks") or {}).get("evaluation"):
        lines.append(f"  ganlab evaluate run={folder}{root}")
    return "\n".join([*lines, f"  ganlab train run={folder} resume=true{root}"])
