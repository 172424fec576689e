"""One game with two processes; tests/core/test_distributed.py tests every family."""

import torch
from helpers.processes.game import free_port, main, start


def test_two_processes_equal_one_on_the_joint_batch(tmp_path):
    """Six batches with accumulation, a lazy penalty, clipping, and a player that moves rarely."""
    port = free_port()
    processes = [start(tmp_path, rank, 2, port, "gan") for rank in (0, 1)]
    try:
        main(tmp_path, 0, 1, ["gan"])  # alone
        for process in processes:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors[-3000:]
    finally:
        for process in processes:
            process.kill()
    names = ("0of1", "0of2", "1of2")
    joint, first, second = (torch.load(tmp_path / f"gan.{name}.pt") for name in names)
    assert any(name.startswith("averaged.") for name in joint)
    assert joint.keys() == first.keys() == second.keys()
    for name, value in joint.items():
        assert value.dtype in (torch.float64, torch.long)
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], value, rtol=0, atol=1e-12)
