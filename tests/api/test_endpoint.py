"""From a call to its answer: who gets in, what leaves, and whose mistake it is."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._problem import Problem
from postrmagic_core.api import Call, Problems, Reply, delete, get, post
from postrmagic_core.api.envelope import Data, DataWith, Page
from postrmagic_core.api.interface import Deprecation, FileReply, Files, PlainResponse, Refusal
from postrmagic_core.errors import AccessDenied, BackendUnavailable, ConfigurationError, Overloaded, UsageError
from postrmagic_core.security.access import Access, Role, Roles, User
from postrmagic_core.validation.responses import Output

from .doubles_endpoint import PROBLEMS, Gone, ask, call, code, endpoint_of, lifted

_NO_UNITS: Any = None
ACCESS = Access(
    Roles([Role("reader", allow=["thing:read", "thing:edit:own"])], ["thing:read", "thing:edit"]), _NO_UNITS
)
READER, NOBODY = User("1", frozenset({"reader"})), User("2")


class Thing(Output):
    """A thing."""

    id: int


def returning(result: Any, answer: Any = Data[Thing], **details: Any) -> Any:
    """An operation that answers ``result``, or raises it."""

    @get("/things", answer, access="public", **details)
    def show(self: Any) -> Any:
        """Show it."""
        if isinstance(result, BaseException):
            raise result
        return result

    return endpoint_of(show)


def needing(need: str) -> Any:
    """An operation with this access."""

    @get("/things", Data[int], access=need, problems=["thing.not_found"])
    def show(self: Any) -> int:
        """Show it."""
        return 1

    return endpoint_of(show)


# Access


@pytest.mark.parametrize("need", ["signed-in", "thing:read", "thing:edit:own"])
def test_without_an_authorization_layer_nobody_gets_in(need: str) -> None:
    """It is a mistake of the application, which says what is missing."""
    with pytest.raises(UsageError, match=rf"show needs {need}: put authorization"):
        ask(needing(need))


def test_what_is_public_is_public() -> None:
    """With a layer or without, for somebody or nobody."""
    assert ask(needing("public")).status == 200
    with ACCESS.acting(None):
        assert ask(needing("public")).status == 200


@pytest.mark.parametrize(
    ("need", "who", "allowed"),
    [
        ("signed-in", None, False),
        ("signed-in", NOBODY, True),
        ("thing:read", None, False),
        ("thing:read", NOBODY, False),
        ("thing:read", READER, True),
        ("thing:edit:own", READER, True),
        ("thing:edit", READER, False),
    ],
)
def test_an_operation_asks_by_itself(need: str, who: User | None, allowed: bool) -> None:
    """Whatever the rules of the layer before it let through."""
    with ACCESS.acting(who):
        if allowed:
            assert ask(needing(need)).status == 200
        else:
            with pytest.raises(AccessDenied) as raised:
                ask(needing(need))
            assert raised.value.nobody is (who is None)


def test_who_may_not_learns_nothing_of_the_input() -> None:
    """Access comes before anything is read."""

    @get("/things/{id}", Data[int], access="signed-in", problems=["thing.not_found"])
    def show(self: Any, id: int) -> int:
        """Show it."""
        return 1

    with ACCESS.acting(None), pytest.raises(AccessDenied):
        ask(endpoint_of(show), {"id": "x"}, query="unknown=1")


# Errors


def test_a_hidden_denial_is_the_same_as_nothing_there() -> None:
    """With the operation's own code where it has one."""
    denied = AccessDenied("x", hidden=True)
    assert code(returning(denied, problems=["thing.not_found"]) and ask(returning(denied))) == (404, "http.404")
    answer = ask(returning(denied, problems=["thing.gone", "thing.not_found"]))
    assert code(answer) == (404, "thing.not_found")
    assert answer == ask(returning(Refusal(PROBLEMS.problem("thing.not_found"))))


@pytest.mark.parametrize("error", [AccessDenied("x"), AccessDenied("x", nobody=True)])
def test_another_denial_is_the_layers(error: AccessDenied) -> None:
    """Which knows the challenge."""
    with pytest.raises(AccessDenied):
        ask(returning(error))


def test_an_error_that_the_registry_knows_is_answered() -> None:
    """By its type; its text stays here."""
    answer = ask(returning(Gone("hunter2")))
    assert code(answer) == (410, "thing.gone")
    assert b"hunter2" not in answer.body
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "error", [ValueError("hunter2"), KeyError(), BackendUnavailable("x"), Overloaded("x"), UsageError("x"), OSError()]
)
def test_what_is_nobodys_mistake_but_ours_is_raised(error: Exception) -> None:
    """For errors() to log and answer; the very exception."""
    endpoint = returning(error)
    with pytest.raises(type(error)) as raised:
        asyncio.run(endpoint.respond(call(endpoint), lifted))
    assert raised.value is error


