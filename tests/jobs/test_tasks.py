"""Declaring tasks, and what becomes of their arguments."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from postrmagic_core._codec import encode
from postrmagic_core.errors import DecodeError, EncodeError, UsageError, ValidationFailed
from postrmagic_core.jobs import Unique, task


class Poster(BaseModel):
    name: str
    price: Decimal


@task(name="order")
def order(ctx: Any, /, poster: Poster, count: int = 1, *notes: str, due: datetime | None = None, **marks: int) -> Any:
    return poster, count, notes, due, marks


@task
def plain(ctx, value):  # type: ignore[no-untyped-def]  # a task may have no annotations at all
    return value


def run_stored(payload: bytes) -> Any:
    args, kwargs = order.arguments.decode(payload)
    return order(None, *args, **kwargs)


def test_arguments_come_back_as_themselves() -> None:
    """Models, defaults, star arguments and keywords keep their types through the stored bytes."""
    due = datetime(2026, 1, 1, tzinfo=UTC)
    stored = order.call(Poster(name="a", price=Decimal("1.10")), 2, "x", "y", due=due, red=1).payload
    assert run_stored(stored) == (Poster(name="a", price=Decimal("1.10")), 2, ("x", "y"), due, {"red": 1})


def test_a_default_is_not_stored() -> None:
    """The code that runs the job decides on it."""
    assert run_stored(order.call(Poster(name="a", price=Decimal(1))).payload)[1] == 1


def test_an_argument_of_the_wrong_type_is_refused_when_called() -> None:
    """The error points at the argument and does not repeat it."""
    with pytest.raises(ValidationFailed) as caught:
        order.call(Poster(name="a", price=Decimal(1)), "hunter2")  # type: ignore[arg-type]  # the mistake under test
    assert [error["pointer"] for error in caught.value.errors] == ["/count"]
    assert "hunter2" not in str(caught.value)


def test_a_missing_argument_is_refused_when_called() -> None:
    """As Python itself would refuse it."""
    with pytest.raises(ValidationFailed, match="poster"):
        order.call()  # type: ignore[call-arg]  # the mistake under test


def test_what_cannot_be_kept_without_loss_is_refused() -> None:
    """An arbitrary object has no encoding."""
    with pytest.raises(EncodeError, match="object"):
        plain.call(object())


@pytest.mark.parametrize(
    ("stored", "error"),
    [
        (b"\xc1garbage", DecodeError),
        (encode([1, 2]), DecodeError),
        (encode({1: 2}), DecodeError),
        (encode({}), ValidationFailed),
        (encode({"poster": {"name": "a", "price": "1"}, "extra": 1}), ValidationFailed),
        (encode({"poster": 7}), ValidationFailed),
        (encode({"poster": {"name": "a", "price": "1"}, "marks": {"red": "x"}}), ValidationFailed),
    ],
)
def test_stored_bytes_that_are_no_call_are_refused(stored: bytes, error: type[Exception]) -> None:
    """Whatever a row holds, it becomes arguments of the declared types or an error."""
    with pytest.raises(error):
        order.arguments.decode(stored)


def test_a_call_does_not_show_its_arguments() -> None:
    """Its repr may be logged."""
    assert "hunter2" not in repr(plain.call("hunter2"))


def test_a_task_is_named_by_module_and_name() -> None:
    """Unless it was given one."""
    assert plain.name == f"{__name__}.plain"
    assert order.name == "order"


def test_a_task_knows_whether_it_is_async() -> None:
    """By its function; called directly it gives the coroutine."""

    @task(name="async")
    async def job(ctx: Any, value: int) -> int:
        return value

    assert (job.is_async, plain.is_async) == (True, False)
    assert asyncio.run(job(None, 7)) == 7


@pytest.mark.parametrize("options", [{"scope": "window"}, {"seconds": 5.0}, {"scope": "window", "seconds": 0}])
def test_a_window_has_its_seconds_and_nothing_else_has(options: dict[str, Any]) -> None:
    """The mistake shows where it is written."""
    with pytest.raises(ValueError, match="seconds="):
        Unique(**options)


def test_a_priority_nobody_knows_is_refused() -> None:
    """The error names those there are."""
    with pytest.raises(ValueError, match="high, normal, low"):
        task(priority="urgent")(lambda ctx: None)  # type: ignore[call-overload]  # the mistake under test


def test_a_function_without_a_context_is_refused() -> None:
    """The first parameter is the context's."""
    with pytest.raises(UsageError, match="first parameter"):

        @task  # type: ignore[arg-type]  # the mistake under test
        def job() -> None: ...


def test_nonsense_options_are_refused() -> None:
    """At declaration, naming what was given."""
    with pytest.raises(ValueError, match="retries=-1"):
        task(retries=-1)(lambda ctx: None)
    with pytest.raises(ValueError, match="time_limit=0"):
        task(time_limit=0)(lambda ctx: None)


def test_an_annotation_that_does_not_exist_at_run_time_is_named() -> None:
    """Imported under TYPE_CHECKING it cannot be checked against."""

    def job(ctx: Any, value: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821 - the mistake under test

    with pytest.raises(UsageError, match="Missing"):
        task(job).call(1)


def test_declaring_a_task_loads_no_driver() -> None:
    """A module of tasks is imported by processes that never run one."""
    code = "import sys, postrmagic_core.jobs; print({'sqlalchemy', 'dramatiq', 'redis', 'pymysql'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
