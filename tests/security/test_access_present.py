"""Who is present: said by a request or a block, asked about by ``@requires``, and never left over for another."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from postrmagic_core._work import Work, begin_work, end_work, working
from postrmagic_core.errors import UsageError
from postrmagic_core.security.access import Access, AccessDenied, Role, Roles, User, acting, present, requires
from postrmagic_core.security.access.present import put

ANN = User("7", frozenset({"user"}))
BOB = User("8", frozenset({"user"}))
MINE, THEIRS = SimpleNamespace(owner_id=7), SimpleNamespace(owner_id=8)


@pytest.fixture
def access() -> Access:
    """One that only decides."""
    units: Any = None
    return Access(Roles([Role("user", allow=["media:read", "media:edit:own"])]), units)


@requires("media:edit", obj="media")
def rename(media: Any, name: str = "x") -> str:
    """Declared without an Access, as in a module of an application."""
    return name


@requires("media:edit", obj="media", hidden=True)
async def rename_soon(media: Any) -> str:
    """A coroutine function."""
    await asyncio.sleep(0)
    return "done"


def test_it_asks_about_who_is_present_and_the_object_that_is_passed(access: Access) -> None:
    """By position or name; the function is called only if it may be."""
    with access.acting(ANN):
        assert rename(MINE, "a") == "a"
        assert rename(name="b", media=MINE) == "b"
        with pytest.raises(AccessDenied):
            rename(THEIRS)
    with access.acting(None), pytest.raises(AccessDenied) as denied:
        rename(MINE)
    assert denied.value.nobody


def test_coroutines_are_asked_about_too(access: Access) -> None:
    """Each task by its own identity, though they take turns."""

    async def work(who: User) -> Any:
        with access.acting(who):
            return await asyncio.gather(rename_soon(MINE), rename_soon(THEIRS), return_exceptions=True)

    async def both() -> Any:
        return await asyncio.gather(work(ANN), work(BOB))

    (mine, theirs), (not_mine, his) = asyncio.run(both())
    assert (mine, his) == ("done", "done")
    assert isinstance(theirs, AccessDenied)
    assert isinstance(not_mine, AccessDenied)
    assert theirs.hidden


def test_with_nobody_said_to_be_present_it_is_not_called(access: Access) -> None:
    """A service function that is called from nowhere is a mistake, not a permission."""
    with pytest.raises(UsageError, match="nobody is said to be present"):
        rename(MINE)

    @access.requires("media:read")
    def read() -> None:
        raise AssertionError

    with pytest.raises(AccessDenied):
        read()


def test_the_identity_can_be_an_argument(access: Access) -> None:
    """For jobs and services that are given it: ``who`` names the parameter, and ``access`` decides."""

    @access.requires("media:edit", who="user", obj="media")
    def edit(user: Any, media: Any = MINE) -> str:
        return "done"

    assert edit(ANN) == "done"
    for wrong in ((BOB,), (None,), (ANN, THEIRS)):
        with pytest.raises(AccessDenied):
            edit(*wrong)
    with access.acting(BOB):
        assert edit(ANN) == "done", "who is given, not who is present"


def test_a_parameter_that_is_not_there_is_refused_where_it_is_written(access: Access) -> None:
    """At the decoration, not at the first call."""
    with pytest.raises(UsageError, match="has no parameter poster"):
        requires("media:edit", obj="poster")(lambda media: media)


def test_generators_and_methods_keep_what_they_are(access: Access) -> None:
    """Asked when called; docstring and name stay."""

    class Service:
        @access.requires("media:read")
        def rows(self) -> Any:
            """Two."""
            yield from (1, 2)

    assert Service.rows.__doc__ == "Two."
    with access.acting(ANN):
        assert list(Service().rows()) == [1, 2]
    with pytest.raises(AccessDenied):
        Service().rows()


def test_a_block_ends_where_it_ends(access: Access) -> None:
    """By an error too, and the one around it holds again."""
    with access.acting(ANN):
        with pytest.raises(RuntimeError):
            failing(access)
        said = present()
        assert said is not None
        assert said.who is ANN
    assert present() is None


def failing(access: Access) -> None:
    """A block that ends by an error."""
    with acting(access, BOB):
        raise RuntimeError


def test_another_request_never_finds_who_was_present_in_one_before(access: Access) -> None:
    """Though it inherits the whole context, as requests of one connection do; a thread of the request does find it."""
    first, second = Work(), Work()
    before = begin_work(first)
    put(first, access, ANN)
    seen: list[Any] = []
    thread = threading.Thread(target=contextvars.copy_context().run, args=(lambda: seen.append(present()),))
    thread.start()
    thread.join()
    assert seen[0].who is ANN

    def another() -> object:
        begin_work(second)
        return present()

    assert contextvars.copy_context().run(another) is None
    with access.acting(BOB):
        assert contextvars.copy_context().run(another) is None, "nor whom a block of the first was for"
    end_work(first, before)
    assert present() is None


def test_a_job_says_for_whom_it_works(access: Access) -> None:
    """In its own work; nothing of it is left for the next job of the same thread."""
    with working("job 1"), access.acting(ANN):
        assert rename(MINE) == "x"
    with working("job 2"), pytest.raises(UsageError):
        rename(MINE)
