"""Two requests of one session at once, on Redis: a logout while another is answered, and twenty that each add a key."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from postrmagic_core.testing.servers import RedisServer

from .._harness import Bench
from . import sites
from .sites import Site

WRITERS = 20
_ROUNDS = 10
_PATIENCE = 60.0


def races(bench: Bench, server: RedisServer) -> None:
    """``logged_in_after_logout``: of ten sessions; ``lost_session_keys``: of twenty that were written at once."""
    for name, (package, make) in sites.MAKERS.items():
        with ExitStack() as opened:
            loop = opened.enter_context(sites.running())
            site = bench.peer(package, partial(make, opened, server.create_database(), loop))
            if site is None:
                continue
            end = "" if name == "ours" else f"_peer.{name}"
            bench.figure(f"logged_in_after_logout{end}", sum(still_in(site) for _ in range(_ROUNDS)))
            bench.figure(f"lost_session_keys{end}", lost_keys(site))


def still_in(site: Site) -> bool:
    """Whether somebody is logged in after the logout: a request that had begun before it is answered after it."""
    cookie = site.ask("/login").cookie
    loaded, released = threading.Event(), threading.Event()

    def pause() -> None:
        loaded.set()
        if not released.wait(_PATIENCE):
            raise TimeoutError("the logout was not answered")

    site.pause = pause
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(site.ask, "/slow", cookie)
        try:
            if not loaded.wait(_PATIENCE):
                raise TimeoutError(f"the request never began: {slow.result()}")
            site.ask("/logout", cookie)
        finally:
            released.set()
        slow.result()  # refused with an error, or answered: what counts is what is left
    return site.ask("/who", cookie).text == sites.USER


def lost_keys(site: Site) -> int:
    """How many of the keys are not there that as many requests added, each to the session as it had loaded it."""
    cookie = site.ask("/login").cookie
    together = threading.Barrier(WRITERS)
    site.pause = lambda: together.wait(_PATIENCE)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda number: site.ask(f"/add/{number}", cookie), range(WRITERS)))
    return WRITERS - int(site.ask("/count", cookie).text)
