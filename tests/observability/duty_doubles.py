"""Duties without each of their guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

from typing import Any

from postrmagic_core.errors import NotOpen
from postrmagic_core.stores.lease import Grant, request


def whoever_asks(asked: Grant, answer: list[int]) -> Grant:
    """The lease is everybody's."""
    return Grant(asked.key, asked.owner, max(answer[1], 1), asked.ttl)


def for_an_hour(key: bytes, ttl: float) -> Grant:
    """What somebody holds who was killed is held on."""
    return request(key, 3600.0)


def in_this_thread(duties: Any, duty: Any) -> None:
    """All duties share a thread."""
    duties._do(duty)


def uncaught(duties: Any, duty: Any) -> None:
    """What a duty raises ends it."""
    duty.call()
    duty.thread = None


def told_whenever(duties: Any, duty: Any) -> None:
    """What is broken off by closing is a failure as any other."""
    try:
        duty.call()
    except NotOpen:
        duties._failures(duty)
    finally:
        duty.thread = None
