"""Stores that let others run between their reading and their writing: without a lock they surely would."""

from __future__ import annotations

import time
from typing import Any

from postrmagic_core.stores import Store

_MOMENT = 0.001


def hesitating(store: Store) -> Store:
    """``store``, which waits a moment after it has read what it is about to write; where it reads here at all."""
    load: Any = getattr(store, "load", None)

    def slowly(*arguments: Any) -> Any:
        found = load(*arguments)
        time.sleep(_MOMENT)
        return found

    if load is not None:
        store.load = slowly  # type: ignore[attr-defined]  # not of every store, but of this one
    return store
