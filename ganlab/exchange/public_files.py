"""Finds and reads public checkpoints, those of the code pytorch-CycleGAN-and-pix2pix."""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganlab.config.values import boolean
from ganlab.errors import CheckpointError, ConfigError, one_of
from ganlab.reading import check_extent

if TYPE_CHECKING:
    from torch import Tensor, nn

# role in a file's name to submodule; in the authors' code, D_A is the discriminator of domain B
ROLES = {
    "cyclegan": {
        "G_A": "generator_ab",
        "G_B": "generator_ba",
        "D_A": "discriminator_b",
        "D_B": "discriminator_a",
    },
    "pix2pix": {"G": "generator", "D": "discriminator"},
}
DIRECTIONS = {"a_to_b": "generator_ab", "b_to_a": "generator_ba"}
# argument of `ganlab import` to the models that need it
USES = {
    "objective": "a pix2pix",
    "direction": "a pix2pix, and for a CycleGAN's only generator that is not called G_A or G_B",
    "dropout": "U-Nets with dropout",
}
FILE = re.compile(r"(?:(?P<epoch>.+)_)?net_(?P<role>[GD](?:_[AB])?)\.pth")


@dataclass
class Network:
    """A public file, the configuration of its network, and the weights under ganlab's names."""

    file: Path
    config: dict[str, Any]
    state: dict[str, Tensor]


def find_files(paths: list[Path], epoch: str) -> list[Path]:
    """Return the checkpoint files among `paths`: files as given, and a folder's files of one epoch.

    If epoch is "latest" and a folder has no such files, its files without an epoch (net_G.pth) are
    taken.

    Raises:
        CheckpointError: a path is missing, or a folder has no file of the epoch.
    """
    files = []
    for path in paths:
        if path.is_file():
            files.append(path)
            continue
        inside = sorted(path.glob("*.pth")) if path.is_dir() else []
        named = [(match, file) for file in inside if (match := FILE.fullmatch(file.name))]
        chosen = [file for match, file in named if match["epoch"] == epoch]
        if not chosen and epoch == "latest":
            chosen = [file for match, file in named if match["epoch"] is None]
        if not chosen:
            epochs = sorted({match["epoch"] for match, _ in named if match["epoch"]})
            listed = "\n  ".join(file.name for file in inside[:10]) or "no .pth files"
            advice = f"Choose epoch={'|'.join(epochs)}." if epochs else "Give the files by name."
            if not path.exists():
                listed, advice = "no such file or folder", "Check the path."
            raise CheckpointError(
                f"{path}: no checkpoint of epoch {epoch}. Expected\n"
                f"  {epoch}_net_G.pth (and {epoch}_net_D.pth), or\n"
                f"  {epoch}_net_G_A.pth, {epoch}_net_G_B.pth, …_D_A.pth, …_D_B.pth\n"
                f"Found\n  {listed}\n{advice}"
            )
        files += chosen
    return files


def read_networks(model: str, files: list[Path], options: dict[str, str]) -> dict[str, Network]:
    """Return a dict from the submodule that each file becomes to the network in the file.

    Args:
        model: cyclegan or pix2pix.
        files: the checkpoint files.
        options: arguments of `ganlab import`: direction, objective, dropout and others.

    Raises:
        CheckpointError: a file is unreadable, holds more than tensors, holds an unknown network or
            one that does not match the file's name, or has NaN or infinite numbers; two files hold
            the same submodule; or no file holds a generator.
        ConfigError: the direction is unknown, or an argument is given that these files do not need.
    """
    from ganlab.exchange.public_layout import GENERATORS, read_public

    networks: dict[str, Network] = {}
    needed = {"objective": model == "pix2pix", "direction": model == "pix2pix", "dropout": False}
    for file in files:
        network, arguments, state = read_public(read_tensors(file), str(file))
        _check_finite(file, network, arguments, state)
        is_generator = issubclass(network, GENERATORS)
        match = FILE.fullmatch(file.name)
        role = match["role"] if match else "G" if is_generator else "D"
        needed["direction"] |= role in ("G", "D")
        submodule = _submodule(model, role, file, options)
        if is_generator != (role[0] == "G"):
            raise CheckpointError(
                f"{file}: is called {role}, but holds a {network.__name__}. Name the files after "
                "their networks: latest_net_G.pth, latest_net_D.pth, …"
            )
        if submodule in networks:
            raise CheckpointError(
                f"{file}: holds the {submodule}, but so does {networks[submodule].file}; give only "
                "one of the two files."
            )
        if arguments.get("dropout") and isinstance(arguments["dropout"], list):
            needed["dropout"] = True
            arguments["dropout"] = _boolean("dropout", options) and arguments["dropout"]
        config = {"_target_": f"ganlab.networks.{network.__name__}", **arguments}
        networks[submodule] = Network(file, config, state)
    if not any(name.startswith("generator") for name in networks):
        raise CheckpointError(
            f"{', '.join(map(str, files))}: no file holds a generator; give latest_net_G.pth (or "
            "_G_A, _G_B) too."
        )
    for key, use in USES.items():
        if options.get(key) and not needed[key]:
            raise ConfigError(f"{key}: is for {use}; leave it out.")
    return networks


def _check_finite(
    file: Path, network: type[nn.Module], arguments: dict[str, Any], state: dict[str, Tensor]
) -> None:
    import torch

    from ganlab.exchange.public_layout import public_names

    bad = [name for name, tensor in state.items() if not tensor.isfinite().all()]
    if bad:
        with torch.device("meta"):
            names_in_file = public_names(network(**arguments))
        more = f" (and {len(bad) - 1} more tensors)" if len(bad) > 1 else ""
        raise CheckpointError(
            f"{file}: {names_in_file[bad[0]]}{more} holds NaN or infinite numbers: the training "
            "that wrote the file had diverged. Use a file of an earlier epoch."
        )


def read_tensors(file: Path) -> Any:
    """Return the content of a `.pth` file, which must hold only tensors in plain containers.

    Raises:
        CheckpointError: the file is missing, holds more than tensors, or is damaged.
    """
    import torch

    from ganlab.torch_files import check_torch_file

    try:
        check_torch_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
        check_extent(state, 1_000_000)
        return state
    except pickle.UnpicklingError as error:
        reason = next((x.strip() for x in str(error).splitlines() if "GLOBAL" in x), "no tensors")
        raise CheckpointError(
            f"{file}: holds more than tensors, and is not read, since that could run its code "
            f"({reason}). Expected the bare state dict of one network."
        ) from None
    except Exception as error:  # zip, pickle and torch raise many classes
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise CheckpointError(
            f"{file}: is no PyTorch file, or is damaged or cut short ({reason}). Expected the bare "
            "state dict of one network, written by torch.save; download or copy the file again."
        ) from error


def _submodule(model: str, role: str, file: Path, options: dict[str, str]) -> str:
    """Return the submodule for the role in a file's name, such as generator_ab for G_A."""
    direction = one_of("direction", options.get("direction") or "a_to_b", DIRECTIONS)
    roles = ROLES[model]
    if model == "cyclegan":  # the authors' pretrained models have a single generator, named G
        domain = direction[-1]
        roles = roles | {"G": DIRECTIONS[direction], "D": f"discriminator_{domain}"}
    if role not in roles:
        raise CheckpointError(
            f"{file}: is a network of a CycleGAN; use ganlab import cyclegan {file.parent}"
        )
    return roles[role]


def _boolean(key: str, options: dict[str, str]) -> bool:
    try:
        return boolean(options.get(key) or "true")
    except ValueError as error:
        raise ConfigError(f"{key}: {error}.") from None
