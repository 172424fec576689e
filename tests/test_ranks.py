"""Launchers, the ranks that they start, failures of ranks, and synchronised batch norm."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from ganlab.config.checks import _check_trainer
from ganlab.core.batch_norm import batch_norm_statistics
from ganlab.core.sync_batch_norm import BatchNormSync, SyncBatchNorm
from ganlab.errors import ConfigError, GanlabError, NonFiniteLossError, RunError
from ganlab.ranks import Launch, check_launch, cluster_environment, launched
from ganlab.runs import other_ranks as others_module
from ganlab.runs.other_ranks import OtherRanks, end_on_slurms_signal, exit_rank

TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}
JOB = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "gan", "SLURM_NTASKS": "4", "SLURM_PROCID": "2"}
STEP = {**JOB, "SLURM_STEP_ID": "0", "SLURM_LOCALID": "0", "SLURM_STEP_NUM_NODES": "2"}


@pytest.mark.parametrize(
    ("environment", "launch"),
    [
        ({}, Launch("ganlab", 0, True)),
        ({"LOCAL_RANK": "0"}, Launch("ganlab", 0, True)),
        ({"LOCAL_RANK": "1"}, Launch("ganlab", 0, False)),
        ({"LOCAL_RANK": "0", "NODE_RANK": "1"}, Launch("ganlab", 1, False)),
        (TORCHRUN, Launch("torchrun", 3, False, 4)),
        # the first process of the second machine is not the main process
        (TORCHRUN | {"RANK": "2", "LOCAL_RANK": "0"}, Launch("torchrun", 2, False, 4)),
        (TORCHRUN | {"RANK": "0", "LOCAL_RANK": "0"}, Launch("torchrun", 0, True, 4)),
        (STEP, Launch("srun", 2, False, 4)),
        (STEP | {"SLURM_PROCID": "0"}, Launch("srun", 0, True, 4)),
        # torchrun within a job
        (STEP | TORCHRUN, Launch("torchrun", 3, False, 4)),
        # a batch script without srun, a shell in an allocation, one task: a single process
        (JOB, Launch("ganlab", 0, True)),
        (STEP | {"SLURM_JOB_NAME": "bash"}, Launch("ganlab", 0, True)),
        (STEP | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, Launch("ganlab", 0, True)),
        (STEP | {"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, Launch("ganlab", 0, True)),
    ],
)
def test_launched(environment, launch):
    assert launched(environment) == launch


@pytest.fixture
def started(monkeypatch):
    """Return a function that sets the environment variables of a launched process."""
    for name in list(os.environ):
        if name.startswith(("SLURM_", "TORCHELASTIC_")) or name in TORCHRUN:
            monkeypatch.delenv(name)

    def start(environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return start


def test_a_wrong_number_of_processes_is_refused(started):
    cpu = {"accelerator": "cpu"}
    check_launch({**cpu, "devices": 3})
    with pytest.raises(ConfigError, match=r"trainer.num_nodes: received 2, but no variable says"):
        check_launch({**cpu, "devices": 1, "num_nodes": 2})
    started(TORCHRUN)
    check_launch({**cpu, "devices": 4, "num_nodes": 1})
    check_launch({**cpu, "devices": 2, "num_nodes": 2})
    with pytest.raises(
        ConfigError, match=r"torchrun has started 4 processes, .* needs 1 \(1 × 1\)"
    ):
        check_launch({**cpu, "devices": 1})


def test_a_wrong_number_of_machines_is_refused(started):
    started(STEP)
    check_launch({"accelerator": "cpu", "devices": 2, "num_nodes": 2})
    with pytest.raises(ConfigError, match=r"trainer.num_nodes: received 1; srun has .* 2 machines"):
        check_launch({"accelerator": "cpu", "devices": 4, "num_nodes": 1})


def test_lightning_knows_slurm_and_requeues_no_job(started):
    started(STEP)
    environment = cluster_environment()
    assert (environment.global_rank(), environment.world_size()) == (2, 4)
    assert not environment.auto_requeue
    environment.validate_settings(num_devices=2, num_nodes=2)
    started({"SLURM_STEP_NUM_TASKS": "1"})
    assert not cluster_environment().creates_processes_externally


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ({"devices": 0}, "trainer.devices: received 0; needs"),
        ({"devices": "two"}, "trainer.devices: received 'two'; needs"),
        ({"devices": -1}, "trainer.devices: received -1; give the number of processes"),
        ({"num_nodes": 0}, "trainer.num_nodes: received 0; needs 1 or more"),
        ({"devices": 2, "strategy": "auto"}, "trainer.strategy: received 'auto' for 2 processes"),
        ({"devices": 2, "strategy": "ddp"}, "trainer.strategy: received 'ddp' for 2 processes"),
        ({"accelerator": "nvidia"}, "trainer.accelerator: received 'nvidia'; allowed"),
    ],
)
def test_impossible_trainers_are_refused(trainer, message):
    base = {"accelerator": "cpu", "devices": 1, "strategy": "auto", "precision": "32-true"}
    with pytest.raises(ConfigError, match=message):
        _check_trainer(base | trainer, {"model": {}})
    _check_trainer(base, {"model": {}})
    with pytest.raises(ConfigError, match="compile: synchronised batch norm cannot be compiled"):
        _check_trainer(base | {"sync_batchnorm": True}, {"model": {}, "compile": True})


@pytest.mark.parametrize("accelerator", ["gpu", "mps"])
def test_an_accelerator_that_is_not_available_is_refused(accelerator, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    trainer = {"accelerator": accelerator, "devices": -1, "precision": "32-true"}
    with pytest.raises(ConfigError, match=f"trainer.accelerator: {accelerator} is not available"):
        _check_trainer(trainer, {"model": {}})


# --- when a rank fails -----------------------------------------------------------------------


def process(code):
    return subprocess.Popen([sys.executable, "-c", code])


def started_by(*processes):
    return SimpleNamespace(strategy=SimpleNamespace(launcher=SimpleNamespace(procs=processes)))


def test_a_dead_rank_is_reported_at_once_and_explains_later_errors():
    messages = []
    others = OtherRanks(
        started_by(process("import time; time.sleep(60)"), process("exit(3)")), messages.append
    )
    until = time.monotonic() + 20
    while not messages and time.monotonic() < until:
        time.sleep(0.05)
    assert messages == ["The process of rank 2 ended with code 3."]
    explained = others.stop(RuntimeError("Connection closed by peer"))
    assert isinstance(explained, RunError)
    assert str(explained) == messages[0]
    others.end(failed=True)


def test_no_rank_is_left_after_a_failure(monkeypatch):
    monkeypatch.setattr(others_module, "PATIENCE", 0.2)
    stuck = process("import time; time.sleep(60)")
    others = OtherRanks(started_by(stuck), pytest.fail)
    assert others.stop(ValueError("of its own")) is None
    others.end(failed=True)
    assert stuck.poll() == -9


def test_own_errors_of_the_main_process_are_kept():
    others = OtherRanks(started_by(), pytest.fail)
    assert others.stop(GanlabError("a loss")) is None
    lost = others.stop(RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer"))
    assert str(lost) == "Another process of the run has failed."


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConfigError("the same on all"), ""),
        (NonFiniteLossError("the same on all"), ""),
        (RunError("its own"), "rank 3: its own"),
        (RuntimeError("gloo: connection closed by peer"), ""),
        (ValueError("a mistake"), "ValueError: a mistake"),
    ],
)
def test_a_rank_prints_only_errors_that_the_main_process_does_not_print(
    started, monkeypatch, capsys, error, message
):
    started(TORCHRUN)
    monkeypatch.setattr(others_module, "PATIENCE", 0.0)
    with pytest.raises(SystemExit) as end:
        exit_rank(error)
    assert end.value.code == 1
    printed = capsys.readouterr().err
    assert message in printed if message else not printed


def test_under_slurm_sigusr1_acts_as_sigterm(started):
    old_handlers = [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGTERM)]
    received = []
    try:
        signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
        end_on_slurms_signal()
        assert signal.getsignal(signal.SIGUSR1) == old_handlers[0]  # not under Slurm
        started(STEP)
        end_on_slurms_signal()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert received == [signal.SIGTERM]
        signal.signal(signal.SIGUSR1, other := lambda *_: None)
        end_on_slurms_signal()
        assert signal.getsignal(signal.SIGUSR1) == other
    finally:
        signal.signal(signal.SIGUSR1, old_handlers[0])
        signal.signal(signal.SIGTERM, old_handlers[1])


# --- synchronised batch norm in one process --------------------------------------------------


def test_layers_stay_the_same_objects_and_get_their_class_back():
    """Tests a layer that occurs twice, and a layer that is the whole network."""
    layer = nn.BatchNorm2d(3)
    network = nn.Sequential(layer, nn.ReLU(), layer)
    names = list(network.state_dict())
    sync = BatchNormSync(True)
    assert sync.apply(network) is network
    assert type(network[0]) is SyncBatchNorm
    assert network[0] is network[2] is layer
    assert list(network.state_dict()) == names
    sync.revert(network)
    assert type(layer) is nn.BatchNorm2d
    assert type(sync.apply(nn.BatchNorm1d(2))) is SyncBatchNorm


@pytest.mark.parametrize("mode", ["running", "batch", "standing"])
def test_evaluation_modes_apply_to_synchronised_layers(mode):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Linear(5, 2))
    x = torch.randn(16, 3)
    network(torch.randn(64, 3) * 3 + 1)
    network.eval()
    outputs = []
    for enabled in (False, True):
        BatchNormSync(enabled).apply(network)
        with batch_norm_statistics(network, mode, lambda: network(x)):
            outputs.append(network(x))
    assert torch.equal(*outputs)


def test_sync_batchnorm_of_the_trainer_is_the_default():
    network = nn.Sequential(nn.BatchNorm1d(2))
    for config, kind in (
        (None, nn.BatchNorm1d),
        ({"trainer": {"sync_batchnorm": False}}, nn.BatchNorm1d),
        ({"trainer": {"sync_batchnorm": True}}, SyncBatchNorm),
    ):
        network.config = config
        BatchNormSync().apply(network)
        assert type(network[0]) is kind
