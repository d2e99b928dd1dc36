"""Who a statement is for, said in a comment at its end: a server's slow log and process list then lead to the request.

The format is sqlcommenter's (google.github.io/sqlcommenter): ``/*job_id='…',request_id='…',traceparent='…'*/``. It is
added as the statement is sent, so that neither SQLAlchemy's caches nor the query log see it. Values are of letters,
digits, ``.``, ``_`` and ``-`` only, others are left out: none ends the comment, its quotes, or is a mark for a value.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from structlog.contextvars import get_contextvars

from .._spans import carried

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}").fullmatch
_NAMES = ("job_id", "request_id")
# Behind a semicolon a comment would be a second statement.
_ENDS = "; \t\r\n"
# PyMySQL sends the rows of an INSERT together if it ends with its values: there the comment comes early.
_INSERTS = re.compile(r"\s*(?:INSERT|REPLACE)\b", re.IGNORECASE).match


def commented(statement: str, many: bool = False) -> str:
    """``statement`` with the request or job it is for, if there is one; ``many``: it runs for several rows."""
    remark = _remark()
    if not remark:
        return statement
    verb = _INSERTS(statement) if many else None
    if verb is not None:
        return f"{verb.group()} {remark}{statement[verb.end() :]}"
    return f"{statement.rstrip(_ENDS)} {remark}"


def _remark() -> str:
    bound: dict[str, Any] = {**get_contextvars(), **carried()}
    trace, span = _checked(bound.get("trace_id")), _checked(bound.get("span_id"))
    # 00, not recorded, is what is known where nobody records.
    parent = f"00-{trace}-{span}-{_checked(bound.get('trace_flags')) or '00'}" if trace and span else ""
    return _written(*(_checked(bound.get(name)) for name in _NAMES), parent)


def _checked(value: object) -> str:
    return value if isinstance(value, str) and _WELL_FORMED(value) is not None else ""


@lru_cache(maxsize=256)
def _written(job_id: str, request_id: str, traceparent: str) -> str:
    told = {"job_id": job_id, "request_id": request_id, "traceparent": traceparent}
    pairs = ",".join(f"{name}='{value}'" for name, value in told.items() if value)
    return f"/*{pairs}*/" if pairs else ""
