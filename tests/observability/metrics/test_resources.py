"""What is shipped for Prometheus and Grafana fits what a process tells: seen by Prometheus itself."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core.cache import CacheManager
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendRejected
from postrmagic_core.jobs import JobQueue, task
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.request_metrics import request_metrics
from postrmagic_core.observability.metrics import MetricsHub
from postrmagic_core.observability.metrics.catalogue import BY_NAME, in_micros, shown_name
from postrmagic_core.stores import open_store
from postrmagic_core.testing import until
from postrmagic_core.testing.contracts.middleware_rig import Asked, wsgi, wsgi_answering
from postrmagic_core.testing.servers import require
from postrmagic_core.testing.servers.prometheus import PrometheusServer, promtool
from tests.observability.metrics.told import values

RESOURCES = files("postrmagic_core.observability") / "resources"
DASHBOARD: Any = json.loads((RESOURCES / "dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
# Of rooms that the application here does not open.
ABSENT = {"Errors", "Log", "Logins and permissions", "Outbox", "Store failures"}


class Application:
    """A database, a cache, a queue with a worker, and requests; all count in ``metrics``."""

    def __init__(self, opened: ExitStack, directory: Path) -> None:
        self.metrics = Metrics()
        counting: dict[str, Any] = {"metrics": self.metrics}
        url = f"sqlite:///{directory / 'app.db'}"
        self.store = open_store(f"sqlite:///{directory / 'kv.db'}", timeout=5.0, **counting)
        opened.callback(self.store.close)
        self.db = opened.enter_context(DatabaseManager(url, **counting))
        self.db.upgrade()
        self.jobs = opened.enter_context(JobQueue(url, database=self.db, **counting))
        self.cache = opened.enter_context(CacheManager(self.store, **counting))
        self.jobs.include(work)
        opened.enter_context(self.jobs.worker(threads=1))
        self.hub = MetricsHub(self.metrics, self.store, namespace="app", service="shop", release="1.2", every=0.2)
        opened.enter_context(self.hub)
        self._app = Pipeline([request_metrics(self.metrics)]).wsgi(wsgi_answering(200, [], b"hello"))

    def use(self) -> None:
        """Do a little of everything."""
        wsgi(self._app, Asked())
        self.cache.get_or_set("key", lambda: 1, fresh=60)
        self.jobs.enqueue(work.call())


@task(name="work", queue="q")
def work(ctx: Any) -> None:
    """Done at once."""


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """One that did something."""
    with ExitStack() as opened:
        application = Application(opened, tmp_path_factory.mktemp("app"))
        application.use()
        yield application


@pytest.fixture(scope="module", autouse=True)
def prometheus(application: Application) -> Iterator[PrometheusServer]:
    """It scrapes the application four times a second, and has our rules; it begins five seconds after its start."""
    require(PrometheusServer.binary(), "no prometheus is installed")

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            application.use()
            body, media_type = application.hub.render(self.headers.get("accept", ""))
            self.send_response(200)
            self.send_header("content-type", media_type)
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            pass

    with ExitStack() as opened:
        server = opened.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Answering))
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        opened.callback(server.shutdown)
        rules = Path(str(RESOURCES / "rules.yml"))
        yield opened.enter_context(PrometheusServer([f"127.0.0.1:{server.server_port}"], rules=[rules]))


@pytest.fixture
def scraped(prometheus: PrometheusServer) -> PrometheusServer:
    """Once each rate has something to tell."""
    until(lambda: prometheus.query('rate(postrmagic_jobs_processed_total{outcome="succeeded"}[1m]) > 0'))
    return prometheus


def asked(expression: str) -> str:
    """An expression of the dashboard as Grafana would send it."""
    return expression.replace("$__rate_interval", "1m").replace("$job", "app").replace("$service", "shop")


def test_promtool_finds_nothing_in_what_we_tell(application: Application) -> None:
    """Names, units, help: as the field has them."""
    body = application.hub.render().body
    assert promtool("check", "metrics", given=body).strip() == ""
    openmetrics = application.hub.render("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert openmetrics.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert openmetrics.body.endswith(b"# EOF\n")


def test_jobs_and_pools_are_told(application: Application) -> None:
    """How many run, wait and are done; how full the pools are: of this process, and of what all share."""

    def told() -> dict[str, float]:
        return values(application.hub.render().body)

    def done() -> bool:
        return told().get('postrmagic_jobs_processed_total{outcome="succeeded",queue="q",task="work"}', 0) >= 1

    until(done)
    found = told()
    assert found["postrmagic_jobs_threads"] == 1
    assert found['postrmagic_jobs_wait_seconds_count{queue="q"}'] >= 1
    assert found['postrmagic_jobs_duration_seconds_count{queue="q",task="work"}'] >= 1
    assert found['postrmagic_db_pool_capacity{pool="write"}'] >= 1
    application.jobs.enqueue(work.call(), delay=3600)
    until(lambda: told().get('postrmagic_jobs_queue_depth{queue="q",state="later"}') == 1)


def test_the_rules_pass_their_tests(tmp_path: Path) -> None:
    """Each alert fires where there is a reason and none on a good day; two processes' figures are not added up."""
    for name in ("rules.yml", "rules_test.yml"):
        (tmp_path / name).write_bytes((RESOURCES / name).read_bytes())
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / "rules_test.yml"))
    (tmp_path / "rules.yml").write_text((tmp_path / "rules.yml").read_text().replace("> 0.05", "> 0.5"))
    with pytest.raises(BackendRejected, match="PostrmagicErrors"):
        promtool("test", "rules", str(tmp_path / "rules_test.yml"))


