"""Checks of a whole configuration, without reading data or training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ganlab.config.precision import PRECISIONS
from ganlab.config.targets import check_numbers
from ganlab.config.values import METRICS_MEMORY, memory
from ganlab.errors import ConfigError, nearest, one_of

SCALARS = {
    "seed": int,
    "log_every": int,
    "threads": int,
    "compile": bool,
    "resume": bool,
    "dry_run": bool,
    "name": str,
    "memory_format": str,
    "discriminator_norm": str,
}
# callbacks that change the model come first, callbacks that save it last
CALLBACKS = ("ema", "evaluation", "doctor", "samples", "progress", "checkpoints", "export")
CHOICES = {"memory_format": ("channels_last", "contiguous")}


def check(config: dict[str, Any]) -> tuple[Any, Any]:
    """Check a plain configuration; return the game (on the meta device) and the data module.

    For a lesson (the figure and numbers of a lecture), both are None.

    Raises:
        ConfigError: the first error that is found.
    """
    check_numbers(config)
    _check_scalars(config)
    if config.get("lesson"):
        check_lesson(config)
        return None, None
    from ganlab.config.targets import check_targets

    for group in ("model", "data", "budget", "trainer"):
        needed = "accelerator" if group == "trainer" else "_target_"
        if needed not in (config.get(group) or {}):
            raise ConfigError(
                f"{group}.{needed}: missing. Leave out the argument that removes it: ~{group}, "
                f"{group}=null or ~{group}.{needed}."
            )
    sections = {k: v for k, v in config.items() if k != "choices"}
    players = config["model"].get("players")
    bound = ("players", "phases")  # not arguments of the model
    sections["model"] = {k: v for k, v in config["model"].items() if k not in bound}
    loss = {k for k, v in (config.get("loss") or {}).items() if v is not None}
    check_targets(sections, given={"model": tuple(loss)})
    check_targets(players, "model.players")
    _check_loss(config, loss)
    _check_trainer(config["trainer"], config)

    import torch

    from ganlab.core.build import build_module, make

    data = make(config["data"])
    if _is_conditional(config) and data.classes is None:
        raise ConfigError(
            "model: is conditional, but the data has no labels. Choose data with classes, or an "
            "unconditional model (model=dcgan, model=mlp)."
        )
    without_norms = config | {"loss": _without_spectral_norm(config.get("loss") or {})}
    with torch.device("meta"):
        module = build_module(without_norms)
    module.check_data(data.shapes, data.provides)
    module.configure_optimizers()
    _check_schedules(without_norms)
    if config.get("compile") and not module.can_compile:
        raise ConfigError(
            f"compile: {type(module).__name__} calls parts of its networks, but only whole "
            "networks can be compiled. Set compile=false."
        )
    make(config["budget"], "budget")
    callbacks = config.get("callbacks") or {}
    for name in callbacks:
        one_of("callbacks", name, CALLBACKS)
    protocol = (callbacks.get("evaluation") or {}).get("protocol")
    if protocol is not None and "_target_" not in protocol:
        raise ConfigError("protocol._target_: missing. Choose a protocol with protocol=NAME.")
    made = {name: _callback(name, c) for name, c in callbacks.items() if c and "_target_" in c}
    if "ema" in made:
        module.start_averaging()
    names: tuple[str, ...] = ()
    if "evaluation" in made:
        made["evaluation"].protocol.check(module, data)
        names = made["evaluation"].protocol.names
    monitor = (callbacks.get("checkpoints") or {}).get("monitor")
    pattern = str(monitor).rpartition("/")[0] + "/*"  # a group of scores, e.g. one for each class
    if monitor is not None and monitor not in names and pattern not in names:
        _check_root(config["data"])  # the first mistake of who replaces an experiment's data
        raise ConfigError(
            f"callbacks.checkpoints.monitor: received {monitor!r}; the evaluation gives "
            f"{', '.join(names) or 'no scores'}.{nearest(monitor, list(names))} Choose another "
            "score or protocol, or set callbacks.checkpoints.monitor=null."
        )
    return module, data


def _check_schedules(config: dict[str, Any]) -> None:
    """Build the game as its schedules' smallest and largest values make it.

    Raises:
        ConfigError: a constructor or an optimizer refuses such a value.
    """
    import torch

    from ganlab.core.build import build_module, make
    from ganlab.core.schedule import is_schedule

    def at(node: Any, which: int) -> Any:
        if is_schedule(node):
            bounds = make(node).bounds
            return node if bounds is None else bounds[which]
        if isinstance(node, dict):
            return {key: at(value, which) for key, value in node.items()}
        return [at(value, which) for value in node] if isinstance(node, list) else node

    for which in (0, 1):
        if (reached := at(parts := {k: config.get(k) for k in ("model", "loss")}, which)) != parts:
            try:
                with torch.device("meta"):
                    build_module(config | reached).configure_optimizers()
            except ConfigError as error:
                raise ConfigError(f"{error} A schedule reaches this value.") from None


def _is_conditional(config: dict[str, Any]) -> bool:
    generator = config["model"].get("generator")
    return isinstance(generator, dict) and "classes" in generator


def _without_spectral_norm(loss: dict[str, Any]) -> dict[str, Any]:
    """Return the loss without spectral norm, which takes seconds to build on the meta device."""
    regularizers = {
        name: value
        for name, value in (loss.get("regularizers") or {}).items()
        if not (value and value.get("_target_") == "ganlab.regularizers.SpectralNorm")
    }
    return loss | {"regularizers": regularizers} if "regularizers" in loss else loss


def _callback(name: str, config: dict[str, Any]) -> Any:
    from ganlab.core.build import make

    try:
        return make(config)
    except ConfigError as error:
        is_short = str(error).startswith(f"{name}.")
        raise ConfigError(f"callbacks.{error}" if is_short else str(error)) from None


def _check_root(data: dict[str, Any]) -> None:
    root = data.get("root")
    if root and not data.get("download") and not Path(os.path.expanduser(root)).exists():
        raise ConfigError(f"data.root: there is no {root}; give the folder of the data.")


def _check_scalars(config: dict[str, Any]) -> None:
    for key, needed_type in SCALARS.items():
        value = config.get(key)
        if value is not None and (
            not isinstance(value, needed_type) or (needed_type is int and isinstance(value, bool))
        ):
            needed = {int: "a whole number", bool: "true or false", str: "a text"}[needed_type]
            raise ConfigError(
                f"{key}: received {value!r} ({type(value).__name__}); needs {needed}."
            )
    for key, allowed in CHOICES.items():
        one_of(key, config.get(key), allowed)
    try:
        memory(config.get("metrics_memory", METRICS_MEMORY))
    except ValueError as error:
        raise ConfigError(f"metrics_memory: {error}.") from None
    if config.get("seed") is None or not 0 <= config["seed"] < 2**63:
        raise ConfigError(f"seed: received {config.get('seed')}; needs 0 … {2**63 - 1}.")
    if config.get("log_every", 50) is None:
        raise ConfigError("log_every: received null; needs 1 or more.")
    for name, logger in (config.get("logger") or {}).items():
        if not isinstance(logger, dict) or "_target_" not in logger:
            raise ConfigError(f"logger.{name}: received {logger!r}; needs a _target_.")
    for key in ("log_every", "threads"):
        if config.get(key) is not None and config[key] < 1:
            raise ConfigError(f"{key}: received {config[key]}; needs 1 or more.")


def _check_loss(config: dict[str, Any], parts: set[str]) -> None:
    from ganlab.config.targets import locate, parameters_of

    takes = parameters_of(locate(config["model"]["_target_"], "model"))
    adversarial = (config.get("loss") or {}).get("adversarial")
    if adversarial is not None and "_target_" not in adversarial:
        raise ConfigError("loss.adversarial._target_: missing. Choose a loss, e.g. loss=hinge.")
    if extra := sorted(part for part in parts if part not in takes):
        name = config["model"]["_target_"].rpartition(".")[2]
        raise ConfigError(
            f"loss.{extra[0]}: {name} has no argument {extra[0]!r}. Set loss=none regularizer=[]."
        )


def _check_trainer(trainer: dict[str, Any], config: dict[str, Any]) -> None:
    import torch

    accelerator, precision = trainer.get("accelerator"), str(trainer.get("precision"))
    available = {
        "gpu": torch.cuda.is_available(),
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    one_of("trainer.accelerator", accelerator, ("cpu", *available, "auto"))
    if not available.get(accelerator, True):
        raise ConfigError(
            f"trainer.accelerator: {accelerator} is not available (torch {torch.__version__} finds "
            "no such device). Use trainer=cpu, or install the torch build for your device."
        )
    _check_processes(trainer)
    if trainer.get("sync_batchnorm") and config.get("compile"):
        raise ConfigError(
            "compile: synchronised batch norm cannot be compiled; set compile=false or "
            "trainer.sync_batchnorm=false."
        )
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not any(available.values()))
    if precision == "16-mixed" and on_cpu:
        raise ConfigError(
            "precision: 16-mixed needs a GPU. On a CPU use auto, bf16-mixed or 32-true."
        )
    one_of("precision", precision, PRECISIONS)
    for role, player in (config["model"].get("players") or {}).items():
        if player is None:
            raise ConfigError(f"model.players.{role}: received null; give it an optimizer.")
        fused = (player.get("optimizer") or {}).get("fused")
        if precision == "16-mixed" and fused and player.get("gradient_clip") is not None:
            raise ConfigError(
                f"model.players.{role}: gradient_clip with 16-mixed needs an optimizer that is not "
                f"fused; set model.players.{role}.optimizer.fused=false, or use bf16-mixed."
            )


def _check_processes(trainer: dict[str, Any]) -> None:
    import torch

    from ganlab.ranks import devices_of

    devices, nodes, strategy = (trainer.get(key) for key in ("devices", "num_nodes", "strategy"))
    is_list = isinstance(devices, list) and devices and all(isinstance(d, int) for d in devices)
    is_number = str(devices) == "-1" or (str(devices).isdecimal() and int(devices) > 0)
    if not (is_list or is_number or devices == "auto"):
        raise ConfigError(
            f"trainer.devices: received {devices!r}; needs a number above 0, -1 for all GPUs of "
            "each machine, or a list of GPUs."
        )
    if nodes is not None and nodes < 1:
        raise ConfigError(f"trainer.num_nodes: received {nodes}; needs 1 or more.")
    accelerator, ranks = trainer.get("accelerator"), devices_of(trainer) * (nodes or 1)
    if accelerator == "cpu" and str(devices) == "-1":
        raise ConfigError("trainer.devices: received -1; give the number of processes on the CPU.")
    if accelerator in ("gpu", "cuda") and devices_of(trainer) > torch.cuda.device_count():
        raise ConfigError(
            f"trainer.devices: received {devices}; there are {torch.cuda.device_count()} GPUs."
        )
    if ranks > 1 and accelerator == "mps":
        raise ConfigError(f"trainer.devices: received {devices}; mps supports one process.")
    if ranks > 1 and isinstance(strategy, str) and strategy in ("auto", "ddp"):
        raise ConfigError(
            f"trainer.strategy: received {strategy!r} for {ranks} processes; players that take "
            "turns need ddp_find_unused_parameters_true. Use trainer=ddp, ddp_cpu or multi_node."
        )


def check_lesson(config: dict[str, Any]) -> None:
    """Check the names and types of a lesson's arguments.

    Raises:
        ConfigError: the first error that is found.
    """
    from ganlab.config.targets import check_targets

    if not isinstance(config["lesson"], dict) or "_target_" not in config["lesson"]:
        raise ConfigError(
            "lesson: _target_ is missing; choose a lesson, e.g. experiment=lecture/dirac."
        )
    check_targets({"lesson": config["lesson"]})
    for group in ("model", "data", "loss", "callbacks", "logger"):
        if config.get(group):
            raise ConfigError(f"{group}: a lesson does not use it; leave it out.")
