"""Admit a call to all its buckets or to none: the generic cell rate algorithm (ITU-T I.371, virtual scheduling)."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View

from ._whole import whole


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[int]:
    """``keys``: different buckets; ``args``: for each its microseconds per call (period / limit) and how many calls may
    come at once; then, unless all are 1, for each what this call costs.

    Answers ``[1, …]``, admitted, or ``[0, …]``, refused; then for each bucket the microseconds until it is full again,
    from which all else follows: a bucket of ``at once`` calls with ``ahead`` microseconds to go has room for
    ``at once - ceil(ahead / per call)``, and admits a cost in ``ahead - (at once - cost) * per call`` microseconds. A
    cost above ``at once`` is never admitted, one of 0 always; a refused call takes from no bucket.

    A bucket holds its theoretical arrival time. One further ahead than an empty bucket can be was written before a
    clock went back: it counts as empty as of now, and is made so. It lives until it is full: stores count whole
    milliseconds, of now and of the time to live, so two more than fit.
    """
    costs = 2 * len(keys)
    admitted, buckets = 1, []
    for index, key in enumerate(keys):
        emission = int(args[2 * index])
        most = emission * int(args[2 * index + 1])
        cost = emission if len(args) == costs else emission * int(args[costs + index])
        stored = whole(view.get(key))
        ahead = before = stored - now_us if stored is not None and stored > now_us else 0
        ahead = min(ahead, most)
        if ahead + cost > most:
            admitted = 0
        buckets.append((key, before, ahead, cost))
    answer = [admitted]
    for key, before, ahead, cost in buckets:
        after = ahead + cost if admitted else ahead
        if after != before and cost:
            view.put(key, b"%d" % (now_us + after), after // 1000 + 2)
        answer.append(after)
    return answer