def test_every_alert_says_what_to_do() -> None:
    """A summary, a sentence for whoever is woken, and a severity; and each is tested."""
    rules = (RESOURCES / "rules.yml").read_text(encoding="utf-8")
    tests = (RESOURCES / "rules_test.yml").read_text(encoding="utf-8")
    for part in rules.split("- alert: ")[1:]:
        name = part.split()[0]
        assert all(word in part for word in ("summary:", "runbook:", "severity:")), name
        assert f'alertname="{name}"' in tests or f"alertname: {name}\n" in tests, name


def test_dashboard_and_rules_ask_for_what_there_is() -> None:
    """Every name in them is one that is told."""
    known = {shown_name(name) for name in BY_NAME}
    for name, described in BY_NAME.items():
        if described.kind == "histogram":
            known |= {f"{shown_name(name)}_{part}" for part in ("bucket", "sum", "count")}
        assert not in_micros(name) or shown_name(name).endswith("_seconds_total")
    for text in (*(text for _, text in EXPRESSIONS), (RESOURCES / "rules.yml").read_text(encoding="utf-8")):
        for name in re.findall(r"(?<![:\w])postrmagic_\w+", text):
            assert name in known, name


def test_every_panel_says_what_it_shows() -> None:
    """Title, description, unit; Grafana 10 or later reads it, for any data source and service."""
    assert DASHBOARD["schemaVersion"] >= 39
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "service", "job"]
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert all("$job" in target["expr"] for target in panel["targets"])
    places = [tuple(panel["gridPos"][side] for side in "xy") for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
    assert DASHBOARD["panels"][0]["title"] == "Golden signals"


# Last, since Prometheus takes its time.


def test_every_panel_has_an_answer(scraped: PrometheusServer) -> None:
    """No expression is refused, and each has data but those of rooms that are not open here."""
    found = {(title, text): scraped.query(asked(text)) for title, text in EXPRESSIONS}
    empty = {title for (title, _), series in found.items() if not series}
    assert empty - ABSENT == set()
    assert scraped.query('postrmagic_build_info{service="shop",release="1.2"}')
    failing = next(series for (title, _), series in found.items() if title == "Failing requests")
    assert [series["value"][1] for series in failing] == ["0"]


def test_prometheus_reads_what_we_tell(scraped: PrometheusServer) -> None:
    """In OpenMetrics, which it asks for; its rules are all well, and none of the alarms that have a cause is raised."""
    (target,) = scraped.targets()
    assert (target["health"], target["lastError"]) == ("up", "")
    rules = scraped.rules()
    assert [rule["name"] for rule in rules if rule["health"] == "err"] == []
    assert scraped.query("ALERTS") == []
    with pytest.raises(BackendRejected):
        scraped.query("rate(")
