"""The rules that are shipped for Prometheus reach a receiver by way of Alertmanager."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core.observability.metrics import MetricsHub
from postrmagic_core.stores import open_store
from postrmagic_core.testing import until
from postrmagic_core.testing.servers import require
from postrmagic_core.testing.servers._process import ServerProcess
from postrmagic_core.testing.servers.prometheus import PrometheusServer
from tests.observability.alerts.receivers import Posts

RULES = Path(str(files("postrmagic_core.observability") / "resources" / "rules.yml"))


class Alertmanager(ServerProcess):
    """``prometheus-alertmanager``, which tells ``receiver`` (a URL) of everything at once."""

    name: ClassVar[str] = "alertmanager"

    def __init__(self, receiver: str) -> None:
        super().__init__()
        self._receiver = receiver

    @classmethod
    def binary(cls) -> str | None:
        """Absolute path of the program; ``None`` when it is not installed."""
        return shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

    def create_database(self) -> str:
        """The URL."""
        return self._url()

    def _prepare(self) -> None:
        route = {"receiver": "us", "group_wait": "0s", "group_interval": "1s"}
        hook = {"name": "us", "webhook_configs": [{"url": self._receiver}]}
        (self.directory / "alertmanager.yml").write_text(json.dumps({"route": route, "receivers": [hook]}))

    def _argv(self) -> list[str]:
        places = (
            f"--config.file={self.directory / 'alertmanager.yml'}",
            f"--storage.path={self.directory / 'data'}",
            f"--web.listen-address={self.host}:{self.port}",
            "--cluster.listen-address=",
        )
        return [str(self.binary()), *places]

    def _url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def _answers(self) -> bool:
        request = f"GET /-/ready HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n"
        return self._exchange(request.encode()).startswith(b"HTTP/1.1 200")


class Alerting(PrometheusServer):
    """A Prometheus that tells an Alertmanager."""

    def __init__(self, target: str, alertmanager: Alertmanager) -> None:
        super().__init__([target], rules=[RULES])
        self._alertmanager = f"{alertmanager.host}:{alertmanager.port}"

    def _prepare(self) -> None:
        super()._prepare()
        file = self.directory / "prometheus.yml"
        told = {"alertmanagers": [{"static_configs": [{"targets": [self._alertmanager]}]}]}
        file.write_text(json.dumps(json.loads(file.read_text()) | {"alerting": told}))


@pytest.fixture
def exhausted(tmp_path: Path) -> Iterator[str]:
    """Where an application tells its figures: each time more callers gave up waiting for a connection."""
    metrics = Metrics()
    with ExitStack() as opened:
        store = open_store(f"sqlite:///{tmp_path / 'kv.db'}", timeout=5.0, metrics=metrics)
        opened.callback(store.close)
        hub = opened.enter_context(MetricsHub(metrics, store, namespace="app", service="shop", release="1", every=0.2))

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                metrics.counter("db_pool_exhausted_total", pool="write").add()
                body, media_type = hub.render(self.headers.get("accept", ""))
                self.send_response(200)
                self.send_header("content-type", media_type)
                self.end_headers()
                self.wfile.write(body)

            def log_request(self, code: Any = "-", size: Any = "-") -> None:
                pass

        server = opened.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Answering))
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        opened.callback(server.shutdown)
        yield f"127.0.0.1:{server.server_port}"


@pytest.mark.soak
def test_the_shipped_rules_reach_a_receiver(exhausted: str) -> None:
    """By Prometheus and Alertmanager, as they are."""
    require(PrometheusServer.binary(), "no prometheus is installed")
    require(Alertmanager.binary(), "no alertmanager is installed")
    with Posts().running() as posts, Alertmanager(f"http://127.0.0.1:{posts.port}/") as manager:
        with Alerting(exhausted, manager):
            until(lambda: posts.got, timeout=60)
        [alert] = json.loads(posts.got[0][1])["alerts"]
        assert (alert["labels"]["alertname"], alert["labels"]["pool"]) == ("PostrmagicPoolExhausted", "write")
        assert alert["annotations"]["summary"] == "Callers of app gave up waiting for a write connection."
