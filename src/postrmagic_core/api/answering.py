"""What an operation answers with, held against what it declares: another status, type or header never leaves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .._problem import CONTENT_TYPE, Problem
from ..errors import PreconditionFailed, UsageError
from ..validation.responses import HEADERS, Responses
from .conditional import Precondition, etag_of, not_modified_headers
from .interface import Call, FileReply, Files, Operation, PlainResponse, Refusal, Reply
from .prepared import PreparedReply
from .problems import Problems
from .versions import deprecation_headers

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
# What says where a body ends and what it is belongs to whoever makes the body.
_NOBODYS = frozenset({"content-type", "content-length", "transfer-encoding", "connection"})
_REVALIDATED = {"cache-control": "private, no-cache"}
_SAFE = {"x-content-type-options": "nosniff"}
_BESIDE = ("next", "meta")


class Answering:
    """Makes answers of what the handlers of one operation return.

    Raises :class:`UsageError` for what the operation does not declare: a status, data where there is no body or none
    where there is one, a file or a media type, ``next`` or ``meta`` of a model that has none; and for a header that is
    none. Nothing of the data is repeated.
    """

    def __init__(self, operation: Operation, problems: Problems) -> None:
        self._operation = operation
        self._problems = problems
        self._default = next(iter(operation.answers))
        self._empty = next((status for status, model in operation.answers.items() if model is None), self._default)
        self._file = next((status for status, one in operation.answers.items() if isinstance(one, Files)), None)
        models = {
            status: model
            for status, model in operation.answers.items()
            if model is not None and not isinstance(model, Files)
        }
        self._models = {status: Responses(model) for status, model in models.items()}
        self._unknown = {
            status: [name for name in _BESIDE if name not in model.model_fields] for status, model in models.items()
        }
        self._told = deprecation_headers(operation.deprecated)

    def of(self, call: Call, result: Any) -> PlainResponse:
        """The answer to ``call``, for which the handler returned ``result``."""
        if isinstance(result, Refusal):
            self._problems[result.problem.code]  # one that nobody declared is no answer
            return self.problem(result.problem, result.headers)
        if isinstance(result, FileReply):
            return self._unless_known(call, self._of_file(result))
        if isinstance(result, PreparedReply):
            return self._unless_known(call, self._of_prepared(result))
        reply = result if isinstance(result, Reply) else Reply(result)
        status = reply.status
        if status is None:
            status = self._default if reply.data is not None else self._empty
        if status not in self._models:
            return self._bare(status, reply)
        for name in self._unknown[status]:
            if getattr(reply, name) is not None:
                raise self._mistake(f"gave {name}, which its answer has not: declare Page, PageWith or DataWith")
        rendered = self._models[status].render(_envelope(reply), status=status)
        headers = {**rendered.headers, **self._told}
        if self._operation.conditional:
            headers |= {**_REVALIDATED, "etag": etag_of(rendered.body)}
        if reply.headers:
            headers |= self._checked(reply.headers)
        return self._unless_known(call, PlainResponse(status, headers, rendered.body))

    def problem(self, problem: Problem, headers: Mapping[str, str] | None = None) -> PlainResponse:
        """``problem`` as an answer, which nobody stores."""
        return problem_answer(self._problems, problem, {**self._told, **self._checked(headers or {})})

    def _bare(self, status: int, reply: Reply) -> PlainResponse:
        """An answer without a body; everything else that has no model is a mistake."""
        if status not in self._operation.answers:
            known = ", ".join(map(str, self._operation.answers))
            raise self._mistake(f"answered {status}, which it does not declare: declare it with also={{…}}; {known} is")
        if self._operation.answers[status] is not None:
            raise self._mistake("declares a file: return a FileReply")
        if (reply.data, reply.next, reply.meta) != (None, None, None):
            raise self._mistake(f"gave data for {status}, which has no body")
        return PlainResponse(status, self._told | self._checked(reply.headers))

    def _of_prepared(self, reply: PreparedReply) -> PlainResponse:
        if not reply.fits(self._operation.answers[self._default]):
            raise self._mistake("answered with what was prepared by another model than the one it declares")
        headers = {**HEADERS, **self._told}
        if self._operation.conditional:
            headers |= {**_REVALIDATED, **self._checked({"etag": reply.etag})}
        return PlainResponse(self._default, headers, reply.body)

    def _of_file(self, reply: FileReply) -> PlainResponse:
        if self._file is None or reply.media_type not in self._operation.answers[self._file].media_types:
            raise self._mistake("answered with a file of a type that it does not declare: declare it as Files([…])")
        own = {"content-type": reply.media_type, **_SAFE, **_REVALIDATED}
        return PlainResponse(self._file, own | self._told | self._checked(reply.headers), file=reply.path)

    def _unless_known(self, call: Call, answer: PlainResponse) -> PlainResponse:
        """304 in place of what the client has already (RFC 9110, section 13.1.2)."""
        etag = answer.headers.get("etag")
        if etag is None or answer.status != 200 or call.method not in {"GET", "HEAD"}:
            return answer
        if "if-none-match" not in call.headers and "if-match" not in call.headers:
            return answer
        try:
            known = Precondition.of(call.headers).is_unmodified(etag)
        except PreconditionFailed as error:
            return self.problem(self._problems.for_error(error))
        return PlainResponse(304, not_modified_headers(answer.headers)) if known else answer

    def _checked(self, given: Mapping[str, str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in given.items():
            key = name.lower()
            if key in _NOBODYS or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise self._mistake(
                    f"gave the header {name!r:.60}: expected printable ASCII on one line, and no other type or length"
                )
            found[key] = value
        return found

    def _mistake(self, told: str) -> UsageError:
        return UsageError(f"{self._operation.name} {told}")


def problem_answer(problems: Problems, problem: Problem, headers: Mapping[str, str]) -> PlainResponse:
    """``problem`` as ``problems`` tells it, which nobody stores; ``headers`` are added, names in lower case."""
    own = {"content-type": CONTENT_TYPE, "cache-control": "no-store", **_SAFE}
    return PlainResponse(problem.status, own | dict(headers), problem.body(problems.base))


def _envelope(reply: Reply) -> dict[str, object]:
    told: dict[str, object] = {"data": reply.data}
    if reply.next is not None:
        told["next"] = reply.next
    if reply.meta is not None:
        told["meta"] = reply.meta
    return told
