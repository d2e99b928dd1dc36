"""Many items in one request: each by itself, each with its own result, and nothing that one does to another."""

# ruff: noqa: F811 - fixtures are imported, and named again by who takes them
from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, String, Table, delete, insert, select, update

from postrmagic_core._problem import Problem, problem_for
from postrmagic_core.api.bulk import BulkAnswer, BulkResult, bulk, bulk_async
from postrmagic_core.api.interface import FileReply, Refusal, Reply
from postrmagic_core.api.problem_types import ProblemType
from postrmagic_core.api.problems import Problems
from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.errors import (
    AccessDenied,
    BackendReadOnly,
    BackendTimeout,
    BackendUnavailable,
    Conflict,
    DataError,
    NestedUnit,
    OutcomeUnknown,
    Overloaded,
    PoolExhausted,
    TooManyItems,
    UsageError,
    ValidationFailed,
)
from postrmagic_core.testing import FakeClock
from postrmagic_core.validation.responses import Output, Responses
from tests.databases import database_url, open_database  # noqa: F401 - pytest looks for fixtures here


class Missing(DataError):
    """There is no such thing."""

    code = "thing.missing"


def refusals(error: Exception) -> Problem:
    """What an application makes of its errors."""
    if isinstance(error, Missing):
        return Problem(404, error.code, "No such thing", detail="It is not there.")
    return problem_for(error)


Bulk: TypeAlias = Callable[..., BulkResult]


def _plainly(items: Any, each: Callable[[Any], object], *, refusals: Any = refusals, **options: Any) -> BulkResult:
    return bulk(items, each, refusals=refusals, **options)


def _awaited(items: Any, each: Callable[[Any], object], *, refusals: Any = refusals, **options: Any) -> BulkResult:
    async def lifted(item: Any) -> object:
        await asyncio.sleep(0)
        return each(item)

    return asyncio.run(bulk_async(items, lifted, refusals=refusals, **options))


