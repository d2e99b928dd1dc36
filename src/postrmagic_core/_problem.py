"""Problem documents: what a client is told when a request fails (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from . import errors

CONTENT_TYPE = "application/problem+json"

# The most specific class wins: looked up along the error's MRO.
_STATUS: dict[type[BaseException], int] = {
    errors.ValidationFailed: 422,
    errors.UnsupportedMedia: 415,
    errors.UniqueViolation: 409,
    errors.LastHolder: 409,
    errors.IntegrityViolation: 409,
    errors.Conflict: 503,
    errors.BackendUnavailable: 503,
    errors.BackendTimeout: 503,
    errors.BackendReadOnly: 503,
    errors.PoolExhausted: 503,
    errors.OutOfSpace: 507,
    errors.OutcomeUnknown: 503,
    errors.FetchError: 422,
    errors.Overloaded: 503,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem document.

    ``code`` is stable and for programs, ``title`` and ``detail`` are for people; ``errors`` lists the fields at fault
    (``pointer``, ``code``, ``message``). Nothing of an exception's text is in it unless the caller put it there.
    """

    status: int
    code: str
    title: str = ""
    detail: str = ""
    errors: Sequence[Mapping[str, str]] = ()
    extra: Mapping[str, object] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """The document's members; ``type`` is ``about:blank`` as the status and ``code`` say what there is to say."""
        document: dict[str, object] = {
            "type": "about:blank",
            "title": self.title or HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
        }
        if self.detail:
            document["detail"] = self.detail
        if self.errors:
            document["errors"] = [dict(error) for error in self.errors]
        return document | dict(self.extra)

    def body(self) -> bytes:
        """The document as UTF-8 JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":")).encode()


def problem_for(error: BaseException) -> Problem:
    """What a client may know about ``error``: a stable code and the fields at fault, never the exception's text."""
    if isinstance(error, errors.AccessDenied):
        return _refused(error)
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
    if isinstance(error, errors.ValidationFailed):
        return Problem(status, error.code, errors=error.errors)
    return Problem(status, error.code if isinstance(error, errors.PostrMagicError) and status != 500 else "internal")


def _refused(error: errors.AccessDenied) -> Problem:
    if error.nobody:
        return Problem(401, "authentication.required", detail="This needs valid credentials.")
    if error.hidden:
        return Problem(404, "not_found")
    return Problem(403, error.code, detail="You may not do this.")
