"""Runs over several processes, started by ganlab, torchrun or srun, write one set of files.

All runs are launched at once, because starting them takes most of the time.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest
import torch
from helpers.runs.killed import children
from helpers.tiny import ARGUMENTS, REPOSITORY, start_python

from ganlab.core.build import make
from ganlab.core.load import load_module, read_checkpoint
from ganlab.record.log import read_metrics
from ganlab.record.run import read_config, read_record
from ganlab.record.states import state_of
from ganlab.runs.planned import plan

pytestmark = pytest.mark.contract

TRAIN = [a for a in ARGUMENTS if not a.startswith(("protocol", "trainer"))] + [
    "trainer=ddp_cpu",
    "protocol=modes10k",
    "protocol.samples=200",
    "protocol.metrics.distance._target_=ganlab.metrics.PointSlicedWasserstein",
    "+model.generator.norm=batch",
]
SHORT = "budget.batches=10"
SLURM = {"SLURM_JOB_ID": "4711", "SLURM_STEP_ID": "0", "SLURM_JOB_NAME": "gan", "SLURM_NNODES": "1"}
PORT = str(20000 + os.getpid() % 10000)  # srun would derive the port from the job's number
GANLAB = ["-m", "ganlab", "train"]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *GANLAB]


FILES = {
    *("config.yaml", "contact_sheet.png", "curves.png", "log.txt", "metrics.csv", "run.json"),
    *("checkpoints/last.ckpt", "checkpoints/previous.ckpt", "timing.csv"),
    *("samples/000000000000.png", "samples/000000000160.png"),
}


def start(folder, arguments, **environment):
    folder.mkdir(parents=True, exist_ok=True)
    return start_python(
        arguments,
        folder,
        environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def task(rank, tasks):
    """Return the environment variables that srun sets for a task."""
    return {
        **SLURM,
        "SLURM_NTASKS": str(tasks),
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": str(rank),
        "SLURM_NODEID": "0",
        "MASTER_PORT": PORT,
    }


def wait_for_rows(folder, process):
    """Wait until all processes train."""
    until = time.monotonic() + 120
    while len(read_metrics(folder)) < 3:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.1)


def is_left(process):
    """Whether any process in the process group of `process` still lives after 10 seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True


