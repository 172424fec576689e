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
