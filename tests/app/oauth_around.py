"""The running application and a person who answers programs: what the clients of others are tried against."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from media_library.seed import DEMO
from postrmagic_core.security.access import AuditEntry
from postrmagic_core.security.oauth import AuthorizationServer
from postrmagic_core.settings import Settings
from tests.app.house import House, furnish, open_house
from tests.app.served import Served, serving

API = "/api/v1"


@dataclass(frozen=True)
class Running:
    """A web process under a server, and the same application in this process, for its operator."""

    served: Served
    house: House
    _process: ExitStack = field(repr=False)

    @property
    def origin(self) -> str:
        """Where it is, and so its issuer."""
        return self.served.origin

    @property
    def server(self) -> AuthorizationServer:
        """The authorization server of this process, on the same tables with the same keys."""
        return self.house.application.stack.security.oauth

    @property
    def authority(self) -> str:
        """The certificate by which clients trust it."""
        return str(self.served.directory / "authority.pem")

    def oauth(self, name: str) -> str:
        """The URL of an endpoint."""
        return f"{self.origin}/oauth/{name}"

    @contextmanager
    def person(self, name: str = DEMO["name"]) -> Iterator[httpx.Client]:
        """The browser of somebody who is logged in."""
        with self.served.client() as browser:
            answer = browser.post(f"{API}/login", json=DEMO | {"name": name})
            assert answer.status_code == 200, answer.text
            yield browser

    def allowed(self, url: str, *, scopes: list[str] | None = None, name: str = DEMO["name"]) -> str:
        """Where the browser is sent when a person allows what the address ``url`` asks for."""
        asked = urlsplit(url)
        assert f"{asked.scheme}://{asked.netloc}{asked.path}" == self.oauth("authorize")
        decided: dict[str, Any] = {"query": asked.query, "allow": True}
        with self.person(name) as browser:
            shown = browser.post(f"{API}/authorizations/preview", json={"query": asked.query})
            assert shown.status_code == 200, shown.text
            answer = browser.post(
                f"{API}/authorizations", json=decided | ({} if scopes is None else {"scopes": scopes})
            )
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
        location: str = answer.json()["data"]["location"]
        return location

    def ended(self) -> list[AuditEntry]:
        """The audit log, once the web process has ended: before that, what repeats may still be summed."""
        self._process.close()
        return self.house.application.stack.security.audit.find(limit=1000)


@contextmanager
def running(directory: Path, settings: Settings, *, tls: bool = True) -> Iterator[Running]:
    """The application on these settings, furnished anew."""
    furnish(settings)
    # As Settings would make them; where none are named, they are files of the directory.
    environment = {
        "POSTRMAGIC_DATABASE__URL": settings.database_url(),
        "POSTRMAGIC_CACHE__URL": settings.store_url(settings.cache),
        "POSTRMAGIC_SESSIONS__URL": settings.store_url(settings.sessions),
        "POSTRMAGIC_JOBS__URL": settings.broker_url(),
        "POSTRMAGIC_SECURITY__KEYS": json.dumps([key.get_secret_value() for key in settings.security.keys]),
    }
    with ExitStack() as opened:
        process = opened.enter_context(ExitStack())
        served = process.enter_context(serving("uvicorn-h11", directory, None, tls=tls, **environment))
        house = opened.enter_context(open_house(settings.replace(oauth={"issuer": served.origin})))
        yield Running(served, house, process)