def end(process):
    out, err = process.communicate(timeout=180)
    return SimpleNamespace(code=process.returncode, out=out, err=err)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return runs started by torchrun and srun, a run that is stopped, and three that fail."""
    root = tmp_path_factory.mktemp("launched")
    processes = {"torchrun": start(root / "torchrun", [*TORCHRUN, *TRAIN, SHORT])}
    for rank in (0, 1):
        sync = "trainer.sync_batchnorm=true"
        arguments = [*GANLAB, *TRAIN, SHORT, sync]
        processes[f"srun {rank}"] = start(root / "srun", arguments, **task(rank, 2))
    plan(root / "stopped" / "run", [*TRAIN, "budget.batches=1000000"])
    processes["stopped"] = start(root / "stopped", [*GANLAB, "run=run", "resume=true"])
    long = [*TRAIN, "budget.batches=1000000", "run_dir=run"]
    processes["killed"] = start(root / "killed", [*GANLAB, *long])
    processes["orphaned"] = start(root / "orphaned", [*GANLAB, *long])
    failing = [str(REPOSITORY / "tests" / "helpers" / "processes" / "failure.py"), "train", *long]
    failing.append("callbacks.samples.every_examples=160")
    processes["failing"] = start(root / "failing", failing)
    try:
        wait_for_rows(root / "stopped" / "run", processes["stopped"])
        os.killpg(processes["stopped"].pid, signal.SIGINT)  # as Ctrl-C does
        wait_for_rows(root / "killed" / "run", processes["killed"])
        (other,) = children(processes["killed"])
        os.kill(other, signal.SIGKILL)
        wait_for_rows(root / "orphaned" / "run", processes["orphaned"])
        processes["orphaned"].kill()
        ends = {name: end(process) for name, process in processes.items()}
        stopped = read_record(root / "stopped" / "run")
        seen = stopped["counters"]["examples_seen"]
        more = [*GANLAB, "run=run", "resume=true", f"budget.examples={seen + 40}"]
        alone = [*more, "trainer.devices=1", "trainer.strategy=auto"]
        left = {name: is_left(process) for name, process in processes.items()}
        ends["resumed"] = end(start(root / "stopped", alone, **task(0, 1)))
        ddp = ["trainer.devices=2", "trainer.strategy=ddp_find_unused_parameters_true"]
        more[-1] = f"budget.examples={seen + 40 + 48}"
        ends["resumed by two"] = end(start(root / "stopped", [*more, *ddp]))
    finally:
        for process in processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return SimpleNamespace(root=root, ends=ends, stopped=stopped, left=left)


def only_run(folder):
    """Return the folder of the only run that a command has written in `folder`."""
    (outputs,) = folder.iterdir()
    (name,) = outputs.iterdir()
    (run,) = name.iterdir()
    return run


def files(run):
    return {str(path.relative_to(run)) for path in run.rglob("*.*") if path.name != ".lock"}


@pytest.mark.parametrize("by", ["torchrun", "srun"])
def test_one_run_with_one_set_of_files(runs, by):
    ends = [runs.ends[name] for name in runs.ends if name.startswith(by)]
    assert [one.code for one in ends] == [0] * len(ends), ends[0].err
    run = only_run(runs.root / by)
    record = read_record(run)
    assert (record["status"], record["error"]) == ("finished", None)
    assert record["counters"]["examples_seen"] == 10 * 2 * 8
    assert read_config(run)["run_dir"] == str(run)
    assert [row["examples_seen"] for row in read_metrics(run)] == [64, 128, 160]
    assert files(run) == FILES


@pytest.mark.parametrize("by", ["torchrun", "srun"])
def test_only_one_process_prints(runs, by):
    out = "".join(one.out for name, one in runs.ends.items() if name.startswith(by))
    err = "".join(one.err for name, one in runs.ends.items() if name.startswith(by))
    assert out.count("Finished") == 1
    assert err.count("loading the data") == err.count("writing to") == 1


def test_launchers_give_checkpoints_with_the_same_names(runs):
    """The run of srun has synchronised batch norm, so the running means differ."""
    one, other = (
        read_checkpoint(only_run(runs.root / by) / "checkpoints" / "last.ckpt")["state_dict"]
        for by in ("torchrun", "srun")
    )
    assert one.keys() == other.keys()
    means = [name for name in one if "running_mean" in name]
    assert means
    assert not any(torch.equal(one[name], other[name]) for name in means)
    for name, value in one.items():
        assert value.is_floating_point() is False or torch.isfinite(other[name]).all(), name


@pytest.mark.parametrize("by", ["torchrun", "srun"])
def test_scores_are_those_of_one_process(runs, by):
    """Each process generated a part of the samples, with the same running statistics."""
    run = only_run(runs.root / by)
    config = read_config(run)
    data = make(config["data"])
    data.setup("fit")
    protocol = make(config["callbacks"]["evaluation"]["protocol"])
    protocol.prepare(data)
    scores = protocol.evaluate(load_module(run), data)
    written = read_record(run)["scores"]
    assert written.keys() == scores.keys()
    for name, score in scores.items():
        assert written[name]["value"] == pytest.approx(score.value, rel=1e-6), name


def test_a_planned_run_is_stopped_and_resumed(runs):
    """Planned with two processes; resumed as a Slurm job with one task, and by two processes."""
    folder = runs.root / "stopped" / "run"
    assert runs.ends["stopped"].code == 130, runs.ends["stopped"].err
    assert runs.stopped["status"] == "interrupted"
    assert runs.ends["resumed"].code == 0, runs.ends["resumed"].err
    assert runs.ends["resumed by two"].code == 0, runs.ends["resumed by two"].err
    record = read_record(folder)
    assert record["status"] == "finished"
    before, after = runs.stopped["counters"], record["counters"]
    assert after["batches_seen"] == before["batches_seen"] + 40 // 8 + 48 // 16
    assert after["examples_seen"] == before["examples_seen"] + 40 + 48
    assert [path.name for path in (runs.root / "stopped").iterdir()] == ["run"]
    seen = [row["examples_seen"] for row in read_metrics(folder)]
    assert seen == sorted(set(seen))


def test_a_process_that_dies_ends_the_run_and_is_named(runs):
    one = runs.ends["killed"]
    assert one.code not in (0, None)
    record = read_record(runs.root / "killed" / "run")
    assert record["status"] == "failed"
    assert "The process of rank 1 was killed by signal 9." in record["error"]
    assert "The process of rank 1 was killed by signal 9." in one.err


def test_a_main_process_that_dies_leaves_no_process_and_a_run_that_counts_as_killed(runs):
    assert runs.ends["orphaned"].code == -signal.SIGKILL
    assert state_of(runs.root / "orphaned" / "run") == "killed"
    assert not runs.left["orphaned"]


def test_a_failing_main_process_leaves_no_process_waiting(runs):
    """The main process fails while drawing a picture, which other processes do not do."""
    one = runs.ends["failing"]
    assert one.code == 1
    assert "ValueError: no picture" in one.err
    record = read_record(runs.root / "failing" / "run")
    assert (record["status"], record["error"]) == ("failed", "ValueError: no picture")
    assert not any(runs.left.values())
