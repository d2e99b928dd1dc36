"""How a connection is made: written once for both faces, over a port that dials and talks.

With Sentinels the primary is asked for at each new connection and its ROLE verified, as their clients are told to do
(https://redis.io/docs/latest/develop/reference/sentinel-clients/): what a Sentinel says may be old.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hiredis

from postrmagic_core._steps import Steps
from postrmagic_core.errors import BackendError, BackendReadOnly, BackendRejected, BackendUnavailable
from postrmagic_core.stores.adapters._redis_errors import LOST, HungUp, code_of, refusal, unwelcome
from postrmagic_core.stores.adapters._redis_place import CONFIRMED_FOR, Address, Command, Place


def reach(place: Place, until: float) -> Steps[Any]:
    """A greeted connection to the server, or to the primary that a Sentinel names; in time."""
    if place.service is None:
        return (yield from _greeted(place, place.servers[0], until))
    failed: Exception = BackendRejected(f"no Sentinel watches a primary named {place.service!r}")
    sentinels = list(place.servers)
    for number, sentinel in enumerate(sentinels, 1):
        now: float = yield _now
        # Half of what is left to each, all of it to the last: a silent one leaves the others time to answer.
        share = until if number == len(sentinels) else now + (until - now) / 2
        try:
            primary = yield from _named(place, sentinel, now + (share - now) / 2)
            if primary is not None:
                wire = yield from _greeted(place, primary, share)
                place.found(primary, now)
                wire.epoch = place.epoch
                return wire
        except (*LOST, BackendError) as error:
            failed = error
            place.silent(sentinel, now)
    raise failed


def confirm(place: Place, until: float) -> Steps[None]:
    """Ask a Sentinel whether the primary is where it was, in a quarter of the time; a silent one changes nothing."""
    now: float = yield _now
    place.confirm_at = now + CONFIRMED_FOR  # others need not ask meanwhile
    sentinel = place.servers[0]
    try:
        primary = yield from _named(place, sentinel, now + (until - now) / 4)
    except (*LOST, BackendError):
        place.silent(sentinel, now)
    else:
        if primary is not None:
            place.found(primary, now)


def _named(place: Place, sentinel: Address, until: float) -> Steps[Address | None]:
    """Whom ``sentinel`` holds for the primary; the URL's password is shown only to one that asks for it."""
    wire = yield _dialled(place, sentinel, until)
    question: Command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", place.service or "")
    try:
        reply = (yield _said(wire, [question], until))[0]
        if place.auth and isinstance(reply, hiredis.ReplyError) and code_of(reply) == "NOAUTH":
            reply = (yield _said(wire, [place.auth, question], until))[-1]
    finally:
        wire.close()
    if isinstance(reply, hiredis.ReplyError):
        raise refusal(reply) from reply
    return None if reply is None else Address(reply[0].decode(), int(reply[1]))


def _greeted(place: Place, server: Address, until: float) -> Steps[Any]:
    wire = yield _dialled(place, server, until)
    try:
        _welcome(place, (yield _said(wire, place.greeting, until)))
    except HungUp as end:
        wire.close()
        for reply in end.said:
            if isinstance(reply, hiredis.ReplyError):
                raise unwelcome(reply) from reply
        raise
    except BaseException:
        wire.close()
        raise
    return wire


def _welcome(place: Place, replies: list[Any]) -> None:
    for command, reply in zip(place.greeting, replies, strict=True):
        # A user who may not ask for the ROLE of the server that the URL names may do all else.
        if isinstance(reply, hiredis.ReplyError) and (command[0] != "ROLE" or place.service is not None):
            wrong = command[0] == "AUTH" and code_of(reply) == "ERR"
            raise BackendRejected("the server refused user or password") if wrong else refusal(reply) from reply
    verify(replies[-1], place.service is not None)


def verify(role: Any, named_by_sentinel: bool) -> None:
    """Refuse a server whose answer to ROLE is not that of a primary: what a replica says may be over already."""
    named = role[0] if isinstance(role, list) and role else None
    if named_by_sentinel and named != b"master":
        raise BackendUnavailable("the server that the Sentinel named is no primary: a failover is not over yet")
    if named == b"slave":
        raise BackendReadOnly("the server is a replica, which takes no writes and may be behind: name its primary")


def _now(port: Any) -> Any:
    return port.now()


def _dialled(place: Place, address: Address, until: float) -> Callable[[Any], Any]:
    return lambda port: port.dial(address, place, until)


def _said(wire: Any, commands: list[Command], until: float) -> Callable[[Any], Any]:
    return lambda port: port.say(wire, commands, until)