@pytest.fixture(params=[_plainly, _awaited], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Bulk:
    """Both faces, one after the other."""
    found: Bulk = request.param
    return found


def told(result: BulkResult) -> list[tuple[int, str | None]]:
    """Status and code of each item."""
    return [(each.status, None if each.problem is None else each.problem.code) for each in result.outcomes]


def raising(error: Any) -> Any:
    """Raise ``error``, where an expression is wanted."""
    raise error


def test_each_item_has_its_own_result_in_order(call: Bulk) -> None:
    """Data, nothing, a status of its own, and what was refused: beside each other."""
    answers: dict[str, Callable[[], object]] = {
        "shown": lambda: {"id": 1},
        "gone": lambda: None,
        "made": lambda: Reply({"id": 2}, status=201, headers={"location": "/2"}),
        "missing": lambda: raising(Missing("x")),
        "refused": lambda: Refusal(Problem(409, "thing.taken")),
        "denied": lambda: raising(AccessDenied("x")),
        "hidden": lambda: raising(AccessDenied("x", hidden=True)),
        "last": lambda: 0,
    }
    result = call(answers, lambda name: answers[name]())
    assert [each.index for each in result.outcomes] == list(range(8))
    assert told(result) == [
        *((200, None), (204, None), (201, None), (404, "thing.missing"), (409, "thing.taken")),
        *((403, "access.denied"), (404, "not_found"), (200, None)),
    ]
    assert (result.succeeded, result.failed) == (4, 4)
    assert [each.data for each in result.outcomes if each.problem is None] == [{"id": 1}, None, {"id": 2}, 0]


def test_no_items_are_a_good_answer(call: Bulk) -> None:
    """With nothing in it."""
    assert call([], raising).reply() == Reply([], meta={"succeeded": 0, "failed": 0}, status=200)


class Thing(Output):
    """What clients see."""

    id: int


def test_the_answer_is_one_envelope(call: Bulk) -> None:
    """200 as a whole; by the model, with the problem's type where the application says so."""

    def each(item: int) -> object:
        if item == 3:
            raise ValidationFailed([{"pointer": "/id", "code": "int.odd", "message": "is odd"}])
        return None if item == 2 else {"id": item, "hidden": "x"} if item < 4 else raising(Missing("x"))

    reply = call([1, 2, 3, 4], each).reply("/problems/")
    assert (reply.status, reply.meta) == (200, {"succeeded": 2, "failed": 2})
    body = Responses(BulkAnswer[Thing]).render({"data": reply.data, "meta": reply.meta}).body
    errors = [{"pointer": "/id", "code": "int.odd", "message": "is odd"}]
    invalid = {"type": "/problems/data.invalid", "status": 422, "code": "data.invalid", "errors": errors}
    missing = {"type": "/problems/thing.missing", "title": "No such thing", "status": 404, "code": "thing.missing"}
    found = json.loads(body)
    found["data"][2]["problem"].pop("title")
    assert found == {
        "data": [
            {"index": 0, "status": 200, "data": {"id": 1}},
            {"index": 1, "status": 204, "data": None},
            {"index": 2, "status": 422, "problem": invalid},
            {"index": 3, "status": 404, "problem": missing | {"detail": "It is not there."}},
        ],
        "meta": {"succeeded": 2, "failed": 2},
    }
    assert list(found["data"][0]) == ["index", "status", "data"]


def test_without_types_a_problem_is_blank(call: Bulk) -> None:
    """RFC 9457, section 4.2.1."""
    reply = call([1], lambda item: raising(Missing("x"))).reply()
    body = Responses(BulkAnswer[Thing]).render({"data": reply.data, "meta": reply.meta}).body
    assert json.loads(body)["data"][0]["problem"]["type"] == "about:blank"


def test_the_applications_registry_names_the_problems(call: Bulk) -> None:
    """``Problems.for_error`` is what ``refusals`` is for."""
    known = Problems(
        ProblemType("thing.missing", 404, "No such thing", "It is gone."), errors={Missing: "thing.missing"}
    )
    result = call([1, 2], lambda item: raising(Missing("x") if item == 1 else KeyError(2)), refusals=known.for_error)
    assert told(result) == [(404, "thing.missing"), (500, "internal")]
    for each in result.outcomes:
        assert each.problem is not None
        assert each.problem.title == known[each.problem.code].title


@pytest.mark.parametrize("code", ["bulk.not_tried", "bulk.too_many"])
def test_its_own_codes_are_registered(code: str) -> None:
    """With the status that they have here, and the title."""
    seen = {
        "bulk.not_tried": bulk([1], raising, refusals=refusals, time_limit=1, clock=Expired()).outcomes[0].problem,
        "bulk.too_many": Problems().for_error(TooManyItems([])),
    }[code]
    assert seen is not None
    assert (seen.status, seen.code, seen.title) == (Problems()[code].status, code, Problems()[code].title)


class Expired(FakeClock):
    """A clock that moves an hour at each look."""

    def monotonic(self) -> float:
        """An hour later than the last time."""
        self.advance(3_600)
        return super().monotonic()


# What one does to the others


def test_a_bug_is_one_items_failure(call: Bulk, caplog: pytest.LogCaptureFixture) -> None:
    """The client gets its code and no text; the log gets the exception; the others are carried out."""

    def each(item: int) -> object:
        return {"id": item} if item != 1 else raising(KeyError("canary"))

    with caplog.at_level(logging.INFO, "postrmagic_core.api"):
        result = call([0, 1, 2], each)
    assert told(result) == [(200, None), (500, "internal"), (200, None)]
    assert "canary" not in json.dumps(result.reply().data)
    (logged,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert logged.exc_info is not None
    assert isinstance(logged.exc_info[1], KeyError)
    assert "canary" not in logged.getMessage()


def test_a_hundred_of_the_same_bug_are_logged_with_one_traceback(call: Bulk, caplog: pytest.LogCaptureFixture) -> None:
    """So that nobody floods the log by one request; another bug gets its own."""

    def each(item: int) -> object:
        return raising(KeyError(item)) if item else raising(ZeroDivisionError())

    with caplog.at_level(logging.INFO, "postrmagic_core.api"):
        call(range(100), each)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 100
    assert [record.exc_info[0] for record in errors if record.exc_info] == [ZeroDivisionError, KeyError]


def test_what_was_refused_is_summed_up_in_the_log(call: Bulk, caplog: pytest.LogCaptureFixture) -> None:
    """Who tries a hundred ids is seen, though the answer is 200; nothing of the items is told."""
    with caplog.at_level(logging.INFO, "postrmagic_core.api"):
        call(["canary"] * 3, lambda item: raising(Missing("canary")))
        call([1], lambda item: item)
    (record,) = caplog.records
    assert record.getMessage() == "bulk: 3 of 3 items failed: thing.missing (3)"


@pytest.mark.parametrize("status", [500, 503, 507])
def test_of_a_servers_fault_the_words_stay_here(call: Bulk, status: int) -> None:
    """Also where the application wrote some."""
    spoken = Problem(status, "thing.broken", "Broken", "canary", [{"canary": ""}], {"canary": 1})
    result = call([1], lambda item: raising(Missing("x")), refusals=lambda error: spoken)
    assert result.outcomes[0].problem == Problem(status, "thing.broken", "Broken")
    result = call([1], lambda item: Refusal(spoken))
    assert result.outcomes[0].problem == Problem(status, "thing.broken", "Broken")


@pytest.mark.parametrize("status", [0, 200, 304, 399, 499, 600, -1])
def test_what_is_no_problems_status_is_a_bug(call: Bulk, status: int) -> None:
    """It would make the whole answer fail, after all was done."""
    result = call(
        [1, 2],
        lambda item: Refusal(Problem(status, "x.y")) if item == 1 else raising(Missing("x")),
        refusals=lambda error: Problem(status, "x.y"),
    )
    assert told(result) == [(500, "internal")] * 2
    result.reply()


@pytest.mark.parametrize(
    "answer",
    [Reply(1, status=404), Reply(1, status=204), Reply(1, status=304), FileReply(Path("/etc/passwd"), "text/plain")],
)
def test_what_is_no_items_answer_is_a_bug(call: Bulk, answer: object) -> None:
    """Of that item alone."""
    assert told(call([answer, None], lambda item: item)) == [(500, "internal"), (204, None)]


def test_who_cannot_tell_errors_apart_stops_nothing(call: Bulk, caplog: pytest.LogCaptureFixture) -> None:
    """Both its failure and the item's error are logged; the client hears 500."""

    def broken(error: Exception) -> Problem:
        raise LookupError("canary")

    result = call([1, 2], lambda item: raising(Missing("x")) if item == 1 else item, refusals=broken)
    assert told(result) == [(500, "internal"), (200, None)]
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [LookupError, Missing]
    assert told(call([1], lambda item: raising(Missing("x")), refusals=lambda error: None)) == [(500, "internal")]


AWAY = [BackendUnavailable, BackendTimeout, BackendReadOnly, PoolExhausted, OutcomeUnknown, Overloaded]


@pytest.mark.parametrize("kind", AWAY)
def test_after_a_backend_that_is_away_the_rest_is_not_tried(call: Bulk, kind: type[Exception]) -> None:
    """One time-out for a request, not a hundred; whatever the application makes of the error."""
    tried: list[int] = []

    def each(item: int) -> object:
        tried.append(item)
        return item if item < 2 else raising(kind("canary"))

    for found in (refusals, lambda error: Problem(404, "thing.missing")):
        tried.clear()
        result = call(range(100), each, refusals=found)
        assert tried == [0, 1, 2]
        assert told(result)[3:] == [(503, "bulk.not_tried")] * 97
        assert (result.succeeded, result.failed) == (2, 98)
        assert "canary" not in json.dumps(result.reply().data)


@pytest.mark.parametrize("kind", [Conflict, UsageError, MemoryError, RecursionError, TimeoutError, ExceptionGroup])
def test_other_errors_are_of_one_item(call: Bulk, kind: type[Exception]) -> None:
    """The next one is tried."""
    error = ExceptionGroup("x", [Missing("x")]) if kind is ExceptionGroup else kind("x")
    result = call([1, 2], lambda item: raising(error) if item == 1 else item)
    assert told(result)[1] == (200, None)
    assert told(result)[0][0] in {500, 503}


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_what_is_no_exception_ends_it_at_once(kind: type[BaseException]) -> None:
    """It leaves as it is, and nothing further is tried."""
    tried: list[int] = []

    def each(item: int) -> object:
        tried.append(item)
        raise kind

    with pytest.raises(kind):
        bulk([1, 2], each, refusals=refusals)
    assert tried == [1]

    async def awaited(item: int) -> object:
        return each(item)

    with contextlib.suppress(kind):
        bulk_async([1, 2], awaited, refusals=refusals).send(None)
        pytest.fail("it did not leave")
    assert tried == [1, 1]


def test_a_cancelled_request_does_nothing_further() -> None:
    """What is done stays done, the item under way is cancelled, the others are not begun."""
    tried: list[int] = []

    async def main() -> None:
        second = asyncio.Event()

        async def each(item: int) -> object:
            tried.append(item)
            if item == 2:
                second.set()
                await asyncio.Event().wait()
            return item

        task = asyncio.ensure_future(bulk_async([1, 2, 3], each, refusals=refusals))
        await second.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert tried == [1, 2]


# How much


def test_too_many_items_are_refused_before_one_is_tried(call: Bulk) -> None:
    """422; exactly as many as allowed are tried."""
    tried: list[int] = []
    with pytest.raises(TooManyItems) as caught:
        call(range(101), tried.append)
    assert tried == []
    assert (problem_for(caught.value).status, problem_for(caught.value).code) == (422, "bulk.too_many")
    assert call(range(100), tried.append).succeeded == 100
    with pytest.raises(TooManyItems, match="more than 2 items"):
        call([1, 2, 3], tried.append, max_items=2)


def test_items_without_end_are_not_all_read(call: Bulk) -> None:
    """One more than allowed is enough to refuse them."""
    read: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            read.append(1)
            yield 1

    with pytest.raises(TooManyItems):
        call(endless(), raising, max_items=5)
    assert len(read) == 6


@pytest.mark.parametrize("took", [1.0, 4.0, 6.0])
def test_after_the_deadline_the_rest_is_not_tried(call: Bulk, took: float) -> None:
    """The clock is looked at between items: one that was begun is never cut short."""
    clock = FakeClock()

    def each(item: int) -> object:
        clock.advance(took)
        return item

    result = call(range(6), each, time_limit=5.0, clock=clock)
    done = {1.0: 5, 4.0: 2, 6.0: 1}[took]
    assert told(result) == [(200, None)] * done + [(503, "bulk.not_tried")] * (6 - done)


def test_without_a_deadline_time_does_not_count(call: Bulk) -> None:
    """All are tried."""
    assert call(range(100), lambda item: item, clock=Expired()).succeeded == 100


@pytest.mark.parametrize(
    "options", [{"max_items": 0}, {"time_limit": 0}, {"time_limit": -1.0}, {"time_limit": float("nan")}]
)
def test_limits_that_admit_nothing_are_a_mistake(call: Bulk, options: dict[str, Any]) -> None:
    """Of the calling code."""
    with pytest.raises(UsageError, match="above 0"):
        call([1], raising, **options)


def test_an_async_function_is_not_taken_for_a_plain_one() -> None:
    """Nothing was done, so nothing may be told as done."""
    begun: list[int] = []

    async def each(item: int) -> object:
        begun.append(item)
        return item

    with pytest.raises(UsageError, match="bulk_async"):
        bulk([1, 2], each, refusals=refusals)
    assert begun == []


def test_a_plain_function_is_not_awaited(caplog: pytest.LogCaptureFixture) -> None:
    """Each item is told as failed: what it returned is lost."""
    plain: Any = str
    result = asyncio.run(bulk_async([1, 2], plain, refusals=refusals))
    assert told(result) == [(500, "internal")] * 2
    assert "TypeError" in caplog.text


@settings(deadline=None)
@given(st.lists(st.sampled_from(["done", "gone", "missing", "bug", "away", "late"]), max_size=12))
def test_every_item_has_exactly_one_result(fates: list[str]) -> None:
    """However they end, in whatever order; both faces tell the same."""
    results = []
    for face in (_plainly, _awaited):
        clock = FakeClock()

        def each(fate: str, clock: FakeClock = clock) -> object:
            match fate:
                case "missing":
                    raise Missing("x")
                case "bug":
                    raise ZeroDivisionError
                case "away":
                    raise BackendUnavailable("x")
                case "late":
                    clock.advance(60)
            return None if fate == "gone" else fate

        result = face(fates, each, time_limit=60, clock=clock)
        results.append(told(result))
        assert [outcome.index for outcome in result.outcomes] == list(range(len(fates)))
        assert result.succeeded + result.failed == len(fates)
        last = next((at for at, fate in enumerate(fates) if fate in {"away", "late"}), len(fates))
        assert {code for _, code in results[-1][last + 1 :]} <= {"bulk.not_tried"}
        assert all(code != "bulk.not_tried" for _, code in results[-1][: last + 1])
    assert results[0] == results[1]


# On a database


metadata = MetaData()
things = Table("bulk_things", metadata, Column("id", Integer, primary_key=True), Column("name", String(40)))


@pytest.fixture
def database(open_database: Callable[..., DatabaseManager]) -> DatabaseManager:
    """An open database with three things."""
    manager = open_database()
    with manager.write() as tx:
        metadata.create_all(tx.connection)
        tx.execute(insert(things), [{"id": number, "name": ""} for number in (1, 2, 3)])
    return manager


def names(database: DatabaseManager) -> dict[int, str]:
    """The names of the things there are."""
    with database.read() as tx:
        return {row.id: row.name for row in tx.execute(select(things))}


def rename(tx: Unit, asked: dict[str, Any]) -> dict[str, Any]:
    """Write first, and fail afterwards, if at all: what failed must be gone."""
    found = tx.execute(update(things).where(things.c.id == asked["id"]).values(name=asked["name"])).rowcount
    if not found:
        raise Missing("x")
    return asked if asked["name"] != "bad" else raising(ZeroDivisionError())


RENAMES = [
    *({"id": 1, "name": "a"}, {"id": 9, "name": "b"}, {"id": 2, "name": "bad"}, {"id": 1, "name": "c"}),
    *({"id": 3, "name": "d"},),
]


def test_each_item_is_a_unit_of_its_own(database: DatabaseManager) -> None:
    """One that fails undoes its own work and no other's; an id that comes twice is changed twice, in order."""
    result = bulk(RENAMES, lambda item: database.transact(rename, item), refusals=refusals)
    assert [each.status for each in result.outcomes] == [200, 404, 500, 200, 200]
    assert names(database) == {1: "c", 2: "", 3: "d"}


def test_each_item_is_a_unit_of_its_own_for_asyncio(database: DatabaseManager) -> None:
    """The async face does the same."""

    def each(item: dict[str, Any]) -> Awaitable[object]:
        return database.aio.transact(rename, item)

    result = asyncio.run(bulk_async(RENAMES, each, refusals=refusals))
    assert [each.status for each in result.outcomes] == [200, 404, 500, 200, 200]
    assert names(database) == {1: "c", 2: "", 3: "d"}


def test_one_id_that_is_removed_twice_is_not_there_the_second_time(database: DatabaseManager) -> None:
    """As in two requests, one after the other."""

    def remove(tx: Unit, number: int) -> None:
        if tx.execute(delete(things).where(things.c.id == number)).rowcount == 0:
            raise Missing("x")

    result = bulk([2, 2], lambda item: database.transact(remove, item), refusals=refusals)
    assert [each.status for each in result.outcomes] == [204, 404]


def test_inside_a_unit_it_does_not_begin(database: DatabaseManager) -> None:
    """A ``@transactional`` function would join that unit, and what a failed item did would be committed with it."""
    tried: list[int] = []
    with database.write(), pytest.raises(NestedUnit, match="bulk"):
        bulk([1], tried.append, refusals=refusals)

    async def main() -> None:
        async with database.aio.write():
            with pytest.raises(NestedUnit, match="bulk"):
                await bulk_async([1], raising, refusals=refusals)

    asyncio.run(main())
    assert tried == []
