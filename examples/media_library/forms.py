"""What clients may send, and how every answer looks."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Any

from pydantic import AwareDatetime, Field
from starlette.responses import Response

from postrmagic_core._clock import from_us
from postrmagic_core.errors import ValidationFailed
from postrmagic_core.validation import Input, Validator
from postrmagic_core.validation.rules import PlainText, Tag

from .notifications import message_of


class Login(Input):
    """Name and password."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=256)]


class Change(Input):
    """What can be changed of a medium; what is left out stays."""

    title: Annotated[str, PlainText(max=200, min=1)] | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] | None = None


class Seen(Input):
    """Up to when notifications were seen: the latest ``changed_at`` that was shown."""

    until: AwareDatetime


login_form = Validator(Login)
change_form = Validator(Change)
seen_form = Validator(Seen)


def answer(data: Any, *, status: int = 200, headers: dict[str, str] | None = None, **beside: Any) -> Response:
    """A JSON answer: what was asked for under ``data``, anything else beside it."""
    body = json.dumps({"data": data} | beside, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status, headers, "application/json")


def shown(item: dict[str, Any]) -> dict[str, Any]:
    """A medium as clients see it: no digest, no user, links instead of paths."""
    base = f"/api/v1/media/{item['id']}"
    return {
        "id": item["id"],
        "title": item["title"],
        "filename": item["filename"],
        "size": item["size"],
        "type": item["mime"],
        "width": item["width"],
        "height": item["height"],
        "tags": item["tags"],
        "colours": item["colours"],
        "orientation": item["orientation"],
        "created_at": from_us(item["created_us"]).isoformat(),
        "file": f"{base}/file",
        "thumbnail": f"{base}/thumbnail" if item["thumbnail"] else None,
    }


def told(notification: dict[str, Any]) -> dict[str, Any]:
    """A notification as clients see it."""
    kind, amount = notification["kind"], notification["amount"]
    return {
        "kind": kind,
        "amount": amount,
        "message": message_of(kind, amount),
        "changed_at": from_us(notification["changed_us"]).isoformat(),
        "read": notification["read_us"] is not None,
    }


def cursor_of(position: tuple[int, int] | None) -> str | None:
    """The page position as an opaque text."""
    if position is None:
        return None
    return base64.urlsafe_b64encode("{}.{}".format(*position).encode()).decode().rstrip("=")


def position_of(cursor: str | None) -> tuple[int, int] | None:
    """The page position behind ``cursor``; one we did not make raises :class:`ValidationFailed`."""
    if not cursor:
        return None
    try:
        created_us, media_id = _decoded(cursor).split(".")
        position = int(created_us), int(media_id)
    except (ValueError, binascii.Error):
        position = (-1, -1)
    if not all(0 <= number < 2**63 for number in position):
        problem = {"pointer": "/after", "code": "cursor.invalid", "message": "expected a cursor from an earlier page"}
        raise ValidationFailed([problem])
    return position


def _decoded(cursor: str) -> str:
    return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
