"""A whole request of an application that keeps its session on Redis: four frameworks, and ours on two of them.

Each is called as its server would call it, through WSGI or ASGI, with one cookie. Three requests are timed: one of the
same application without sessions, one that reads two keys of its session, one that adds to a third.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from .._cache_commands import watched
from .._cache_timing import pair
from .._harness import Bench, Case
from . import frameworks
from .calls import BARE, CHANGE, READ, Application

_TIMES = 10
_MAKERS: dict[str, Callable[[ExitStack, str], Application]] = {
    "ours_starlette": frameworks.ours_on_starlette,
    "starsessions": frameworks.starsessions,
    "litestar": frameworks.litestar,
    "ours_flask": frameworks.ours_on_flask,
    "flask_session": frameworks.flask_session,
    "django": frameworks.django,
}


def requests(bench: Bench, runner: asyncio.Runner, url: str) -> None:
    """Two tables, and of each application what its sessions add to a request that reads and one that changes a key.

    ``read_commands.<name>``, ``change_commands.<name>``; ``read_session_us.<name>``, ``change_session_us.<name>``:
    microseconds beyond the same application without sessions.
    """
    made: dict[str, Application] = {}
    with ExitStack() as opened:
        for name, make in _MAKERS.items():
            application = bench.peer(name, partial(make, opened, url))
            if application is not None:
                opened.callback(application.close, runner)
                application.begin(runner)
                made[name] = application
        _compared(bench, runner, url, made, READ, "a request that reads its session, on Redis")
        _compared(bench, runner, url, made, CHANGE, "a request that changes one key of its session, on Redis")


def _compared(
    bench: Bench, runner: asyncio.Runner, url: str, made: dict[str, Application], path: str, title: str
) -> None:
    what, cases, names = path.strip("/"), list[Case](), dict[str, tuple[str, str]]()
    for name, application in made.items():
        sent = _sent(runner, url, application, path)
        bench.figure(f"{what}_commands.{name}", sent)
        kept = application.case(f"{application.label}: {sent:g} command{'s' * (sent != 1)}", path)
        bare = application.case(f"{application.label}, without sessions", BARE)
        names[name] = (kept.name, bare.name)
        cases += [kept, bare]
    found = pair(bench, runner, title, cases, rounds=bench.repeats(40, 6), calls=bench.repeats(100, 40))
    for name, (kept_name, bare_name) in names.items():
        bench.figure(f"{what}_session_us.{name}", found.above(kept_name, bare_name) * 1e6)


def _sent(runner: asyncio.Runner, url: str, application: Application, path: str) -> float:
    """Commands that one request sends."""
    application.ask(runner, path)
    with watched(url) as seen:
        for _ in range(_TIMES):
            application.ask(runner, path)
    return len(seen) / _TIMES
