"""Reads and writes public checkpoints, those of the code pytorch-CycleGAN-and-pix2pix.

Each file is a bare state dict of one network. The network's class, sizes and norm, and the dropout
of ResNet blocks, follow from the names and shapes of the tensors:

    ResNet    model.{1, 4, 7}, model.10.conv_block.{1, 5} …, model.{19, 22, 26}; with dropout {1, 6}
    U-Net     model.model.0, model.model.1.model.1, model.model.1.model.3.model.1 …
    PatchGAN  model.{0, 2, 5, 8, 11}
    PixelGAN  net.{0, 2, 5}

Older files hold running statistics of instance norms, which no code uses; they are dropped. In
networks without a norm, ganlab's convolutions have biases that the public networks lack: they are
zero after reading, and only networks where they are zero can be written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ganlab.errors import CheckpointError, ConfigError
from ganlab.networks.translation.patchgan import PatchGAN, PixelGAN
from ganlab.networks.translation.resnet import ResNetGenerator
from ganlab.networks.translation.unet import UNetGenerator

State = dict[str, Tensor]
GENERATORS = (ResNetGenerator, UNetGenerator)
PREFIXES = ("module.", "_orig_mod.")  # of names, from DataParallel and torch.compile
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
LAYOUTS = """  ResNet generator (6, 9 or any number of blocks)
    model.1.weight, model.4.weight, model.7.weight, model.10.conv_block.1.weight, …
  U-Net generator (any depth)
    model.model.0.weight, model.model.1.model.1.weight, model.model.1.model.3.model.1.weight, …
  PatchGAN discriminator (any number of layers)
    model.0.weight, model.2.weight, model.5.weight, …
  PixelGAN discriminator
    net.0.weight, net.2.weight, net.5.weight"""


def read_public(state: Mapping[str, Any], name: str) -> tuple[type[nn.Module], dict, State]:
    """Return the class, arguments and state of the network in a public state dict.

    Args:
        state: maps names to tensors.
        name: the file's name, for errors.

    Returns:
        The network's class, its constructor's arguments, and its state dict with ganlab's names.
        Files do not show a U-Net's `dropout`: it is set as in the authors' code. A U-Net's `size`
        is the size at which its bottleneck has one pixel.

    Raises:
        CheckpointError: `state` holds other values than tensors, or fits no known network.
    """
    public = _clean(state, name)
    try:
        cls, arguments = _recognise(public)
        with torch.device("meta"):
            empty = cls(**arguments)
        names, left_out = public_names(empty), _biases_left_out(empty)
    except (LookupError, TypeError, ValueError):  # a tensor is missing or has an impossible shape
        raise _unknown(public, name) from None
    ours: State = {}
    for key, expected in empty.state_dict().items():
        tensor = public.pop(names[key], None)
        if tensor is None and (key in left_out or key.endswith("num_batches_tracked")):
            tensor = torch.zeros(expected.shape, dtype=expected.dtype)
        if tensor is None or tensor.shape != expected.shape:
            raise CheckpointError(
                f"{name}: looks like a {cls.__name__} with {_list_arguments(arguments)}, "
                f"which has {names[key]} of shape {tuple(expected.shape)}; found "
                f"{'none' if tensor is None else tuple(tensor.shape)}."
            )
        ours[key] = tensor.to(expected.dtype)
    if public:
        raise CheckpointError(
            f"{name}: looks like a {cls.__name__} with {_list_arguments(arguments)}, but has "
            f"{len(public)} more tensors, such as {', '.join(list(public)[:3])}."
        )
    return cls, arguments, ours


def write_public(network: nn.Module) -> State:
    """Return a network's state dict in the public layout, as contiguous copies on the CPU.

    Raises:
        ConfigError: the layout does not support this network.
    """
    names = public_names(network)
    state = network.state_dict()
    for key in _biases_left_out(network):
        if state.pop(key).any():
            raise ConfigError(
                "format: the public layout has no biases in networks without a norm, but this "
                "network has biases other than 0. Export it as safetensors."
            )
    return {
        names[key]: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, tensor in state.items()
    }


def public_names(network: nn.Module) -> dict[str, str]:
    """Return a dict from ganlab's names of the tensors in a state dict to their public names.

    Raises:
        ConfigError: the layout does not support this network.
    """
    keys = network.state_dict().keys()
    if isinstance(network, ResNetGenerator) and network.upsampling == "transposed":
        return {key: f"model{key[6:].replace('.layers.', '.conv_block.')}" for key in keys}
    if isinstance(network, UNetGenerator):
        return {key: _name_in_unet(key, network.depth) for key in keys}
    if isinstance(network, PatchGAN) and network.padding == 1:
        return {key: _name_in_patchgan(key) for key in keys}
    if isinstance(network, PixelGAN):
        return {key: f"net{key[6:]}" for key in keys}
    raise ConfigError(
        f"format: the public layout does not support this {type(network).__name__}, only "
        "ResNetGenerator (upsampling transposed), UNetGenerator, PatchGAN (padding 1) and "
        "PixelGAN. Export the network as safetensors."
    )


def _name_in_unet(key: str, depth: int) -> str:
    """Return the public name of ganlab's `key`: down.<stage>.<layer>.… or up.<stage>.<layer>.…"""
    path, stage, layer, rest = key.split(".")
    level = int(stage) if path == "down" else depth - 1 - int(stage)
    if level == 0:
        index = {"down": 0, "up": 3}[path]
    elif level == depth - 1:
        index = {"down": 1, "up": 3}[path] + int(layer)
    else:
        index = {"down": 1, "up": 5}[path] + int(layer)
    return f"{_level_of_unet(level)}.model.{index}.{rest}"


