"""The files of public CycleGAN and pix2pix checkpoints: which there are, and what is in them."""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganlab.config.values import boolean
from ganlab.errors import CheckpointError, ConfigError, one_of

if TYPE_CHECKING:
    from torch import Tensor, nn

# the submodule that each file holds; a public D_A judges domain B
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
USES = {
    "objective": "a pix2pix",
    "direction": "a pix2pix, and for a CycleGAN's only generator that is not called G_A or G_B",
    "dropout": "U-Nets with dropout",
}
FILE = re.compile(r"(?:(?P<epoch>.+)_)?net_(?P<role>[GD](?:_[AB])?)\.pth")


@dataclass
class Network:
    """What a public file holds: the file, the network's configuration, and its weights."""

    file: Path
    config: dict[str, Any]
    state: dict[str, Tensor]


def find_files(paths: list[Path], epoch: str) -> list[Path]:
    """The checkpoints' files: those of one epoch in a folder, or the files themselves.

    Where a folder has none of the latest epoch, files without an epoch (net_G.pth) are meant.

    Raises:
        CheckpointError: a path that is not there, or a folder without such files.
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
            there = sorted({match["epoch"] for match, _ in named if match["epoch"]})
            listed = "\n  ".join(file.name for file in inside[:10]) or "no .pth files"
            advice = f"Choose epoch={'|'.join(there)}." if there else "Give the files by name."
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


def read_networks(kind: str, files: list[Path], own: dict[str, str]) -> dict[str, Network]:
    """The networks in the files by the submodule that they become.

    Raises:
        CheckpointError: a file that cannot be read, holds more than tensors or another network, or
            networks that do not fit together.
        ConfigError: an unknown direction, or an argument that these files have no use for.
    """
    from ganlab.exchange.public_layout import GENERATORS, read_public

    networks: dict[str, Network] = {}
    has_use = {"objective": kind == "pix2pix", "direction": kind == "pix2pix", "dropout": False}
    for file in files:
        network, arguments, state = read_public(read_tensors(file), str(file))
        _check_finite(file, network, arguments, state)
        is_generator = issubclass(network, GENERATORS)
        match = FILE.fullmatch(file.name)
        role = match["role"] if match else "G" if is_generator else "D"
        has_use["direction"] |= role in ("G", "D")
        submodule = _submodule(kind, role, file, own)
        if is_generator != (role[0] == "G"):
            raise CheckpointError(
                f"{file}: is called {role}, and holds a {network.__name__}. Give each file the "
                "name of what it holds: latest_net_G.pth, latest_net_D.pth, …"
            )
        if submodule in networks:
            raise CheckpointError(
                f"{file}: is a {submodule}, as {networks[submodule].file} is; give one of them."
            )
        if arguments.get("dropout") and isinstance(arguments["dropout"], list):
            has_use["dropout"] = True
            arguments["dropout"] = _boolean("dropout", own) and arguments["dropout"]
        config = {"_target_": f"ganlab.networks.{network.__name__}", **arguments}
        networks[submodule] = Network(file, config, state)
    if not any(name.startswith("generator") for name in networks):
        raise CheckpointError(
            f"{', '.join(map(str, files))}: no generator among them; give latest_net_G.pth (or "
            "_G_A, _G_B) too."
        )
    for key, use in USES.items():
        if own.get(key) and not has_use[key]:
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
            theirs = public_names(network(**arguments))
        more = f" and {len(bad) - 1} tensors more" if len(bad) > 1 else ""
        raise CheckpointError(
            f"{file}: {theirs[bad[0]]}{more} holds NaN or infinite numbers: the training that "
            "wrote it had diverged. Take a file of an earlier epoch."
        )


def read_tensors(file: Path) -> Any:
    """What a `.pth` file holds, which may be nothing but tensors in plain containers.

    Raises:
        CheckpointError: no such file, or one that holds code, or is damaged.
    """
    import torch

    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = next((x.strip() for x in str(error).splitlines() if "GLOBAL" in x), "no tensors")
        raise CheckpointError(
            f"{file}: holds more than tensors, and is not read, since that could run its code "
            f"({reason}). Expected the bare state dict of one network."
        ) from None
    except Exception as error:  # zip, pickle, and torch errors of many kinds
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise CheckpointError(
            f"{file}: is no PyTorch file, or is damaged or cut short ({reason}). Expected the bare "
            "state dict of one network, as torch.save writes it; copy the file anew."
        ) from error


def _submodule(kind: str, role: str, file: Path, own: dict[str, str]) -> str:
    direction = one_of("direction", own.get("direction") or "a_to_b", DIRECTIONS)
    roles = ROLES[kind]
    if kind == "cyclegan":  # a lone generator, as in public pretrained models, and its judge
        domain = direction[-1]
        roles = roles | {"G": DIRECTIONS[direction], "D": f"discriminator_{domain}"}
    if role not in roles:
        raise CheckpointError(
            f"{file}: is one of a CycleGAN's networks; use ganlab import cyclegan {file.parent}"
        )
    return roles[role]


def _boolean(key: str, own: dict[str, str]) -> bool:
    try:
        return boolean(own.get(key) or "true")
    except ValueError as error:
        raise ConfigError(f"{key}: {error}.") from None
