"""Whether both sides answer the same: else their times do not compare."""

from __future__ import annotations

import json
import select
from datetime import datetime
from itertools import zip_longest
from typing import Any

from .client import Line
from .requests import UPLOAD, Requests

# Each side counts up its own, and an upload has its own time.
_OWN = ("id", "file", "created_at")
_PATIENCE = 60.0


def answered(operation: str, port: int, cookie: str, image: bytes, number: int) -> dict[str, Any]:
    """The body of one answer, its instants as such."""
    line = Line(0, port)
    try:
        line.ask(Requests(operation, cookie, image).of(number))
        while select.select([line.socket], [], [], _PATIENCE)[0]:
            if line.answered():
                return meant(json.loads(line.body))
        raise RuntimeError("the server does not answer")
    finally:
        line.socket.close()


def meant(body: dict[str, Any]) -> dict[str, Any]:
    """An answer without what two servers may tell in two ways: how an instant and a cursor are written."""
    data = body["data"]
    listed = isinstance(data, list)
    media = [one | {"created_at": datetime.fromisoformat(one["created_at"])} for one in (data if listed else [data])]
    return {"data": media} | ({"more": body["next"] is not None} if listed else {})


def compare(operation: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Raises :class:`RuntimeError` where the answers mean different things."""
    mine, other = ours, theirs
    if operation == UPLOAD:
        mine, other = (
            {"data": [{name: value for name, value in one.items() if name not in _OWN} for one in side["data"]]}
            for side in (ours, theirs)
        )
    if mine != other:
        pairs = zip_longest(mine["data"], other["data"])
        first = next((pair for pair in pairs if pair[0] != pair[1]), (ours.get("more"), theirs.get("more")))
        raise RuntimeError(f"the sides answer {operation} differently: {first[0]}, {first[1]}")
