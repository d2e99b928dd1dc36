"""HAProxy's statistics: which address is up, and how many requests each was sent and failed.

The columns are those of the management guide of HAProxy 2.6, section 9.1. ``addr`` stands there only with
``stats show-legends``.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ..errors import DataError

_SERVER = "2"  # of the column `type`
_ANSWERS = ("hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other")
# Connections that were refused, and answers that did not come or were cut off.
_FAULTS = ("econ", "eresp")


@dataclass(frozen=True, slots=True)
class Server:
    """A server of the proxy: its place in the configuration, where it leads now, and what was counted there.

    ``failed`` are answers 5xx, refused connections and answers cut off; ``asked`` those and all other answers.
    ``retried``: requests tried again at the same or another server.
    """

    slot: str
    host: str
    status: str
    asked: int
    failed: int
    retried: int = 0

    @property
    def up(self) -> bool:
        """Whether it is sent requests."""
        return self.status.startswith("UP") or self.status == "no check"


@dataclass(frozen=True, slots=True)
class Answers:
    """Requests that were sent somewhere, and how many of them failed."""

    asked: int = 0
    failed: int = 0

    @property
    def rate(self) -> float:
        """The share that failed; 0 where nobody asked."""
        return self.failed / self.asked if self.asked else 0.0


def servers_of(text: str) -> list[Server]:
    """The servers in statistics in CSV; raises :class:`DataError` for anything else."""
    lines = text.lstrip("# ").splitlines()
    rows = csv.DictReader(lines)
    if not {"pxname", "svname", "status", "type", *_ANSWERS[:5]} <= set(rows.fieldnames or ()):
        raise DataError(
            "what the proxy's address answers is no statistics of HAProxy in CSV: does it end in /stats;csv?"
        )
    found = [row for row in rows if row.get("type") == _SERVER]
    if found and "addr" not in (rows.fieldnames or ()):
        raise DataError(_NO_ADDRESSES)
    servers = [_server(row) for row in found]
    if any(one.up and not one.host for one in servers):
        raise DataError(_NO_ADDRESSES)
    return servers


_NO_ADDRESSES = "the proxy's statistics show no addresses: add `stats show-legends` where haproxy.cfg enables them"


def _server(row: dict[str, str]) -> Server:
    answers = sum(_number(row, name) for name in _ANSWERS)
    faults = sum(_number(row, name) for name in _FAULTS)
    return Server(
        slot=f"{row['pxname']}/{row['svname']}",
        host=_host(row.get("addr") or ""),
        status=row.get("status") or "",
        asked=answers + faults,
        failed=_number(row, "hrsp_5xx") + faults,
        retried=_number(row, "wretr") + _number(row, "wredis"),
    )


def _number(row: dict[str, str], name: str) -> int:
    value = row.get(name) or "0"
    if not (value.isascii() and value.isdigit()):
        raise DataError(f"the proxy's statistics have no number in the column {name}")
    return int(value)


def _host(address: str) -> str:
    host = address.rpartition(":")[0] if ":" in address else address
    return host.strip("[]")


def up(servers: Iterable[Server], hosts: Collection[str]) -> bool:
    """Whether some server leads to one of the addresses, and all that do are up."""
    found = [one for one in servers if one.host in hosts]
    return bool(found) and all(one.up for one in found)


class Tally:
    """What was counted since the first look, by address: a server's place is given to other addresses over time."""

    def __init__(self) -> None:
        self._last: dict[str, Server] | None = None
        self._counts: dict[str, Answers] = {}

    def look(self, servers: Sequence[Server]) -> None:
        """Add what is new. Where a place changed hands between two looks, nobody knows whose it was: it counts not."""
        last, self._last = self._last, {one.slot: one for one in servers}
        if last is None:
            return
        for one in servers:
            before = last.get(one.slot)
            if before is None or not one.host or (before.host != one.host and before.status[:5] != "MAINT"):
                continue
            if one.asked < before.asked or one.failed < before.failed:  # the proxy was started anew
                before = Server(one.slot, one.host, one.status, 0, 0)
            had = self._counts.get(one.host, Answers())
            asked, failed = one.asked - before.asked, one.failed - before.failed
            self._counts[one.host] = Answers(had.asked + asked, had.failed + failed)

    def of(self, hosts: Collection[str]) -> Answers:
        """All that was sent to these addresses."""
        found = [count for host, count in self._counts.items() if host in hosts]
        return Answers(sum(one.asked for one in found), sum(one.failed for one in found))

    def forget(self, hosts: Collection[str]) -> None:
        """Begin anew for addresses: a container's is given to the next when it is gone."""
        for host in hosts:
            self._counts.pop(host, None)
