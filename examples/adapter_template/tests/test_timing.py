"""It keeps what a middleware promises; and what it is for."""

from __future__ import annotations

import pytest

from postrmagic_core.middleware import Middleware, Pipeline
from postrmagic_core.testing.contracts.middleware import MiddlewareContract
from postrmagic_core.testing.contracts.middleware_rig import Asked, answering, asgi
from postrmagic_template.timing import timing


class TestTiming(MiddlewareContract):
    """With a name of its own."""

    @pytest.fixture
    def middleware(self) -> Middleware:
        """As a pipeline gets it."""
        return timing(name="shop")

    def test_the_client_is_told(self, middleware: Middleware, asked: Asked) -> None:
        """How long it took, beside what the application says of it."""
        app = Pipeline([middleware]).asgi(answering(200, [("server-timing", "db;dur=1")], b""))
        told = [value for name, value in asgi(app, asked).headers if name == "server-timing"]
        assert [value.partition(";")[0] for value in told] == ["db", "shop"]
