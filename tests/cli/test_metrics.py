"""`postrmagic metrics`: what the processes of an application published, and what is shipped for those who watch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from postrmagic_core._metrics import Metrics
from postrmagic_core.cli.metrics import metrics as command
from postrmagic_core.observability.metrics import MetricsHub
from postrmagic_core.stores import open_store
from tests.cli.in_process import InProcess

APPLICATION = """
from postrmagic_core.stack import Stack

stack = Stack.from_env()
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    """The command in an application's directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSTRMAGIC_OBSERVABILITY__URL", f"sqlite:///{tmp_path / 'kv.db'}")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "counted.py").write_text(APPLICATION)
    return InProcess(command, "counted:stack")


def test_it_shows_what_all_processes_published(told: InProcess, tmp_path: Path) -> None:
    """As one, by the names of /metrics, those that begin as is asked; two processes here, one of which has ended."""
    assert "no process tells" in told.run("show").output
    store = open_store(f"sqlite:///{tmp_path / 'kv.db'}")
    processes = [Metrics(), Metrics()]
    hubs = [MetricsHub(each, store, namespace="app", service="shop", every=60.0) for each in processes]
    for each, hub in zip(processes, hubs, strict=True):
        each.counter("jobs_enqueued_total", queue="mail [x]").add(1500)
        each.counter("cache_saved_microseconds_total", namespace="app").add(2_500_000)
        each.histogram("jobs_wait_seconds", queue="mail").observe(0.25)
        hub.open()
        hub.publish()
    hubs[0].close()
    assert told.json("show", "jobs", "postrmagic_cache") == [
        {"name": "postrmagic_cache_saved_seconds_total", "labels": {"namespace": "app"}, "value": 5.0},
        {"name": "postrmagic_jobs_enqueued_total", "labels": {"queue": "mail [x]"}, "value": 3000},
        {"name": "postrmagic_jobs_wait_seconds", "labels": {"queue": "mail"}, "count": 2, "sum": 0.5},
    ]
    shown = told.run("show", "jobs").output
    assert "3,000" in shown
    assert "2 of 250 ms" in shown
    assert "mail [x]" in shown
    hubs[1].close()
    store.close()


def test_it_prints_what_is_shipped() -> None:
    """To be written into files as it is."""
    runner = CliRunner()
    assert json.loads(runner.invoke(command, ["dashboard"]).stdout)["schemaVersion"] >= 39
    assert runner.invoke(command, ["rules"]).stdout.startswith("# Recording and alerting rules")
    assert "rule_files: [rules.yml]" in runner.invoke(command, ["rules", "--tests"]).stdout
