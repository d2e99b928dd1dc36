"""What a verification found, as a file: JSON that says whether anybody has changed it. Pure but for the ring's keys.

The signature is HMAC-SHA256 (RFC 2104) over the report in canonical JSON, with keys sorted and no spaces, under a key
of its own purpose. Whoever has the ring can check and could make one: it guards against change, and proves nothing to
others.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import asdict
from typing import Any

from ...._crypto import KeyRing
from ....errors import DecodeError, SealBroken
from .verify import VerifyReport

_PURPOSE = "transfer.report"
_VERSION = 1
_UNSIGNED = "none"
_SIGNED = "HMAC-SHA256"


def sign(report: VerifyReport, ring: KeyRing | None) -> bytes:
    """The report as JSON in UTF-8, signed with the ring's first key; without a ring it says that it is not signed."""
    content = {
        "version": _VERSION,
        "algorithm": _UNSIGNED if ring is None else _SIGNED,
        "equal": report.equal,
        "rows": report.rows,
        **asdict(report),
    }
    for table, found in zip(content["tables"], report.tables, strict=True):
        table["equal"] = found.equal
    signature = "" if ring is None else ring.mac(_canonical(content), purpose=_PURPOSE).hex()
    return _written({"report": content, "signature": signature})


def check(signed: bytes, ring: KeyRing) -> dict[str, Any]:
    """What a signed report says, if it was signed with one of the ring's keys and not a byte of it was changed.

    Raises :class:`SealBroken` where one was, or the report is not signed, and :class:`DecodeError` where it is none.
    """
    try:
        document = json.loads(signed)
        content: dict[str, Any] = document["report"]
        signature, algorithm = bytes.fromhex(document["signature"]), content["algorithm"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DecodeError("this is no report of a transfer") from None
    if algorithm != _SIGNED:
        raise SealBroken("the report is not signed")
    known = any(hmac.compare_digest(signature, one) for one in ring.macs(_canonical(content), purpose=_PURPOSE))
    # A file can say twice what its reader sees once.
    if not known or _written({"report": content, "signature": signature.hex()}) != signed:
        raise SealBroken("the report was changed since it was signed, or signed with another key")
    return content


def _canonical(content: dict[str, Any]) -> bytes:
    """The same bytes for the same content, however its file is laid out."""
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _written(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
