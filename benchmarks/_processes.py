"""Processes that do their part at once, forked from one that has imported what they need: an import each would be most
of what is measured."""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import ForkServerContext

_preloaded: set[str] = set()


def forked(*modules: str) -> ForkServerContext:
    """A context whose processes have ``modules`` loaded, unless the first of them was started without."""
    context = multiprocessing.get_context("forkserver")
    _preloaded.update(modules)
    context.set_forkserver_preload(sorted(_preloaded))
    return context
