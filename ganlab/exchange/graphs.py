"""Writes generators as graphs that other programs can run."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn

from ganlab.core import AdversarialModule, Translates
from ganlab.errors import ConfigError
from ganlab.modalities import IMAGE

Run = Callable[[dict[str, Tensor]], Tensor]


def as_used(module: AdversarialModule, network: nn.Module) -> nn.Module:
    """Return a copy of a generator on the CPU that computes what the model computes after training.

    Dropout is off. Models such as pix2pix apply batch norm at test time with the statistics of each
    single picture; this equals instance norm, so these layers are replaced by instance norms.
    """
    network = deepcopy(network).cpu().eval().requires_grad_(False)
    network = network.to(memory_format=torch.contiguous_format)
    if getattr(module, "norm_at_test", "running") != "batch":
        return network
    for parent in list(network.modules()):
        for child, layer in parent.named_children():
            if isinstance(layer, nn.BatchNorm2d):
                norm = nn.InstanceNorm2d(layer.num_features, layer.eps, affine=layer.affine)
                norm.load_state_dict(dict(layer.named_parameters()))
                setattr(parent, child, norm.eval().requires_grad_(False))
    return network


def example_inputs(
    module: AdversarialModule, network: nn.Module, name: str, size: tuple[int, int] | None
) -> dict[str, Tensor]:
    """Return a batch of two random inputs for a generator: a dict from argument names to tensors.

    The names are "x" for a translator; else "z", with "label" for conditional models.

    Raises:
        ConfigError: `size` is given for a generator without input pictures, or the generator needs
            other inputs.
    """
    rng = torch.Generator()
    rng.manual_seed(0)
    if not isinstance(module, Translates):
        if size is not None:
            raise ConfigError(f"size: {name} makes samples of {network.shape}; leave it out.")
        inputs = {"z": torch.randn(2, network.latent, generator=rng)}
        if network.classes is not None:
            inputs["label"] = torch.arange(2) % network.classes
    else:
        side = (module.config.get("data") or {}).get("size")
        size = size or ((side, side) if isinstance(side, int) else tuple(side or (256, 256)))
        channels = getattr(network, "in_channels", 3)
        inputs = {"x": IMAGE.normalise(IMAGE.example((channels, *size)))}
    try:
        with torch.no_grad():
            network(*inputs.values())
    except (TypeError, NotImplementedError) as error:
        raise ConfigError(
            f"format: {name} is a {type(network).__name__}, which needs other inputs than "
            f"{' and '.join(inputs)} ({error}). Export it as safetensors."
        ) from None
    return inputs


def write_torch_export(network: nn.Module, inputs: dict[str, Tensor], path: Path) -> Run:
    """Write a graph for any batch size with torch.export; return a function that runs the file."""
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(
        network, tuple(inputs.values()), dynamic_shapes=tuple({0: batch} for _ in inputs)
    )
    with open(path, "wb") as file:  # as a path it would need the ending .pt2, or torch warns
        torch.export.save(program, file)
    with open(path, "rb") as file:
        loaded = torch.export.load(file).module()
    return lambda given: loaded(*given.values())


def write_onnx(network: nn.Module, inputs: dict[str, Tensor], path: Path) -> Run | None:
    """Write a graph for any batch size as ONNX.

    Returns:
        A function that runs the file, or None if onnxruntime is not installed.

    Raises:
        ConfigError: onnx or onnxscript is not installed.
    """
    if missing := [p for p in ("onnx", "onnxscript") if importlib.util.find_spec(p) is None]:
        raise ConfigError(
            f"format: onnx needs {' and '.join(missing)}; install them with pip install "
            "'ganlab[onnx]', or choose torch_export."
        )
    batch = torch.export.Dim("batch", min=1)
    torch.onnx.export(
        network,
        tuple(inputs.values()),
        path,
        input_names=list(inputs),
        output_names=["image"],
        dynamic_shapes=tuple({0: batch} for _ in inputs),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda given: torch.from_numpy(
        session.run(None, {key: x.numpy() for key, x in given.items()})[0]
    )


WRITERS = {"onnx": write_onnx, "torch_export": write_torch_export}
