"""Problem documents: what a client is told when a request fails (RFC 9457)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import quote

from . import errors

CONTENT_TYPE = "application/problem+json"
NO_TYPE = "about:blank"

# Unreserved characters (RFC 3986, section 2.3): nothing that anybody reads in two ways, no user, query or fragment.
_TYPES = re.compile(
    r"(?:https?://(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?)?"
    r"/(?:(?!\.{1,2}/)[A-Za-z0-9._~-]+/)*"
)

# The most specific class wins: looked up along the error's MRO.
_STATUS: dict[type[BaseException], int] = {
    errors.ValidationFailed: 422,
    errors.UnsupportedMedia: 415,
    errors.UniqueViolation: 409,
    errors.LastHolder: 409,
    errors.TooManyTokens: 409,
    errors.PreconditionFailed: 412,
    errors.PreconditionRequired: 428,
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

    def to_dict(self, types: str | None = None) -> dict[str, object]:
        """The document's members; ``type`` is the code beneath ``types``, as :func:`checked_types` allows them.

        Without ``types`` it is ``about:blank``: the status and ``code`` say what there is to say.
        """
        document: dict[str, object] = {
            "type": NO_TYPE if types is None else f"{types}{quote(self.code, safe='', errors='replace')}",
            "title": self.title or HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
        }
        if self.detail:
            document["detail"] = self.detail
        if self.errors:
            document["errors"] = [dict(error) for error in self.errors]
        return document | dict(self.extra)

    def body(self, types: str | None = None) -> bytes:
        """The document as UTF-8 JSON."""
        return json.dumps(self.to_dict(types), ensure_ascii=False, separators=(",", ":")).encode()


def checked_types(types: object) -> str:
    """``types`` if codes may follow it: ``/problems/`` or ``https://api.example.org/problems/``.

    Else :class:`ConfigurationError`: a path without its slash at the end, a host without a scheme, a query.
    """
    if not isinstance(types, str) or _TYPES.fullmatch(types) is None:
        raise errors.ConfigurationError(
            "expected where the types of problems are as an absolute path or URL that ends in a slash, without query "
            "or fragment, such as /problems/ or https://api.example.org/problems/"
        )
    return types


def answered(kind: type[BaseException]) -> bool:
    """Whether :func:`problem_for` knows this very class, not one above it, as something that a client is told."""
    return kind in _STATUS or kind is errors.AccessDenied


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
