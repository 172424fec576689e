"""Count the operators that a training step calls.

At batch size 1 the time on a GPU depends on the number of calls rather than on the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile, supported_activities

_CONVOLUTIONS = ("aten::convolution", "aten::convolution_backward")


class Calls:
    """Counts the calls of operators between `start` and `stop`."""

    def start(self) -> None:
        """Start counting."""
        wanted = {ProfilerActivity.CPU, ProfilerActivity.CUDA} & set(supported_activities())
        self._profile = profile(activities=wanted)
        self._profile.__enter__()

    def stop(self) -> dict[str, int]:
        """Stop counting, and return the numbers of calls since `start`.

        Returns:
            "operators": calls of PyTorch's operators (aten), without calls from within another
            operator. Calls from within an optimizer are left out, since their number depends on
            how the optimizer is implemented (fused, foreach or as a loop).
            "convolutions": calls of convolutions, forward and backward, at any depth.
            "launches": all kernels launched on a CUDA device; 0 without CUDA.
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
    """Call `run`, and return the numbers of operator calls that it makes; see `Calls.stop`."""
    calls = Calls()
    calls.start()
    run()
    return calls.stop()
