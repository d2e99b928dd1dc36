"""One operation and what carries it out: from a call to its answer."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, TypeAlias

from ..errors import AccessDenied, Overloaded, QueryTooLong, UsageError, ValidationFailed
from ..log import get_logger
from ..security.access import present
from .answering import Answering, problem_answer
from .interface import Call, Handler, Operation, PlainResponse
from .problems import Problems
from .reading import Inputs, NoSuchPath, Reader, is_too_large

Lift: TypeAlias = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function that waits on a thread."""

log = get_logger("postrmagic_core.api")
_SHORTLY = 1.0
_ORDER = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class Endpoint:
    """An operation, bound to the method that carries it out.

    ``respond`` is for servers that await, ``respond_now`` for those that wait. Both answer every mistake of the client
    with a problem document; what is nobody's mistake but ours, or a backend's, is raised for ``errors()`` to log and
    answer.
    """

    def __init__(self, operation: Operation, handler: Handler, inputs: Inputs, problems: Problems) -> None:
        self.operation = operation
        self.is_async = inspect.iscoroutinefunction(handler)
        self._handler = handler
        self._problems = problems
        self._reader = Reader(operation, inputs, takes_call="call" in inspect.signature(handler).parameters)
        self._answering = Answering(operation, problems)
        self._missing = next((code for code in operation.problems if problems[code].status == 404), "http.404")

    async def respond(self, call: Call, lift: Lift) -> PlainResponse:
        """The answer to ``call``; ``lift`` runs a handler that waits on a thread."""
        told_in: str | None = None
        try:
            told_in = self._reader.locale(call)
            self._admit()
            given = self._reader.given(call, told_in)
            if self._reader.body is not None:
                given["body"] = await self._reader.checked(call, told_in)
            told_in = None  # what the handler refuses it says in words of its own
            result = await (self._handler(**given) if self.is_async else lift(lambda: self._handler(**given)))
        except Exception as error:
            return self._refused(error, told_in)
        return self._answering.of(call, result)

    def respond_now(self, call: Call) -> PlainResponse:
        """The answer to ``call``, of a handler that waits; raises :class:`UsageError` for one that awaits."""
        if self.is_async:
            raise UsageError(f"{self.operation.name} awaits, which this server cannot: make it a plain method")
        told_in: str | None = None
        try:
            told_in = self._reader.locale(call)
            self._admit()
            given = self._reader.given(call, told_in)
            if self._reader.body is not None:
                given["body"] = self._reader.checked_now(call, told_in)
            told_in = None  # what the handler refuses it says in words of its own
            result = self._handler(**given)
        except Exception as error:
            return self._refused(error, told_in)
        return self._answering.of(call, result)

    def plain(self, status: int, headers: Mapping[str, str]) -> PlainResponse:
        """What a framework says by a status alone, as 416 for a range that a file has not; names in lower case."""
        return self._answering.problem(self._problems.problem(f"http.{status}"), headers)

    def _admit(self) -> None:
        """Nobody gets here whom the authorization layer did not let through; without one, nobody does."""
        need = self.operation.access
        if need == "public":
            return
        here = present()
        if here is None:
            raise UsageError(
                f"{self.operation.name} needs {need}: put authorization(access, **specification.rules()) "
                "into the pipeline before it"
            )
        if need == "signed-in":
            if here.who is None:
                raise here.access.refuse(None, need, why=self.operation.name)
        else:
            here.access.require(here.who, need)

    def _refused(self, error: Exception, told_in: str | None) -> PlainResponse:
        """``told_in``: the language of what is wrong with the input, if that is what ``error`` tells."""
        if isinstance(error, NoSuchPath) or (isinstance(error, AccessDenied) and error.hidden):
            return self._answering.problem(self._problems.problem(self._missing))
        if isinstance(error, AccessDenied):
            raise error  # the layer that let the request through answers, with its challenge
        if isinstance(error, QueryTooLong):
            return self._answering.problem(self._problems.problem("request.target_too_long"))
        problem = self._problems.for_error(error)
        if problem.status >= 500 and not self._problems.maps(error):
            raise error
        headers: dict[str, str] = {}
        if isinstance(error, ValidationFailed):
            if told_in is not None:
                headers = {"content-language": told_in, "vary": "Accept-Language"}
            if is_too_large(error):
                problem = replace(self._problems.problem("data.too_large"), errors=problem.errors)
        if isinstance(error, Overloaded):
            log.warning("a request was turned away", code=problem.code, operation=self.operation.name)
        elif problem.status >= 500:
            log.error("a request failed", exc_info=error, code=problem.code)  # told to the client, so not raised
        else:
            log.info("request refused", code=problem.code, operation=self.operation.name)
        after = getattr(error, "retry_after", _SHORTLY if isinstance(error, Overloaded) else None)
        if after is not None:
            headers["retry-after"] = str(max(1, ceil(after)))
        return self._answering.problem(problem, headers)


@dataclass(frozen=True, slots=True)
class Place:
    """One path and the endpoints of its methods, which a framework's module makes one route of."""

    path: str
    endpoints: dict[str, Endpoint]
    not_allowed: PlainResponse
    """What every other method is answered with."""

    def endpoint(self, method: str) -> Endpoint | None:
        """The one of ``method``; ``None`` where the path has no such method."""
        return self.endpoints.get("GET" if method == "HEAD" else method)


def places(endpoints: tuple[Endpoint, ...], base: str, problems: Problems) -> tuple[Place, ...]:
    """The endpoints by path, beneath ``base``: those that are written out before those with a name in their place."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(base + endpoint.operation.path, {})[endpoint.operation.method] = endpoint
    ordered = sorted(by_path, key=lambda path: [segment.startswith("{") for segment in path.split("/")])
    return tuple(Place(path, by_path[path], _not_allowed(by_path[path], problems)) for path in ordered)


def _not_allowed(methods: dict[str, Endpoint], problems: Problems) -> PlainResponse:
    """405, with the methods that there are (RFC 9110, section 15.5.6)."""
    allowed = [method for method in _ORDER if ("GET" if method == "HEAD" else method) in methods]
    return problem_answer(problems, problems.problem("http.405"), {"allow": ", ".join(allowed)})
