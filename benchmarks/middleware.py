"""What the pipeline costs beside Starlette's own middleware and the popular packages, and beside pure ASGI classes.

No server: each side is called with the same request and answers to nobody. A rate limit is timed by itself too, and
proved over four processes; and the media library answers under two servers.
"""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from postrmagic_core._crypto import KeyRing
from postrmagic_core.limits import Limit, RateLimiter
from postrmagic_core.log import configure
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.cors import cors
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.rate_limit import rate_limit
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.security_headers import security_headers
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.middleware.trusted_proxies import trusted_proxies
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores.adapters.memory import MemoryStore

from ._harness import Bench, Case
from ._limits import admitted, limit_costs
from ._middleware_peers import assembled
from ._middleware_rig import App, Loop, Setting, asking, hundred_chunks, one_chunk, setting
from ._middleware_served import served

TAKES: frozenset[str] = frozenset()
_LAYERS = 8
_ASSEMBLED, _FASTEST = "starlette and packages", "the same, slowapi as ASGI"


def run(bench: Bench) -> None:
    """Report every figure."""
    with ExitStack() as opened:
        loop = Loop()
        opened.callback(loop.close)
        pure(bench, loop)
        whole(bench, loop)
    limit_costs(bench)
    admitted(bench)
    served(bench)


def pure(bench: Bench, loop: Loop) -> None:
    """``pure_asgi_time_ratio`` and ``pure_asgi_stream_time_ratio``: eight layers that each set a response header."""
    names = [b"x-layer-%d" % number for number in range(_LAYERS)]
    for app, title, figure, batch in (
        (one_chunk, "eight layers, one chunk", "pure_asgi_time_ratio", 500),
        (hundred_chunks, "eight layers, a hundred chunks", "pure_asgi_stream_time_ratio", 50),
    ):
        nested: App = app
        for name in reversed(names):
            nested = Setting(nested, name)
        ours = Pipeline([setting(name) for name in names]).asgi(app)
        cases = [Case("generators", asking(ours)), Case("classes", asking(nested)), Case("none", asking(app))]
        found = bench.pair(title, cases, rounds=bench.repeats(60, 20), calls=5, batch=batch, timing=loop.timed)
        bench.figure(figure, found.time_ratio("generators", "classes"))


def whole(bench: Bench, loop: Loop) -> None:
    """``pipeline_time_ratio``: what an application has around it, over the stack that one would assemble.

    ``pipeline_asgi_time_ratio``: over the same, with slowapi's faster middleware.
    """
    with ExitStack() as opened:
        stream = opened.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        opened.enter_context(configure(format="json", stream=stream))
        store = MemoryStore()
        limiter = opened.enter_context(RateLimiter(store, namespace="benchmark"))
        manager = opened.enter_context(SessionStore(store, KeyRing([secrets.token_urlsafe(48)])))
        ours = Pipeline(
            [
                trusted_proxies(["127.0.0.1"]),
                request_id(),
                access_log(),
                security_headers(),
                cors(["https://app.example.org"], credentials=True),
                errors(),
                rate_limit(limiter, [Limit("all", 10_000_000, 60)]),
                sessions(manager),
            ]
        ).asgi(one_chunk)
        cases = [Case("pipeline", asking(ours))]
        slower = bench.peer(_ASSEMBLED, partial(assembled, one_chunk, "SlowAPIMiddleware"))
        faster = bench.peer(_FASTEST, partial(assembled, one_chunk, "SlowAPIASGIMiddleware"))
        if slower is not None and faster is not None:
            cases += [Case(_ASSEMBLED, asking(slower[0], **slower[1])), Case(_FASTEST, asking(faster[0], **faster[1]))]
        found = bench.pair(
            "proxies, id, log, errors, CORS, limit, session, security headers",
            cases,
            rounds=bench.repeats(40, 12),
            calls=5,
            batch=100,
            timing=loop.timed,
        )
        if len(cases) > 1:
            bench.figure("pipeline_time_ratio", found.time_ratio("pipeline", _ASSEMBLED))
            bench.figure("pipeline_asgi_time_ratio", found.time_ratio("pipeline", _FASTEST))


if __name__ == "__main__":
    from .__main__ import main

    raise SystemExit(main(["run", "middleware", *sys.argv[1:]]))
