"""Tells when an action that happens every n examples is due."""

from __future__ import annotations

from ganlab.core import AdversarialModule


def crossed(module: AdversarialModule, every: int | None) -> bool:
    """Whether `examples_seen` reached or passed a multiple of `every` with the last batch.

    False if `every` is None. The result depends on no other state, so that a resumed run gives the
    same result.
    """
    if every is None:
        return False
    before = module.examples_seen - module.examples_in_batch
    return module.examples_seen // every > before // every


def halvings(every: int | None, least: int = 1000) -> list[int]:
    """Return every / 2, every / 4 and so on, rounded down, as long as they are at least `least`.

    An empty list if `every` is None.
    """
    return (
        []
        if every is None
        else [n for k in range(1, every.bit_length()) if (n := every >> k) >= least]
    )


def crossed_early(module: AdversarialModule, every: int | None) -> bool:
    """Whether `examples_seen` reached or passed one of `halvings(every)` with the last batch.

    The first moments of a run, in which most happens, are then seen at growing intervals.
    """
    before = module.examples_seen - module.examples_in_batch
    return any(before < moment <= module.examples_seen for moment in halvings(every))
