"""Take one of so many places, or find it one's own already."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View

from ._holders import holders, text


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[int]:
    """``keys``: the semaphore; ``args``: how many places it has, the owner's token (no line breaks) and milliseconds to
    hold.

    Answers ``[1, places taken]``, or ``[0, places taken, microseconds until one surely becomes free]``. An owner who
    asks again holds its place anew, as long from now. A place that is held longer than one could be from now on was
    taken before a clock went back: it is held as long from now.
    """
    most, owner, ttl_ms = int(args[0]), args[1], int(args[2])
    latest = now_us + ttl_ms * 1000
    stored = holders(view.get(keys[0]))
    held = [(min(ends, latest), who) for ends, who in stored if ends > now_us and who != owner]
    admitted = len(held) < most
    if admitted:
        held.append((latest, owner))
    if held and held != stored:
        view.put(keys[0], text(held), (max(ends for ends, _ in held) - now_us) // 1000 + 2)
    elif stored and not held:
        view.drop(keys[0])
    if admitted:
        return [1, len(held)]
    return [0, len(held), min((ends for ends, _ in held), default=latest) - now_us]
