"""The series that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from .interface import Series

SERIES: Final[Mapping[str, Series]] = MappingProxyType(
    {
        "requests_per_second": Series("Requests", "per second"),
        "error_share": Series("Requests that failed", "share", 0.001, 0.01),
        "response_p50": Series("Response time, median", "s"),
        "response_p95": Series("Response time, 95 of 100", "s", 0.2, 1.0),
        "response_p99": Series("Response time, 99 of 100", "s", 0.5, 2.5),
        "query_p95": Series("Time at the database, 95 of 100", "s", 0.05, 0.25),
        "queries_per_second": Series("Uses of the database", "per second"),
        "cache_hit_share": Series("Reads that the cache answered", "share", 0.8, 0.5),
        "memory_bytes": Series("Memory of all processes", "bytes"),
        "jobs_waiting": Series("Jobs that may run and wait", "count"),
        "jobs_per_second": Series("Jobs", "per second"),
        "job_failures_per_second": Series("Jobs that failed", "per second", 0.0, 0.1),
        "outbox_waiting": Series("Outbox rows that wait", "count"),
        "pool_in_use_share": Series("Connections in use", "share", 0.7, 0.95),
        "page_load_p75": Series("Page load, 75 of 100", "s", 2.5, 4.0),
        "sessions_per_second": Series("Sessions saved", "per second"),
        "log_errors_per_second": Series("Errors logged", "per second", 0.0, 1.0),
    }
)
