"""Who is present: the identity that the code beneath acts for, and the decorator that asks about it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..._protocols import Identity
from ..._work import Work, current_work, kept
from ...errors import UsageError

if TYPE_CHECKING:
    from .manager import Access

F = TypeVar("F", bound=Callable[..., Any])

_KEY = object()


class Present(NamedTuple):
    """Who acts, and by whose decision."""

    access: Access
    who: Identity | None


# With the request or job in which it was said: what another one inherits of the context is not for it.
_acting: ContextVar[tuple[Work | None, Present] | None] = ContextVar("postrmagic_acting", default=None)


@contextmanager
def acting(access: Access, who: Identity | None) -> Iterator[None]:
    """For the block, ``who`` is present: jobs, commands and tests say so, a request's middleware does it by itself."""
    token = _acting.set((current_work(), Present(access, who)))
    try:
        yield
    finally:
        _acting.reset(token)


def present() -> Present | None:
    """Who is present; ``None`` where that was not said for this request, job or block."""
    work = current_work()
    said = _acting.get()
    if said is not None and said[0] is work:
        return said[1]
    found: Present | None = None if work is None else kept(work).get(_KEY)
    return found


def put(work: Work, access: Access, who: Identity | None) -> None:
    """While ``work`` lasts, ``who`` is present in it."""
    kept(work)[_KEY] = Present(access, who)


def requires(
    permission: str,
    *,
    obj: str | None = None,
    who: str | None = None,
    hidden: bool = False,
    access: Access | None = None,
) -> Callable[[F], F]:
    """Decorate a function, plain or async, to be called only for those who have ``permission``; else AccessDenied.

    ``obj`` names the parameter that is the object, ``who`` the one that is the identity; without it, it is who is
    present: the request's, or as :func:`acting` says. ``access`` decides, or that of who is present; with neither,
    nobody can decide, and :class:`UsageError` is raised at the call.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        for name in (obj, who):
            if name is not None and name not in signature.parameters:
                raise UsageError(f"{function.__qualname__} has no parameter {name}, which @requires is to look at")

        def check(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            given: dict[str, Any] = {}
            if obj is not None or who is not None:
                bound = signature.bind(*args, **kwargs)
                bound.apply_defaults()
                given = bound.arguments
            here = present()
            judge = access if access is not None else None if here is None else here.access
            if judge is None:
                raise UsageError(
                    f"{function.__qualname__} requires {permission}, but nobody is said to be present: call it beneath "
                    "the authorization middleware, or in `with access.acting(who):`"
                )
            asking = given[who] if who is not None else None if here is None else here.who
            judge.require(asking, permission, given[obj] if obj is not None else None, hidden=hidden)

        return _wrapped(function, check)

    return decorate


def _wrapped(function: F, check: Callable[[tuple[Any, ...], dict[str, Any]], None]) -> F:
    wrapper: Any
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def waiting(*args: Any, **kwargs: Any) -> Any:
            check(args, kwargs)
            return await function(*args, **kwargs)

        wrapper = waiting
    else:

        @wraps(function)
        def calling(*args: Any, **kwargs: Any) -> Any:
            check(args, kwargs)
            return function(*args, **kwargs)

        wrapper = calling
    found: F = wrapper
    return found
