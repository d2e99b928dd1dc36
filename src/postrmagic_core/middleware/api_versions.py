"""Versions of an API by path or header: what is behind sees the versioned path, every answer says which one it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from urllib.parse import quote

from .._problem import Problem
from ..api.versions import HEADER, Versions
from .interface import Layer, Middleware, Request, Response
from .order import middleware


def _today() -> date:
    return datetime.now(UTC).date()


def api_versions(versions: Versions, *, today: Callable[[], date] = _today) -> Middleware:
    """Let a request for ``/api/media`` with ``API-Version: 1`` be one for ``/api/v1/media``, which layers behind see.

    Every answer under the prefix says ``API-Version`` and ``Vary: API-Version``, and what deprecates its version. One
    that there is not is answered with 404, one that has ended with 410 (:class:`~postrmagic_core.api.versions.Version`
    says when; ``today`` is the date in UTC). Outside ``errors`` it stands rightly: what that answers says its version
    too.
    """

    @middleware(
        name="api_versions",
        after=["request_id", "access_log", "security_headers"],
        before=["rate_limit", "authorization", "idempotency"],
    )
    def layer(request: Request) -> Layer:
        asked = versions.ask(request.path, request.headers.get(HEADER), today())
        if asked is None:
            return
        if isinstance(asked, Problem):
            yield Response.of(asked)
            return
        if asked.path != request.path:
            request.scope["path"] = asked.path
            request.scope["raw_path"] = quote(asked.path).encode()
        head = yield
        for name, value in asked.version.headers().items():
            if name == "link" or head.get(name) is None:
                head.add(name, value)
        head.add("vary", "API-Version")

    return layer
