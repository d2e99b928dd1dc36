"""Cases that prove once more what others prove: they run in the soak.

A room's own tests run on SQLite; that its SQL and its locks hold on MariaDB, and its scripts on Redis, is proved by the
contracts, the faults and the races, which run on each. A test that a table of promises names keeps all its cases.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TABLES = [
    *(HERE / name for name in ("faults.toml", "asvs.toml")),
    *(HERE.parent / "docs" / name for name in ("explanation/promises.md", "explanation/threat-model.md")),
    HERE.parent / "docs" / "reports" / "security.md",
]
_NAMED = re.compile(r"tests/[\w/]+\.py(?:::\w+)+")
_ON_A_SERVER = re.compile(r"\[(?:.*-)?(?:mariadb|redis)(?:-.*)?\]$")
# A call that is never answered is the same to a client whether its server is stopped or the network drops everything.
_SILENT_OTHERWISE = re.compile(r"::test_p[1267]_\w+\[blackholed\]$")
# Where a face for asyncio only waits for a thread, and a tier beside a store whose own face runs.
_OTHER_FACE = re.compile(r"::Test(?:Smallest|Sqlite|Mysql|MariaDB|Tiered)::.*\basync\]$")

ON_A_SERVER = (
    "app/test_backups.py",
    "app/test_bulk.py",
    "app/test_cache.py",
    "app/test_jobs.py",
    "app/test_notifications.py",
    "app/test_pages.py",
    "app/test_tokens.py",
    "database/analysis/test_log_files.py",
    "database/analysis/test_query_log.py",
    "database/test_outbox_undelivered.py",
    "events/test_broadcast.py",
    "events/test_durable.py",
    "events/test_listeners.py",
    "events/test_order.py",
    "events/test_phases.py",
    "flags/test_flags.py",
    "jobs/schedules/test_manage.py",
    "jobs/schedules/test_scheduler.py",
    "jobs/test_async_tasks.py",
    "jobs/test_cancel.py",
    "jobs/test_deliveries.py",
    "jobs/test_enqueue.py",
    "jobs/test_handover.py",
    "jobs/test_metrics.py",
    "jobs/test_states.py",
    "jobs/test_unique.py",
    "jobs/test_waiting.py",
    "jobs/test_worker.py",
    "middleware/test_idempotency.py",
    "middleware/test_oauth_clients.py",
    "observability/alerts/test_alerts.py",
    "observability/errors/test_tracker.py",
    "observability/history/test_history.py",
    "observability/metrics/test_hub.py",
    "observability/uptime/test_uptime.py",
    "security/test_access_tokens.py",
    "security/test_factors.py",
    "security/test_factors_guessing.py",
    "security/test_oauth.py",
    "security/test_tokens.py",
)
CASES: dict[str, re.Pattern[str]] = {
    # Those that are on MariaDB for what it does otherwise stay.
    **dict.fromkeys(ON_A_SERVER, _ON_A_SERVER),
    "app/test_contract_v1.py": re.compile(r"::test_recorded_requests\w+\[2\]$"),
    "app/test_listing.py": re.compile(r"::test_(?:pages|a_list_is_sorted|of_many)\w+\[(?:.*-)?mariadb(?:-.*)?\]$"),
    "backups/test_drill.py": re.compile(r"::test_(?:two_drills|what_was_restored|files_can|an_interr)\w+\[mariadb\]$"),
    "cache/test_contract.py": _OTHER_FACE,
    "cli/test_worker.py": re.compile(r"::test_a_job_that_does_not_end\w+\[0\.5\]$"),
    "database/analysis/test_analyze_cli.py": re.compile(r"::test_(?:json|a_log|settings)\w+\[mariadb\]$"),
    "database/analysis/test_verify.py": re.compile(
        r"::test_(?:what_cannot|a_place_in|an_index_that_does_not|only_the_top)\w+\[(?:.*-)?mariadb(?:-.*)?\]$"
    ),
    "database/test_migrate.py": re.compile(r"::test_(?:an_upgrade_tells|a_newer_schema)\w+\[mariadb\]$"),
    "database/test_migrate_application.py": re.compile(
        r"::test_(?:two_ends|what_would_run|tables_made|a_database_newer|revisions_are|an_error|a_written)\w+\[mariadb\]$"
    ),
    "database/test_migrate_jobs.py": re.compile(r"::test_\w+\[mariadb\]$"),
    "middleware/test_browser.py": re.compile(r"::test_a_foreign_page_cannot\w+\[(?:without-localhost|127\.0\.0\.1)\]$"),
    "integrations/test_wsgi.py": re.compile(r"::test_each_process\w+\[children only\]$"),
    "jobs/redis/test_reliability.py": _SILENT_OTHERWISE,
    "jobs/test_reliability.py": _SILENT_OTHERWISE,
    "middleware/test_idempotency_processes.py": re.compile(r"::test_forty_callers\w+\[mariadb-wsgi\]$"),
    "sessions/test_contract.py": _OTHER_FACE,
    "validation/test_database_rules.py": re.compile(r"::test_(?:four_thousand|many_items)\w+\[mariadb\]$"),
}

# Replies that are crossed and descriptors that leak are the connections', which the same promises prove of what lies
# beneath: `tests/database/test_reliability.py` and `tests/stores/test_contract.py`. Valkey itself is proved by
# `tests/stores/test_valkey.py`, and that contracts can be kept, and broken, by those
# of each room and by the planted faults.
BENEATH = re.compile(
    r"^tests/(?:jobs/(?:redis/)?test_reliability\.py::\w+::test_p5_replies_are_never_crossed"
    r"|(?:cache|sessions|jobs/redis)/test_reliability\.py::\w+::test_p8_nothing_leaks"
    r"|(?:jobs/redis|events/channels)/test_contract\.py::TestValkey::.*"
    r"|testing/test_(?:broker|channel)_contract\.py::TestGood::.*|testing/test_reliability\.py::TestBareRedisIsRed::.*)$"
)


def named() -> frozenset[str]:
    """The tests that the tables name, as node identifiers without a case."""
    texts = [table.read_text(encoding="utf-8") for table in TABLES if table.exists()]
    return frozenset(name for text in texts for name in _NAMED.findall(text))


def is_named(test: str, names: frozenset[str]) -> bool:
    """Whether a test, or its class, is among them."""
    return test in names or test.rpartition("::")[0] in names


def repeated(nodes: list[str], kept: frozenset[str]) -> set[str]:
    """Those of these nodes that go to the soak; of each test at least one case stays, or it is proved beneath."""
    found: set[str] = set()
    stay: set[str] = set()
    for node in nodes:
        path, _, _ = node.partition("::")
        test, _, _ = node.partition("[")
        pattern = CASES.get(path.removeprefix("tests/"))
        if pattern is not None and pattern.search(node) and not is_named(test, kept):
            found.add(node)
        else:
            stay.add(test)
    beneath = {node for node in nodes if BENEATH.search(node) and not is_named(node, kept)}
    return {node for node in found if node.partition("[")[0] in stay} | beneath


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them."""
    again = repeated([item.nodeid for item in items if item.get_closest_marker("soak") is None], named())
    for item in items:
        if item.nodeid in again:
            item.add_marker(pytest.mark.soak)
