"""The Scripts of this package: each ``name.py`` is the Python body, ``name.lua`` the same for servers that run Lua.

A property test holds both texts equal on every store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import TypeVar

from postrmagic_core.stores.interface import Script, View

from . import (
    advance,
    gcra,
    invalidate,
    lease_acquire,
    lease_release,
    lease_renew,
    metrics_fold,
    metrics_publish,
    metrics_read,
    now,
    read_tagged,
    semaphore_acquire,
    semaphore_release,
    swap,
)

R = TypeVar("R")


def _text(name: str) -> str:
    return files("postrmagic_core.stores.scripts").joinpath(f"{name}.lua").read_text(encoding="utf-8")


def _script(name: str, body: Callable[[View, Sequence[bytes], Sequence[bytes], int], R]) -> Script[R]:
    return Script(name, body, _text(name))


PRELUDE = _text("numbers") + _text("prelude")

READ_TAGGED = _script("read_tagged", read_tagged.body)
INVALIDATE = _script("invalidate", invalidate.body)
LEASE_ACQUIRE = _script("lease_acquire", lease_acquire.body)
LEASE_RENEW = _script("lease_renew", lease_renew.body)
LEASE_RELEASE = _script("lease_release", lease_release.body)
SWAP = _script("swap", swap.body)
GCRA = _script("gcra", gcra.body)
GCRA_PEEK = Script("gcra_peek", gcra.body, _text("gcra"), read_only=True)
"""The same for costs of 0, with which it only looks."""
SEMAPHORE_ACQUIRE = _script("semaphore_acquire", semaphore_acquire.body)
SEMAPHORE_RELEASE = _script("semaphore_release", semaphore_release.body)
ADVANCE = _script("advance", advance.body)
METRICS_PUBLISH = _script("metrics_publish", metrics_publish.body)
METRICS_FOLD = _script("metrics_fold", metrics_fold.body)
METRICS_READ = Script("metrics_read", metrics_read.body, _text("metrics_read"), read_only=True)
NOW = Script("now", now.body, _text("now"), read_only=True)

ALL = (
    READ_TAGGED,
    INVALIDATE,
    LEASE_ACQUIRE,
    LEASE_RENEW,
    LEASE_RELEASE,
    SWAP,
    GCRA,
    GCRA_PEEK,
    SEMAPHORE_ACQUIRE,
    SEMAPHORE_RELEASE,
    ADVANCE,
    METRICS_PUBLISH,
    METRICS_FOLD,
    METRICS_READ,
    NOW,
)
