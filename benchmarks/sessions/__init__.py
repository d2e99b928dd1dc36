"""What a session costs on Redis beside four frameworks', and what PostrMagic's way of keeping it cost the application.

On a private Redis and on SQLite files of its own. `original.py` is the behaviour that this package replaces, `kept.py`
the same application on it.
"""

from __future__ import annotations

import asyncio

from .._harness import Bench

TAKES = frozenset({"duration"})


def run(bench: Bench) -> None:
    """Report every figure."""
    # Not above: modules of this package are also run by themselves, as processes that should bring no more along.
    from postrmagic_core.testing.servers import RedisServer

    from . import accounts, costs, peers, served

    with asyncio.Runner() as runner, RedisServer() as server:
        costs.unchanged(bench, server.create_database())
        costs.unchanged_awaited(bench, runner, server.create_database())
        costs.changed(bench, server.create_database())
        peers.requests(bench, runner, server.create_database())
    served.compared(bench)
    accounts.authorized(bench)
    accounts.logins(bench)
