"""An application with one route."""

from __future__ import annotations

from typing import Any

from postrmagic_core.events import Event
from tests.docs.given import opened, posters
from tests.docs.playing import Page


class PosterCreated(Event):
    """A poster is there."""

    poster_id: int


def play(page: Page) -> None:
    """The handler writes in one unit, and a repeated request is carried out once."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    routes: list[Route] = []

    class App:
        """As several frameworks have it."""

        def post(self, path: str) -> Any:
            """Register a handler."""

            def register(handler: Any) -> Any:
                routes.append(Route(path, lambda request: JSONResponse(handler(request)), methods=["POST"]))
                return handler

            return register

    with opened() as stack:
        page.names.update(stack=stack, posters=posters, events=stack.events, PosterCreated=PosterCreated)
        page.names.update(app=App(), name="Gala")
        pipeline = page.run()["pipeline"]
        with TestClient(pipeline.asgi(Starlette(routes=routes)), base_url="https://testserver") as client:
            asked = [client.post("/posters", headers={"Idempotency-Key": "one"}) for _ in range(2)]
        assert [answer.json() for answer in asked] == [{"id": 1}] * 2
        assert asked[1].headers["idempotency-replayed"] == "true"
