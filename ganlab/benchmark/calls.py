"""How many operators a training step calls: at batch 1 a GPU waits for the calls, not for sums."""

from __future__ import annotations

from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile, supported_activities

_CONVOLUTIONS = ("aten::convolution", "aten::convolution_backward")


class Calls:
    """Counts what is called between `start` and `stop`."""

    def start(self) -> None:
        """Begin to listen."""
        wanted = {ProfilerActivity.CPU, ProfilerActivity.CUDA} & set(supported_activities())
        self._profile = profile(activities=wanted)
        self._profile.__enter__()

    def stop(self) -> dict[str, int]:
        """What was called since.

        Returns:
            "operators": calls of torch's operators (aten) that no other operator made, without
            those of the optimizers, which depend on how an optimizer goes through its parameters;
            "convolutions": those among all calls, forward and backward; "launches": kernels sent to
            a CUDA device by anything, 0 without one.
        """
        self._profile.__exit__(None, None, None)
        events = [event for event in self._profile.events() if event.name]
        operators = [event for event in events if event.name.startswith("aten::")]
        return {
            "operators": sum(
                event.cpu_parent is None
                or not event.cpu_parent.name.startswith(("aten::", "Optimizer."))
                for event in operators
            ),
            "convolutions": sum(event.name in _CONVOLUTIONS for event in operators),
            "launches": sum("LaunchKernel" in event.name for event in events),
        }


def count_calls(run: Callable[[], object]) -> dict[str, int]:
    """What `run` calls; see `Calls.stop`."""
    calls = Calls()
    calls.start()
    run()
    return calls.stop()