def _level_of_unet(level: int) -> str:
    """Return the public name of a level: 0 is the outermost, depth − 1 the innermost."""
    return "model" + (".model.1" + ".model.3" * (level - 1) if level else "")


def _name_in_patchgan(key: str) -> str:
    stage, rest = key.removeprefix("stages.").split(".", 1)
    if rest.count("."):
        layer, rest = rest.split(".")
    else:  # the last convolution is a stage of its own, without an index
        layer = "0"
    return f"model.{max(3 * int(stage) - 1, 0) + int(layer)}.{rest}"


def _biases_left_out(network: nn.Module) -> set[str]:
    """Return ganlab's names of the biases that the public network lacks.

    With norm none, the public convolutions have no bias where a norm layer would follow.
    """
    if network.norm != "none":
        return set()
    kept = {
        ResNetGenerator: lambda: [f"layers.{len(network.layers) - 1}.bias"],
        UNetGenerator: lambda: [f"up.{network.depth - 1}.0.bias"],
        PatchGAN: lambda: ["stages.0.0.bias", f"stages.{network.layers + 1}.bias"],
        PixelGAN: lambda: ["stages.0.bias"],
    }
    cls = next(cls for cls in kept if isinstance(network, cls))
    biases = {key for key in network.state_dict() if key.endswith(".bias")}
    return biases.difference(kept[cls]())


def _recognise(state: State) -> tuple[type[nn.Module], dict[str, Any]]:
    """Return the class and the arguments that the names imply; raise LookupError if none do."""
    if any(".conv_block." in key for key in state):
        return ResNetGenerator, _resnet(state)
    if "model.model.0.weight" in state:
        return UNetGenerator, _unet(state)
    if "net.0.weight" in state:
        features, inputs = state["net.0.weight"].shape[:2]
        norm = _norm("net.3.weight" in state, "net.2.bias" in state)
        return PixelGAN, {"in_channels": inputs, "features": features, "norm": norm}
    features, inputs = state["model.0.weight"].shape[:2]
    last = max(int(key.split(".")[1]) for key in state)
    norm = _norm("model.3.weight" in state, "model.2.bias" in state)
    return PatchGAN, {
        "in_channels": inputs,
        "features": features,
        "layers": (last - 2) // 3,
        "norm": norm,
    }


def _resnet(state: State) -> dict[str, Any]:
    blocks = {int(m[1]) for key in state if (m := re.match(r"model\.(\d+)\.conv_block\.", key))}
    first, last = min(blocks), max(int(key.split(".")[1]) for key in state)
    features, inputs = state["model.1.weight"].shape[:2]
    return {
        "in_channels": inputs,
        "out_channels": state[f"model.{last}.weight"].shape[0],
        "features": features,
        "blocks": len(blocks),
        "downsamplings": (first - 4) // 3,
        "norm": _norm("model.2.weight" in state, "model.1.bias" in state),
        "dropout": f"model.{first}.conv_block.6.weight" in state
        and state[f"model.{first}.conv_block.6.weight"].dim() == 4,
    }


def _unet(state: State) -> dict[str, Any]:
    depth = 1
    while f"{_level_of_unet(depth)}.model.1.weight" in state:
        depth += 1
    features, inputs = state["model.model.0.weight"].shape[:2]
    innermost = _level_of_unet(depth - 1)
    return {
        "size": 2**depth,
        "in_channels": inputs,
        "out_channels": state["model.model.3.weight"].shape[1],
        "features": features,
        "depth": depth,
        "norm": _norm(f"{innermost}.model.4.weight" in state, "model.model.0.bias" in state),
        "dropout": list(range(1, depth - 4)),  # as in the authors' code: not in the innermost level
    }


def _norm(has_weights: bool, has_biases: bool) -> str:
    """Return the kind of norm from whether norms have weights and convolutions have biases.

    Only batch norms have weights; only convolutions before instance norms have biases.
    """
    return "batch" if has_weights else "instance" if has_biases else "none"


def _clean(state: Mapping[str, Any], name: str) -> State:
    """Return the tensors without wrappers' prefixes and without statistics of instance norms."""
    if not isinstance(state, Mapping) or not state:
        raise CheckpointError(
            f"{name}: holds {type(state).__name__} instead of names and tensors of one network."
        )
    if others := [str(k) for k, v in state.items() if not isinstance(v, Tensor)]:
        raise CheckpointError(
            f"{name}: holds more than tensors ({', '.join(others[:5])}); expected the bare state "
            f"dict of one network, with names as in\n{LAYOUTS}"
        )
    state = {str(key): tensor for key, tensor in state.items()}
    for prefix in PREFIXES:
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return {
        key: tensor
        for key, tensor in state.items()
        if not (key.endswith(STATISTICS) and f"{key.rpartition('.')[0]}.weight" not in state)
    }


def _list_arguments(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in arguments.items())


def _unknown(state: State, name: str) -> CheckpointError:
    listed = "\n".join(f"    {key} {tuple(tensor.shape)}" for key, tensor in [*state.items()][:5])
    return CheckpointError(
        f"{name}: its {len(state)} tensors fit no known network. Found\n{listed}\n    …\n"
        f"Expected one of\n{LAYOUTS}"
    )
