"""The rank of this process within its run, and the launcher that started the run's processes.

There are three launchers. With `ganlab train`, the user starts one process on each machine, and
Lightning starts the other processes of that machine. `torchrun` and Slurm's `srun` start all
processes. Only the main process, rank 0 of the run, writes the run's files and prints.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from ganlab.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Launch:
    """How this process was started.

    Attributes:
        by: the launcher. A Slurm job with a single task counts as "ganlab".
        rank: the global rank if torchrun or srun started the process. If ganlab started it, the
            number of the machine, so that all processes on the first machine have 0.
        is_main: whether the process is rank 0 of the run.
        ranks: the number of processes of the run; None if ganlab starts them.
    """

    by: Literal["ganlab", "torchrun", "srun"]
    rank: int
    is_main: bool
    ranks: int | None = None


def launched(environment: Mapping[str, str] | None = None) -> Launch:
    """Return how this process was started, as told by `environment` (default: os.environ)."""
    given = os.environ if environment is None else environment
    if "TORCHELASTIC_RUN_ID" in given:
        rank = int(given["RANK"])
        return Launch("torchrun", rank, rank == 0, int(given["WORLD_SIZE"]))
    # a batch script that does not call srun, and a shell within an allocation, are one process,
    # even if the job has several tasks
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
    """Whether this process is rank 0 of its run."""
    return launched().is_main


def check_launch(trainer: Mapping[str, Any]) -> None:
    """Raise unless the launcher started as many processes as the trainer is configured for.

    Args:
        trainer: the trainer's configuration.

    Raises:
        ConfigError: the numbers of processes or machines differ, or the address of the first
            machine is unknown.
    """
    launch, nodes = launched(), int(trainer.get("num_nodes") or 1)
    wanted = nodes * devices_of(trainer)
    if launch.ranks is None:
        if nodes > 1 and not {"MASTER_ADDR", "MASTER_PORT", "NODE_RANK"} <= os.environ.keys():
            raise ConfigError(
                f"trainer.num_nodes: received {nodes}, but no variable says where the other "
                "machines are. Start the run by `srun ganlab train …` or `torchrun --nnodes=… "
                "-m ganlab train …`, or set MASTER_ADDR, MASTER_PORT and NODE_RANK on each machine."
            )
        return
    if launch.ranks != wanted:
        raise ConfigError(
            f"trainer.devices: {launch.by} has started {launch.ranks} processes, but the trainer "
            f"needs {wanted} ({nodes} × {wanted // nodes}). Set trainer.num_nodes and "
            "trainer.devices (of each machine) to what was started, with trainer=ddp, ddp_cpu or "
            "multi_node; or start one process."
        )
    machines = int(_leading_digits(os.environ.get("SLURM_STEP_NUM_NODES") or "") or nodes)
    if launch.by == "srun" and machines != nodes:
        raise ConfigError(
            f"trainer.num_nodes: received {nodes}; srun has started the run on {machines} "
            f"machines. Set trainer.num_nodes={machines}."
        )


def devices_of(trainer: Mapping[str, Any]) -> int:
    """Return the number of processes that a trainer needs on each machine.

    Args:
        trainer: the trainer's configuration. Its `devices` is a number, a list, or -1 or "auto"
            for all devices.
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
    """Return the plugin that tells Lightning which launcher `launched` has found.

    Under Slurm, the plugin turns off Lightning's requeuing of jobs, which would begin a new run.
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
        nodes = int(_leading_digits(os.environ.get("SLURM_STEP_NUM_NODES") or "") or 1)
        # Lightning compares this variable with the trainer's devices, but srun does not set it
        # if it was given only the total number of tasks
        os.environ["SLURM_NTASKS_PER_NODE"] = str(launch.ranks // nodes)
        os.environ["SLURM_NNODES"] = str(nodes)
        return SLURMEnvironment(auto_requeue=False)
    return LightningEnvironment()


def text_of_main_process(text: str) -> str:
    """Return the main process's `text` on every process that the user or a launcher has started.

    All these processes must call this. If the user started ganlab on a single machine, there is
    only one such process, and `text` is returned at once.
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


@cache  # keeps the object, and with it the server, which the process group also uses later
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


def mean_over_ranks(value: Tensor) -> Tensor:
    """Return the mean of a floating-point tensor over all ranks, without gradients.

    All ranks must call this. Outside a run of several ranks, `value` itself is returned, detached.
    """
    from torch import distributed

    ranks = number_of_ranks()
    if ranks == 1:
        return value.detach()
    total = value.detach().clone()
    distributed.all_reduce(total)
    return total.div_(ranks)


def number_of_ranks() -> int:
    """Return the number of processes that train together; 1 before they are connected."""
    from torch import distributed

    is_connected = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if is_connected else 1


def _leading_digits(text: str) -> str:
    match = re.match(r"\d+", text)
    return match[0] if match else ""
