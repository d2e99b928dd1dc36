"""Whether a store keeps what it acknowledged: sessions and jobs ask before they trust it."""

from __future__ import annotations

from postrmagic_core.registry import scheme_of


def durability_check(url: str, *, timeout: float = 2.0) -> list[str]:
    """What may make the store behind ``url`` lose acknowledged writes, one sentence each; empty: nothing known.

    Redis is asked (evicting policy, no append-only file); a server that may not be asked is itself a finding. The
    caller decides what to do. ``timeout`` in seconds; raises ``BackendError`` if the server does not answer.
    """
    scheme = scheme_of(url)
    if scheme == "memory":
        return ["memory:// lives in one process and ends with it: use sqlite:///, mysql:// or redis://"]
    if scheme in {"redis", "rediss"}:
        from .adapters.redis import durability

        return durability(url, timeout)
    if scheme == "tiered":
        from .adapters.tiered import split

        return durability_check(split(url)[0], timeout=timeout)
    return []
