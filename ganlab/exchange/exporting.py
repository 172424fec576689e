"""Writes a run's networks for other programs, and checks the files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from torch import Tensor, nn

from ganlab.core import AdversarialModule, Translates
from ganlab.errors import ConfigError, first_few, one_of
from ganlab.exchange.graphs import WRITERS, as_used, example_inputs
from ganlab.exchange.public_files import ROLES, read_tensors
from ganlab.exchange.public_layout import read_public, write_public
from ganlab.files import atomic

TOLERANCE = 1e-3  # largest difference of outputs in [-1, 1] between the network and its graph


def generator_of(module: AdversarialModule, direction: str | None) -> str:
    """Return the name of the submodule that samples, or that translates in a direction.

    Raises:
        ConfigError: the direction is unknown, the model does not translate but a direction is
            given, or the model has no generator.
    """
    if isinstance(module, Translates):
        return module.direction(direction).generator
    if direction is not None:
        raise ConfigError(
            f"direction: received {direction!r}; {type(module).__name__} does not translate. "
            "Leave it out."
        )
    if "generator" not in dict(module.named_children()):
        raise ConfigError(f"run: holds a {type(module).__name__}, which has no generator.")
    return "generator"


def network_of(module: AdversarialModule, name: str, ema: bool) -> nn.Module:
    """Return a submodule; with `ema`, its copy with EMA weights if there is one."""
    return module.averaged[name] if ema and name in module.averaged else module.get_submodule(name)


def export_public(module: AdversarialModule, folder: Path, ema: bool = True) -> list[str]:
    """Write all networks in the layout of `public_layout`, and read them back.

    Args:
        module: a CycleGAN or pix2pix.
        folder: where latest_net_G_A.pth and so on are written.
        ema: whether to write EMA weights for networks that have them.

    Returns:
        A line for each network: its file, or why it is left out.

    Raises:
        ConfigError: `folder` is named like a file or holds other networks, the model is neither
            CycleGAN nor pix2pix, the layout cannot hold a generator, or a file read back differs
            from its network.
    """
    if folder.suffix == ".pth":
        raise ConfigError(f"out: received {folder}; pth writes several files, give a folder.")
    children = dict(module.named_children())
    model = "cyclegan" if "generator_ab" in children else "pix2pix"
    roles = {role: name for role, name in ROLES[model].items() if name in children}
    if not isinstance(module, Translates) or not roles:
        raise ConfigError(
            f"format: pth is the layout of CycleGAN and pix2pix; export a {type(module).__name__} "
            "as safetensors, torch_export or onnx."
        )
    states, lines = {}, []
    for role, name in roles.items():
        try:
            states[role] = write_public(network_of(module, name, ema))
        except ConfigError as error:
            if role.startswith("G"):
                raise
            # a discriminator: the authors' code translates without it
            lines.append(f"{name} is left out: {error}")
    paths = {role: folder / f"latest_net_{role}.pth" for role in states}
    if others := sorted(path.name for path in {*folder.glob("*.pth")} - {*paths.values()}):
        raise ConfigError(
            f"out: {folder} holds other networks ({first_few(others)}), which an import would mix "
            "with the exported ones. Name another folder, or remove them."
        )
    for role, state in states.items():
        path = paths[role]
        with atomic(path) as temporary:
            torch.save(state, temporary)
        network = network_of(module, roles[role], ema)
        _, _, read_back = read_public(read_tensors(path), str(path))
        _check_weights(path, network, read_back)
        lines.append(_describe(path, roles[role], state))
    return lines


def export_safetensors(module: AdversarialModule, name: str, path: Path, ema: bool = True) -> str:
    """Write one network as safetensors, with its configuration, and read it back.

    Args:
        module: the model.
        name: name of the submodule, see `generator_of`.
        path: the file to write.
        ema: whether to write EMA weights if the network has them.

    Returns:
        A line with the file and its number of tensors.

    Raises:
        ConfigError: the file read back differs from the network.
    """
    from safetensors.torch import load_file, save_file

    network = network_of(module, name, ema)
    tensors = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    metadata = {
        "network": json.dumps(module.config["model"].get(name)),
        "config": json.dumps(module.config),
        "module": name,
        "weights": "ema" if ema and name in module.averaged else "raw",
        "examples_seen": str(module.examples_seen),
    }
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata)
    _check_weights(path, network, load_file(path))
    return _describe(path, name, tensors)


def _describe(path: Path, name: str, tensors: dict[str, Tensor]) -> str:
    return f"{path}: {name}, {len(tensors)} tensors, read back without a difference"


def _check_weights(path: Path, network: nn.Module, read_back: dict[str, Tensor]) -> None:
    """Raise ConfigError unless a file holds the bytes of the network's tensors."""
    state = network.state_dict()
    equal = state.keys() == read_back.keys()
    if not equal or not all(_is_same(state[key].cpu(), read_back[key]) for key in state):
        raise ConfigError(f"{path}: read back, the file differs from the network; do not use it.")


def _is_same(a: Tensor, b: Tensor) -> bool:
    # compare bytes, since NaN != NaN
    pair = [x.contiguous().reshape(-1).view(torch.uint8) for x in (a, b)]
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(*pair)


def export_graph(
    module: AdversarialModule,
    name: str,
    path: Path,
    ema: bool = True,
    form: str = "onnx",
    size: tuple[int, int] | None = None,
) -> str:
    """Write one generator as a graph, and compare the graph's outputs with the network's.

    Args:
        module: the model.
        name: name of its generator, see `generator_of`.
        path: the file to write.
        ema: whether to write EMA weights if the generator has them.
        form: the format, a key of WRITERS: onnx or torch_export.
        size: height and width of a translator's input pictures; None for the size of the data.

    Returns:
        A line with the file, the shapes of its inputs, and the largest difference of the outputs.

    Raises:
        ConfigError: the format is unknown, `size` is given for a generator without input pictures,
            the outputs differ by more than TOLERANCE, or they hold NaN.
    """
    one_of("format", form, WRITERS)
    network = as_used(module, network_of(module, name, ema))
    inputs = example_inputs(module, network, name, size)
    with atomic(path) as temporary:
        run = WRITERS[form](network, inputs, temporary)
    shapes = " and ".join(
        f"{key} ({', '.join(['N', *map(str, x.shape[1:])])})" for key, x in inputs.items()
    )
    note = "; without the noise of dropout" if getattr(module, "dropout_at_test", False) else ""
    if run is None:
        return (
            f"{path}: {name} of {shapes}{note}; not compared with the network, since onnxruntime "
            "is not installed"
        )
    with torch.no_grad():
        # batch size 3: the graph was traced with batch size 2, but must support all sizes
        inputs = {key: torch.cat([x, x[:1].flip(-1)]) for key, x in inputs.items()}
        difference = (network(*inputs.values()) - run(inputs)).abs().max().item()
    if math.isnan(difference):
        raise ConfigError(f"run: {name} returns NaN; do not use {path}. Choose another checkpoint.")
    if not difference <= TOLERANCE:
        raise ConfigError(
            f"format: outputs of {path} differ from those of the run's {name} by "
            f"{difference:.1e}; do not use it. Export the network as safetensors."
        )
    return f"{path}: {name} of {shapes}{note}; max difference {difference:.1e}"
