"""Operations of the cache as spans, where somebody records them. Of a key only what stands before the first colon.

What follows is made of arguments, as a rule, and may be an address or a name; of values nothing is told.
"""

from __future__ import annotations

from .._spans import NO_SPAN, Span, span, spans
from ..stores.interface import Store


def operating(name: str, store: Store, key: str = "", count: int = 0) -> Span:
    """A trip to the store, or several: ``count`` keys or tags."""
    if spans.recorder is None:
        return NO_SPAN
    told: dict[str, str | int] = {"postrmagic.cache.operation": name, "postrmagic.cache.store": type(store).__name__}
    head, colon, _ = key.partition(":")
    if colon:
        told["postrmagic.cache.prefix"] = head
    if count:
        told["postrmagic.cache.count"] = count
    return span(f"cache {name}", "client", told)


def hit(found: bool) -> dict[str, bool]:
    """Whether it was there."""
    return {"postrmagic.cache.hit": found}
