"""Turns checkpoints of pytorch-CycleGAN-and-pix2pix into a run."""

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
    model: str,
    networks: dict[str, Network],
    options: dict[str, str],
    overrides: list[str],
    name: str,
    folder: Path,
) -> dict[str, Any]:
    """Return the plain, checked configuration of the run: an experiment with the files' networks.

    Args:
        model: cyclegan or pix2pix.
        networks: maps submodules to the files' networks, see `read_networks`.
        options: arguments of `ganlab import`: direction, objective, dropout and others.
        overrides: as in `ganlab train`; the default of experiment= is `model`.
        name: name of the run, unless an override sets it.
        folder: the run's folder.

    Raises:
        ConfigError: an override is wrong, or does not fit the networks.
        CheckpointError: the channels of the networks do not fit together.
    """
    keys = {text.partition("=")[0] for text in overrides}
    for key in keys:
        if key.startswith(tuple(f"model.{submodule}." for submodule in networks)):
            raise ConfigError(f"{key}: is read from the files, and cannot be chosen; leave it out.")
    config = compose(overrides if "experiment" in keys else [f"experiment={model}", *overrides])
    config.name, config.run_dir = config.name if "name" in keys else name, str(folder)
    for key, value in _implied_settings(model, networks, options).items():
        section, _, last = key.partition(".")
        if key not in keys and last in (config[section] or {}):
            config[section][last] = value
    is_rootless = "archive" in config.data and not (config.data.archive or config.data.root)
    if is_rootless:
        config.data.root = "."  # for `check`; users give data.root=DIR with later commands
    plain = to_plain(config)
    plain["model"] |= {submodule: network.config for submodule, network in networks.items()}
    if model == "cyclegan":
        for missing, given in (("generator_ab", "generator_ba"), ("generator_ba", "generator_ab")):
            if missing not in networks:
                other = networks[given].config
                channels = {
                    "in_channels": other["out_channels"],
                    "out_channels": other["in_channels"],
                }
                plain["model"][missing] = other | channels
    check(plain)
    if is_rootless:
        plain["data"]["root"] = None
    return plain


def _implied_settings(
    model: str, networks: dict[str, Network], options: dict[str, str]
) -> dict[str, Any]:
    """Return a dict from dotted keys to values: the settings that networks and options imply."""
    generator = next(n.config for name, n in networks.items() if name.startswith("generator"))
    inputs, outputs = generator["in_channels"], generator["out_channels"]
    settings: dict[str, Any] = {"data.channels": outputs}
    if generator.get("size"):
        settings["data.size"] = generator["size"]
    allowed = {outputs: "the generator's output"}
    if model == "pix2pix":
        allowed[inputs + outputs] = "its input and output together"
        settings["data.source_channels"] = inputs
        settings |= {f"data.{k}": options[k] for k in ("direction",) if options.get(k)}
        settings |= {f"model.{k}": options[k] for k in ("objective",) if options.get(k)}
    for name, network in networks.items():
        channels = network.config["in_channels"]
        if name.startswith("discriminator") and channels not in allowed:
            listed = ", or ".join(f"{n} ({what})" for n, what in allowed.items())
            raise CheckpointError(
                f"{network.file}: its input has {channels} channels; allowed {listed}. The files "
                f"are of different models, or not of a {model}."
            )
        if name == "discriminator":
            settings["model.conditional"] = channels != outputs
    return settings


def write_run(
    config: dict[str, Any], networks: dict[str, Network], folder: Path
) -> AdversarialModule:
    """Build the model, load the files' weights, write the run's folder, and return the model."""
    torch.manual_seed(config["seed"])
    module = build_module(config)
    for submodule, network in networks.items():
        if hasattr(module, submodule):  # some objectives have no discriminator
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
        record.write(status="interrupted")  # so that `ganlab train` can resume the run
    finally:
        record.close()
    return module


def _origin(file: Path) -> dict[str, str]:
    return {"file": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def summary(
    model: str,
    config: dict[str, Any],
    module: AdversarialModule,
    networks: dict[str, Network],
    folder: Path,
) -> str:
    """Return a text with the imported networks, and commands that use the run."""
    lines = []
    for name in ROLES[model].values():
        if not hasattr(module, name):
            continue
        network = module.get_submodule(name)
        facts = [f"{getattr(network, 'blocks', '')} blocks"] if hasattr(network, "blocks") else []
        facts += [f"{network.features} features", f"norm {network.norm}"]
        count = sum(p.numel() for p in network.parameters())
        source = networks[name].file if name in networks else "no file, initialized at random"
        lines.append(
            f"{name}: {type(network).__name__}, {', '.join(facts)}, {count:,} parameters; {source}"
        )
    has_only_b_to_a = model == "cyclegan" and DIRECTIONS["a_to_b"] not in networks
    direction = " direction=b_to_a" if has_only_b_to_a else ""
    root = " data.root=DIR" if config["data"].get("root", "none needed") is None else ""
    lines += [
        f"The run is in {folder}. Use it with",
        f"  ganlab translate run={folder} input=DIR output=DIR{direction}",
    ]
    if (config.get("callbacks") or {}).get("evaluation"):
        lines.append(f"  ganlab evaluate run={folder}{root}")
    return "\n".join([*lines, f"  ganlab train run={folder} resume=true{root}"])
