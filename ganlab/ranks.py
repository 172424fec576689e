"""Which of a run's processes this one is, and who has started them.

There are three ways. `ganlab train` starts one process on each machine, and that starts the others
(Lightning does). `torchrun` starts them all, and so does Slurm's `srun`. The first of all is the
main one: it alone writes the run's files, and it alone speaks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from ganlab.errors import ConfigError


@dataclass(frozen=True)
class Launch:
    """How this process was started.

    Attributes:
        by: who starts the processes of a run. Slurm with one task starts none but this one.
        rank: of this process among those that are started from outside; of those that ganlab
            starts itself, all on the first machine have rank 0.
        is_main: whether it is the first of all.
        ranks: how many there are; None where ganlab starts them.
    """

    by: Literal["ganlab", "torchrun", "srun"]
    rank: int
    is_main: bool
    ranks: int | None = None


def launched(environment: Mapping[str, str] | None = None) -> Launch:
    """How this process was started, as its environment tells."""
    given = os.environ if environment is None else environment
    if "TORCHELASTIC_RUN_ID" in given:
        rank = int(given["RANK"])
        return Launch("torchrun", rank, rank == 0, int(given["WORLD_SIZE"]))
    # a batch script that calls no srun, and a shell within an allocation, are one process,
    # whatever number of tasks the job was given
    is_step = "SLURM_STEP_ID" in given and given.get("SLURM_JOB_NAME") not in (
        "bash",
        "interactive",
    )
    tasks = int(given.get("SLURM_STEP_NUM_TASKS") or given.get("SLURM_NTASKS") or 1)
    if is_step and tasks > 1:
        rank = int(given["SLURM_PROCID"])
        return Launch("srun", rank, rank == 0, tasks)
    node = int(given.get("NODE_RANK") or given.get("GROUP_RANK") or 0)
    return Launch("ganlab", node, node == 0 and int(given.get("LOCAL_RANK") or 0) == 0)


def is_main() -> bool:
    """Whether this is the first process of a run, or the only one."""
    return launched().is_main


def check_launch(trainer: Mapping[str, Any]) -> None:
    """Check that as many processes were started as the trainer has.

    Args:
        trainer: its configuration.

    Raises:
        ConfigError: other numbers, or machines that do not know of each other.
    """
    launch, nodes = launched(), int(trainer.get("num_nodes") or 1)
    wanted = nodes * devices_of(trainer)
    if launch.ranks is None:
        if nodes > 1 and not {"MASTER_ADDR", "MASTER_PORT", "NODE_RANK"} <= os.environ.keys():
            raise ConfigError(
                f"trainer.num_nodes: received {nodes}, and nothing says where the other machines "
                "are. Start the run by `srun ganlab train …` or `torchrun --nnodes=… -m ganlab "
                "train …`, or set MASTER_ADDR, MASTER_PORT and NODE_RANK on each machine."
            )
        return
    if launch.ranks != wanted:
        raise ConfigError(
            f"trainer.devices: {launch.by} has started {launch.ranks} processes, and the trainer "
            f"has {wanted} ({nodes} × {wanted // nodes}). Set trainer.num_nodes and "
            "trainer.devices (of each machine) to what was started, with trainer=ddp, ddp_cpu or "
            "multi_node; or start one process."
        )
    there = int(_first(os.environ.get("SLURM_STEP_NUM_NODES") or "") or nodes)
    if launch.by == "srun" and there != nodes:
        raise ConfigError(
            f"trainer.num_nodes: received {nodes}; srun has started the run on {there} machines."
        )


def devices_of(trainer: Mapping[str, Any]) -> int:
    """The processes that a trainer has on each machine.

    Args:
        trainer: its configuration; `devices` is a number, -1 or "auto" for all, or a list.
    """
    devices = trainer.get("devices", "auto")
    if isinstance(devices, (list, tuple)):
        return len(devices)
    if str(devices) in ("-1", "auto"):
        import torch

        is_cpu = trainer.get("accelerator") in ("cpu", "mps")
        return 1 if is_cpu else max(torch.cuda.device_count(), 1)
    return int(devices)


def cluster_environment() -> Any:
    """What tells Lightning who starts the processes, in agreement with `launched`.

    Under Slurm Lightning puts no job into the queue again: it would begin a new run.
    """
    from lightning.pytorch.plugins.environments import (
        LightningEnvironment,
        SLURMEnvironment,
        TorchElasticEnvironment,
    )

    launch = launched()
    if launch.by == "torchrun":
        return TorchElasticEnvironment()
    if launch.by == "srun":
        nodes = int(_first(os.environ.get("SLURM_STEP_NUM_NODES") or "") or 1)
        # Lightning compares it with the trainer's devices, and wants it even where srun was told
        # the number of all tasks
        os.environ["SLURM_NTASKS_PER_NODE"] = str(launch.ranks // nodes)
        os.environ["SLURM_NNODES"] = str(nodes)
        return SLURMEnvironment(auto_requeue=False)
    return LightningEnvironment()


def agreed(text: str) -> str:
    """The main process's text, on all processes that were started from outside at once.

    Where ganlab starts the others itself it has told them already.
    """
    launch = launched()
    if launch.by == "ganlab" and not {"MASTER_ADDR", "MASTER_PORT", "NODE_RANK"} <= (
        os.environ.keys()
    ):
        return text
    store = _store()
    key = f"ganlab/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}"
    if launch.is_main:
        store.set(key, text)
    return store.get(key).decode()


@cache  # the server lives as long as its object: the process group will be its second tenant
def _store() -> Any:
    from datetime import timedelta

    from torch.distributed import TCPStore

    environment, launch = cluster_environment(), launched()
    has_server = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return TCPStore(
        environment.main_address,
        environment.main_port,
        is_master=launch.is_main and not has_server,
        timeout=timedelta(minutes=5),
        wait_for_workers=False,
        multi_tenant=True,
    )


def _first(text: str) -> str:
    found = re.match(r"\d+", text)
    return found[0] if found else ""