def test_who_is_turned_away_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Given an error of overload that the registry knows: 503, when to come back, and a record without a traceback."""

    class Busy(Overloaded):
        """There is no place."""

    @get("/things", Data[int], access="public")
    def show(self: Any) -> int:
        """Show it."""
        raise Busy("hunter2")

    endpoint = endpoint_of(show, problems=Problems(base="/problems/", errors={Busy: "overloaded"}))
    answer = asyncio.run(endpoint.respond(call(endpoint), lifted))
    assert (code(answer), answer.headers["retry-after"]) == ((503, "overloaded"), "1")
    (logged,) = caplog.records
    assert (logged.levelno, logged.exc_info) == (logging.WARNING, None)
    assert "hunter2" not in caplog.text


def test_a_cancelled_call_is_no_answer() -> None:
    """Whoever cancels is told so."""
    reached = asyncio.Event()

    @get("/things", Data[int], access="public")
    async def wait(self: Any) -> int:
        """Wait."""
        reached.set()
        await asyncio.Event().wait()
        return 1

    async def main() -> None:
        endpoint = endpoint_of(wait)
        task = asyncio.create_task(endpoint.respond(call(endpoint), lifted))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_what_awaits_cannot_be_waited_for() -> None:
    """A server that waits says so."""

    @get("/things", Data[int], access="public")
    async def later(self: Any) -> int:
        """Answer later."""
        return 1

    endpoint = endpoint_of(later)
    assert ask(endpoint).body == b'{"data":1}'
    with pytest.raises(UsageError, match="later awaits"):
        endpoint.respond_now(call(endpoint))


# Answers

NO_BODY = {200: Data[Thing], 204: None}


@pytest.mark.parametrize(
    ("result", "status", "body"),
    [
        ({"id": 1}, 200, b'{"data":{"id":1}}'),
        (Thing(id=1), 200, b'{"data":{"id":1}}'),
        (Reply({"id": 1}), 200, b'{"data":{"id":1}}'),
        (Reply({"id": 1}, status=202), 202, b'{"data":{"id":1}}'),
        ({"id": 1, "password": "hunter2"}, 200, b'{"data":{"id":1}}'),
        (None, 204, b""),
        (Reply(status=204), 204, b""),
    ],
)
def test_what_is_declared_leaves(result: Any, status: int, body: bytes) -> None:
    """The fields of the model, and no others."""
    answer = ask(returning(result, also={202: Data[Thing], 204: None}))
    assert (answer.status, answer.body) == (status, body)


@pytest.mark.parametrize(
    ("result", "answer", "told"),
    [
        (None, Data[Thing], "does not fit its model"),
        ("x", Data[Thing], "does not fit its model"),
        ({"id": "1"}, Data[Thing], "does not fit its model"),
        ([{"id": 1}], Data[Thing], "does not fit its model"),
        (object(), Data[Thing], "does not fit its model"),
        (b"{}", Data[Thing], "does not fit its model"),
        (PlainResponse(200, {}, b"{}"), Data[Thing], "does not fit its model"),
        ({"id": 1}, Page[Thing], "does not fit its model"),
        (Reply({"id": 1}, status=201), Data[Thing], "answered 201, which it does not declare"),
        (Reply(status=204), Data[Thing], "answered 204, which it does not declare"),
        (Reply({"id": 1}, status=0), Data[Thing], "answered 0, which it does not declare"),
        (Reply({"id": 1}, status=404), Data[Thing], "answered 404, which it does not declare"),
        (Reply({"id": 1}, next="x"), Data[Thing], "gave next"),
        (Reply({"id": 1}, meta={}), Data[Thing], "gave meta"),
        (Reply([], meta={}), Page[Thing], "gave meta"),
        ({"id": 1}, DataWith[Thing, Thing], "does not fit its model"),
        ({"id": 1}, Files(["text/plain"]), "return a FileReply"),
        (None, Files(["text/plain"]), "return a FileReply"),
        (FileReply(Path("x"), "text/plain"), Data[Thing], "a file of a type that it does not declare"),
        (FileReply(Path("x"), "text/html"), Files(["text/plain"]), "a file of a type that it does not declare"),
    ],
)
def test_what_is_not_declared_does_not_leave(result: Any, answer: Any, told: str) -> None:
    """It is our mistake, and nothing of the data is in the words."""
    with pytest.raises(UsageError, match=told):
        ask(returning(result, answer))


@pytest.mark.parametrize(
    "reply", [Reply({"id": 1}, status=204), Reply(next="x", status=204), Reply(meta=1, status=204)]
)
def test_an_answer_without_a_body_has_no_data(reply: Reply) -> None:
    """Which would be lost silently."""

    @delete("/things", access="public")
    def remove(self: Any) -> Reply:
        """Remove."""
        return reply

    with pytest.raises(UsageError, match="remove gave data for 204"):
        ask(endpoint_of(remove))


def test_a_refusal_is_of_a_type_that_is_declared() -> None:
    """A code that the registry does not know is a mistake."""
    answer = ask(returning(Refusal(PROBLEMS.problem("thing.gone"), {"Retry-After": "5"})))
    assert (code(answer), answer.headers["retry-after"]) == ((410, "thing.gone"), "5")
    with pytest.raises(ConfigurationError, match=r"thing\.gne"):
        ask(returning(Refusal(Problem(410, "thing.gne"))))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Name", "a\r\nSet-Cookie: b=c"),
        ("X-Name", "a\nb"),
        ("X-Name", "a\x00"),
        ("X-Name", "ä"),
        ("X-Name: b\r\nY", "a"),
        ("X Name", "a"),
        ("", "a"),
        ("Content-Type", "text/html"),
        ("content-length", "0"),
        ("Transfer-Encoding", "chunked"),
    ],
)
@pytest.mark.parametrize("kind", ["data", "nothing", "file", "refusal"])
def test_a_header_is_one_line_and_changes_no_type(kind: str, name: str, value: str) -> None:
    """Whatever the handler made it of."""
    headers = {name: value}
    result, answer = {
        "data": (Reply({"id": 1}, headers=headers), Data[Thing]),
        "nothing": (Reply(status=204, headers=headers), Data[Thing]),
        "file": (FileReply(Path("x"), "text/plain", headers), Files(["text/plain"])),
        "refusal": (Refusal(PROBLEMS.problem("thing.gone"), headers), Data[Thing]),
    }[kind]
    with pytest.raises(UsageError, match="gave the header") as raised:
        ask(returning(result, answer, also={204: None}))
    assert "\n" not in str(raised.value)


def test_headers_are_added_in_lower_case() -> None:
    """And may say how long it is kept."""
    answer = ask(returning(Reply({"id": 1}, headers={"Location": "/x", "Cache-Control": "max-age=5"})))
    assert answer.headers == {
        "content-type": "application/json",
        "x-content-type-options": "nosniff",
        "cache-control": "max-age=5",
        "location": "/x",
    }


def test_a_deprecated_operation_says_so_in_every_answer() -> None:
    """Of problems too."""
    since = Deprecation(date(2026, 1, 1), date(2027, 1, 1), "/docs")
    for result in ({"id": 1}, Gone()):
        headers = ask(returning(result, deprecated=since)).headers
        assert (headers["deprecation"], headers["sunset"]) == ("@1767225600", "Fri, 01 Jan 2027 00:00:00 GMT")
        assert headers["link"] == '</docs>; rel="deprecation"; type="text/html"'


# Conditional


def test_what_the_client_has_is_not_sent_again() -> None:
    """304 with the tag; HEAD alike; a tag of another answer gets the whole."""
    endpoint = returning({"id": 1}, conditional=True)
    whole = ask(endpoint)
    etag = whole.headers["etag"]
    for method in ("GET", "HEAD"):
        known = ask(endpoint, headers={"if-none-match": f"W/{etag}"}, method=method)
        assert (known.status, known.body, known.headers["etag"]) == (304, b"", etag)
        assert "content-type" not in known.headers
    assert ask(endpoint, headers={"if-none-match": '"other"'}) == whole
    assert ask(endpoint, headers={"if-none-match": "no tag"}) == whole
    assert whole.headers["cache-control"] == "private, no-cache"
    assert code(ask(endpoint, headers={"if-match": '"other"'})) == (412, "precondition.failed")


def test_a_write_is_never_not_modified() -> None:
    """Its answer is sent whole, whatever the client has."""

    @post("/things", Data[Thing], access="public", conditional=True)
    def add(self: Any) -> dict[str, int]:
        """Add."""
        return {"id": 1}

    assert ask(endpoint_of(add), headers={"if-none-match": "*"}).status == 200


def test_a_file_is_conditional_by_its_tag(tmp_path: Path) -> None:
    """It is nobody else's, and is asked about again."""
    path = tmp_path / "a.txt"
    reply = FileReply(path, "text/plain", {"ETag": '"a"'})
    endpoint = returning(reply, Files(["text/plain"]))
    assert ask(endpoint) == PlainResponse(
        200,
        {
            "content-type": "text/plain",
            "x-content-type-options": "nosniff",
            "cache-control": "private, no-cache",
            "etag": '"a"',
        },
        file=path,
    )
    assert ask(endpoint, headers={"if-none-match": '"a"'}).status == 304


def test_a_handler_gets_its_call_where_it_asks_for_it() -> None:
    """By the parameter's name."""

    @get("/things/{id}", Data[str], access="public")
    def show(self: Any, call: Call, id: int) -> str:
        """Show it."""
        return f"{call.method} {id} {call.headers['x-name']}"

    answer = ask(endpoint_of(show), {"id": "7"}, headers={"x-name": "n"})
    assert json.loads(answer.body) == {"data": "GET 7 n"}
