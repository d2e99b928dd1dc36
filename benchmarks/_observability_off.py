"""The media library with nothing that watches it: what an ASGI server loads to compare with.

No record, no figure and no probe for a request; settings turn off the rest. It keeps the ids of request and trace,
which answers carry and other services are told; with BARE=1 in the environment it has none of these either.
"""

from __future__ import annotations

import os
from typing import Any

from media_library import web
from media_library.application import assemble
from postrmagic_core.middleware import Middleware, Request
from postrmagic_core.middleware.interface import Layer
from postrmagic_core.middleware.order import middleware
from postrmagic_core.stack import Stack

_IDS = ("request_id", "trace_context")
_WATCHING = ("access_log", "request_metrics")
_PROBES = "made"


def _without(bare: bool) -> None:
    for number, name in enumerate(_IDS + _WATCHING if bare else _WATCHING):
        setattr(web, name, lambda *_, number=number: _nothing(f"nothing_{number}"))
    setattr(web, _PROBES, lambda *_: _nothing("no_probes"))


def _nothing(name: str) -> Middleware:
    @middleware(name=name)
    def layer(request: Request) -> Layer:
        return
        yield

    return layer


def _site() -> Any:
    _without(os.environ.get("BARE") == "1")
    return web.site(assemble(Stack.from_env()))


app = _site()
