"""A rank ends when its main process has ended, however that ended."""

import os
import signal
import subprocess
import time

import pytest
from helpers.tiny import start_python

RANK = """
import time
from ganlab.runs import other_ranks

other_ranks.PATIENCE = 0.1
other_ranks.end_with_main_process()
print("ready", flush=True)
time.sleep(60)
"""
MAIN = f"""
import subprocess, sys, time
rank = subprocess.Popen([sys.executable, "-c", {RANK!r}], stdout=subprocess.PIPE)
rank.stdout.readline()
print(rank.pid, flush=True)
time.sleep(60)
"""


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(("local_rank", "ends"), [("1", True), ("0", False)])
def test_a_rank_ends_with_the_main_process_that_started_it(local_rank, ends):
    """The process of local rank 0 was started by a user, and outlives the user's shell."""
    environment = {"LOCAL_RANK": local_rank}
    main = start_python(["-c", MAIN], environment=environment, stdout=subprocess.PIPE)
    rank = int(main.stdout.readline())
    try:
        main.kill()
        main.communicate()
        until = time.monotonic() + (10 if ends else 2)
        while is_alive(rank) and time.monotonic() < until:
            time.sleep(0.05)
        assert is_alive(rank) is not ends
    finally:
        if is_alive(rank):
            os.kill(rank, signal.SIGKILL)
