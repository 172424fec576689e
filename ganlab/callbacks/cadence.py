"""When something is due that happens every n examples."""

from __future__ import annotations

from ganlab.core import AdversarialModule


def crossed(module: AdversarialModule, every: int | None) -> bool:
    """Whether the last batch took `examples_seen` to or past a multiple of `every`; None is never.

    It needs no state, so it is the same after a resume.
    """
    if every is None:
        return False
    before = module.examples_seen - module.examples_in_batch
    return module.examples_seen // every > before // every
