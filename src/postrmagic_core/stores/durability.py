"""Whether a store keeps what it acknowledged: sessions and jobs ask before they trust it."""

from __future__ import annotations

import logging

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.registry import scheme_of

_log = logging.getLogger("postrmagic_core.stores")


def require_durable(url: str, *, accept_loss: bool = False, timeout: float = 2.0) -> None:
    """Raise :class:`ConfigurationError`, naming every finding of :func:`durability_check`, unless there is none.

    ``accept_loss=True`` logs them as a warning instead: for data that may be lost, and for tests. ``timeout`` in
    seconds; raises ``BackendError`` if the server does not answer, since then nothing is known.
    """
    found = durability_check(url, timeout=timeout)
    if not found:
        return
    text = "; ".join(found)
    if not accept_loss:
        raise ConfigurationError(
            f"the {scheme_of(url)} store may lose what it acknowledged: {text}. "
            "Mend the server, or say accept_loss=True if that data may be lost"
        )
    _log.warning("the %s store may lose what it acknowledged, which was accepted: %s", scheme_of(url), text)


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
