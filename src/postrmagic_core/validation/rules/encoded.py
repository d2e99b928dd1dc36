"""Texts that encode something else. Kept as they are."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, LiteralString

from pydantic_core import PydanticCustomError

from ...errors import ValidationFailed
from ..interface import InputLimits
from ..messages import ENGLISH
from ..rule import MAX_LENGTH, TextRule, refused, require
from ..strict_json import parse

_STANDARD = re.compile(r"[A-Za-z0-9+/]*={0,2}\Z")
_URL_SAFE = re.compile(r"[A-Za-z0-9_-]*\Z")
_JSON_CODES: Mapping[str, LiteralString] = {
    "limit.bytes": "limit.bytes",
    "limit.depth": "limit.depth",
    "limit.items": "limit.items",
    "json.bom": "json.bom",
    "json.constant": "json.constant",
    "json.number": "json.number",
    "json.duplicate_key": "json.duplicate_key",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Base64Text(TextRule):
    """Base 64 (RFC 4648, section 4, padded) of at most ``max`` bytes; ``urlsafe``: section 5, without padding.

    Refused: line ends and other characters outside the alphabet, missing padding, bits left over that are not zero, so
    that each content has one spelling.
    """

    max: int = MAX_LENGTH
    urlsafe: bool = False

    def __post_init__(self) -> None:
        require(self.max >= 1, "Base64Text: max must be at least 1")

    def _limit(self) -> int:
        return 4 * -(-self.max // 3)

    def _check(self, value: str) -> str:
        if not (_URL_SAFE if self.urlsafe else _STANDARD).match(value):
            raise refused("base64.form")
        padded = value + "=" * (-len(value) % 4) if self.urlsafe else value
        try:
            content = base64.b64decode(padded, altchars=b"-_" if self.urlsafe else None)
        except binascii.Error:
            raise refused("base64.form") from None
        if base64.b64encode(content, altchars=b"-_" if self.urlsafe else None).decode() != padded:
            raise refused("base64.form")
        if len(content) > self.max:
            raise refused("limit.bytes", limit=self.max)
        return value

    def _said(self) -> dict[str, Any]:
        return {"pattern": "^[A-Za-z0-9_-]*$" if self.urlsafe else "^[A-Za-z0-9+/]*={0,2}$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonText(TextRule):
    """JSON with one meaning (see :mod:`.strict_json`) of at most ``max`` characters, within ``limits``."""

    max: int = MAX_LENGTH
    limits: InputLimits = field(default=InputLimits(depth=8, items=1_000))

    def __post_init__(self) -> None:
        require(self.max >= 1, "JsonText: max must be at least 1")

    def _limit(self) -> int:
        return self.max

    def _check(self, value: str) -> str:
        try:
            parse(value.encode(), self.limits, ENGLISH)
        except UnicodeEncodeError:
            raise refused("json.encoding") from None
        except ValidationFailed as failed:
            # `from None`: what failed names the fields of a document that is only value here.
            raise self._refused(failed.errors[0]["code"]) from None
        return value

    def _refused(self, found: str) -> PydanticCustomError:
        code = _JSON_CODES.get(found, "json.invalid")
        limits = {"limit.bytes": self.limits.bytes, "limit.depth": self.limits.depth, "limit.items": self.limits.items}
        return refused(code, limit=limits[code]) if code in limits else refused(code)

    def _said(self) -> dict[str, Any]:
        return {"contentMediaType": "application/json"}
