"""The media library with nothing that watches it: what an ASGI server loads to compare with.

No id, no trace, no record, no figure and no probe for a request; settings turn off the rest.
"""

from __future__ import annotations

from typing import Any

from media_library import web
from media_library.application import assemble
from postrmagic_core.middleware import Middleware, Request
from postrmagic_core.middleware.interface import Layer
from postrmagic_core.middleware.order import middleware
from postrmagic_core.stack import Stack

_WATCHING = ("request_id", "trace_context", "access_log", "request_metrics")
_PROBES = "made"


def _without() -> None:
    for number, name in enumerate(_WATCHING):
        setattr(web, name, lambda *_, number=number: _nothing(f"nothing_{number}"))
    setattr(web, _PROBES, lambda *_: _nothing("no_probes"))


def _nothing(name: str) -> Middleware:
    @middleware(name=name)
    def layer(request: Request) -> Layer:
        return
        yield

    return layer


def _site() -> Any:
    _without()
    return web.site(assemble(Stack.from_env()))


app = _site()
