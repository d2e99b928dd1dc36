"""Calls without a server: an operation is declared by a test, and asked in both ways."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from postrmagic_core.api import Api, Call, Inputs, Problems, ProblemType, Specification
from postrmagic_core.api.endpoint import Endpoint
from postrmagic_core.api.interface import PlainResponse

JSON = {"content-type": "application/json"}


class Gone(Exception):
    """What the registry says to be ``thing.gone``."""


PROBLEMS = Problems(
    ProblemType("thing.gone", 410, "It is gone", "Nothing can be done."),
    ProblemType("thing.not_found", 404, "No such thing", "Ask for the list."),
    base="/problems/",
    errors={Gone: "thing.gone"},
)


class Body:
    """A body in pieces; ``error`` comes after them."""

    def __init__(self, *pieces: bytes, error: BaseException | None = None) -> None:
        self.pieces, self.error, self.asked = list(pieces), error, 0

    async def chunks(self) -> AsyncIterator[bytes]:
        """For those who await."""
        for piece in self.pieces:
            self.asked += 1
            yield piece
        if self.error is not None:
            raise self.error

    def file(self) -> Body:
        """For those who wait: itself, from its beginning."""
        self._file = io.BytesIO(b"".join(self.pieces))
        return self

    def read(self, size: int, /) -> bytes:
        """As of a file."""
        self.asked += 1
        return self._file.read(size)


def api_of(kind: type, *, inputs: Inputs | None = None, **options: Any) -> Api:
    """An Api of one class."""
    given: dict[str, Any] = {"title": "Test", "version": "1.0.0", "problems": PROBLEMS} | options
    return Api(Specification([kind], **given), [kind()], inputs)


def endpoint_of(decorated: Callable[..., Any], **options: Any) -> Endpoint:
    """The endpoint of one handler, a function of ``self``."""
    return api_of(type("Things", (), {"__doc__": "Things.", decorated.__name__: decorated}), **options).endpoints[0]


def call(
    endpoint: Endpoint,
    values: Mapping[str, str] | None = None,
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    body: Body | None = None,
    method: str | None = None,
) -> Call:
    """A call of an operation."""
    operation = endpoint.operation
    return Call(
        operation,
        method or operation.method,
        operation.path,
        dict(headers or {}),
        query,
        dict(values or {}),
        body or Body(),
    )


async def lifted(function: Callable[[], Any]) -> Any:
    """On a thread, as a server would."""
    return await asyncio.to_thread(function)


def ask(endpoint: Endpoint, *args: Any, **options: Any) -> PlainResponse:
    """The answer, which is the same of a server that awaits and, of a plain function, of one that waits."""
    answer = asyncio.run(endpoint.respond(call(endpoint, *args, **options), lifted))
    if not endpoint.is_async:
        assert endpoint.respond_now(call(endpoint, *args, **options)) == answer
    return answer


def code(answer: PlainResponse) -> tuple[int, str]:
    """Status and code of a problem document."""
    document = json.loads(answer.body)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (document["status"], document["type"]) == (answer.status, f"/problems/{document['code']}")
    return answer.status, str(document["code"])
