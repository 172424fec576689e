"""Writes a run's networks for other programs, and checks what was written."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from torch import Tensor, nn

from ganlab.core import AdversarialModule
from ganlab.errors import ConfigError, one_of
from ganlab.exchange.graphs import WRITERS, as_used, example_inputs
from ganlab.exchange.public_files import ROLES, read_tensors
from ganlab.exchange.public_layout import read_public, write_public
from ganlab.files import atomic

TOLERANCE = 1e-3  # of numbers in [-1, 1], between programs


def generator_of(module: AdversarialModule, direction: str | None) -> str:
    """The submodule that makes samples, or translates in a direction.

    Raises:
        ConfigError: an unknown direction, one for a model that has none, or no generator.
    """
    if hasattr(module, "directions"):
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
    """A submodule, averaged where it can be."""
    return module.averaged[name] if ema and name in module.averaged else module.get_submodule(name)


def export_public(module: AdversarialModule, folder: Path, ema: bool = True) -> list[str]:
    """Write all networks in the public layout of CycleGAN and pix2pix, and read them back.

    Args:
        module: of CycleGAN or pix2pix.
        folder: for latest_net_G_A.pth and so on.
        ema: averaged weights where there are some.

    Returns:
        A line for each network: its file, or why it is left out.

    Raises:
        ConfigError: a file in place of a folder, networks that the layout cannot hold, or a file
            that does not hold what was written.
    """
    if folder.suffix == ".pth":
        raise ConfigError(f"out: received {folder}; pth writes several files, give a folder.")
    children = dict(module.named_children())
    kind = "cyclegan" if "generator_ab" in children else "pix2pix"
    roles = {role: name for role, name in ROLES[kind].items() if name in children}
    if not hasattr(module, "directions") or not roles:
        raise ConfigError(
            f"format: pth is the layout of CycleGAN and pix2pix; a {type(module).__name__} goes "
            "to safetensors, torch_export or onnx."
        )
    states, lines = {}, []
    for role, name in roles.items():
        try:
            states[role] = write_public(network_of(module, name, ema))
        except ConfigError as error:
            if role.startswith("G"):
                raise
            # the public code needs none to translate
            lines.append(f"{name} is left out: {error}")
    for role, state in states.items():
        path = folder / f"latest_net_{role}.pth"
        with atomic(path) as temporary:
            torch.save(state, temporary)
        network = network_of(module, roles[role], ema)
        _, _, back = read_public(read_tensors(path), str(path))
        _check_weights(path, network, back)
        lines.append(_describe(path, roles[role], state))
    return lines


def export_safetensors(module: AdversarialModule, name: str, path: Path, ema: bool = True) -> str:
    """Write one network as safetensors, with its configuration, and read it back.

    Args:
        module: the model.
        name: of the network, see `generator_of`.
        path: the file.
        ema: averaged weights where there are some.

    Returns:
        A line: the file and its number of tensors.

    Raises:
        ConfigError: the file does not hold what was written.
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


def _check_weights(path: Path, network: nn.Module, back: dict[str, Tensor]) -> None:
    """Stop unless a file holds the network's very tensors, to the byte."""
    own = network.state_dict()
    if own.keys() != back.keys() or not all(_is_same(own[key].cpu(), back[key]) for key in own):
        raise ConfigError(f"{path}: what was written is not what is read back; do not use it.")


def _is_same(a: Tensor, b: Tensor) -> bool:
    # NaN is not equal to itself, its bytes are
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
    """Write one generator as a graph, and compare what it computes with the network.

    Args:
        module: the model.
        name: of its generator, see `generator_of`.
        path: the file.
        ema: averaged weights where there are some.
        form: one of WRITERS: onnx or torch_export.
        size: height and width of a translation's pictures, the data's for None.

    Returns:
        A line: the file, the shapes of its inputs, and by how much the two differ.

    Raises:
        ConfigError: another form, a size for a generator that takes none, or a graph that computes
            something else or NaN.
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
        return f"{path}: {name} of {shapes}{note}; not checked: pip install onnxruntime"
    with torch.no_grad():
        # of three, where the graph was made of two
        inputs = {key: torch.cat([x, x[:1].flip(-1)]) for key, x in inputs.items()}
        difference = (network(*inputs.values()) - run(inputs)).abs().max().item()
    if math.isnan(difference):
        raise ConfigError(f"run: {name} makes NaN; do not use {path}. Choose another checkpoint.")
    if not difference <= TOLERANCE:
        raise ConfigError(
            f"format: {path} computes something else than the run's {name} (by {difference:.1e}); "
            "do not use it. Export it as safetensors."
        )
    return f"{path}: {name} of {shapes}{note}; max difference {difference:.1e}"
