"""The rooms of the settings that are about watching the application: its log, and what is told of it.

:mod:`postrmagic_core.settings` reads them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from ._rooms import Room, Seconds, StoreSettings

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class LogSettings(Room):
    """Logging."""

    level: Level = Field(default="INFO", description="Lowest level kept.")
    levels: dict[str, Level] = Field(
        default_factory=dict, description='By logger, another lowest level: `{"sqlalchemy": "INFO"}`.'
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto`: console on a terminal, else JSON."
    )
    file: Path | None = Field(default=None, description="File to append to, JSON lines; default standard error.")
    sink: SecretStr | None = Field(
        default=None,
        description="URL of an installed sink, where lines go in place of `file`: `table:///var/log/app.db`.",
    )
    redact: tuple[str, ...] = Field(default=(), description="Further key names whose values are masked.")
    max_bytes: int = Field(
        default=100 * 1024 * 1024, ge=0, description="Bytes from which the file is rotated; 0: never by size."
    )
    rotate: Literal["never", "hour", "day"] = Field(
        default="day", description="The file is rotated when a new hour or day begins (UTC)."
    )
    keep_files: int = Field(default=30, ge=1, le=10_000, description="Rotated files that are kept.")
    keep_days: float = Field(default=90.0, gt=0, le=3660, description="Days after which a rotated file is removed.")
    compress: bool = Field(default=True, description="Compress rotated files (gzip).")
    backlog: int = Field(
        default=10_000,
        ge=100,
        le=1_000_000,
        description="Lines that may wait for a slow disk or reader; then those below ERROR are dropped and counted.",
    )
    sample: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0,
        description="Share of requests and jobs whose records below WARNING are kept; of those that fail or are slow, "
        "all are.",
    )
    slow: Seconds = Field(default=1.0, description="Seconds from which a request or job is slow.")
    repeats: int | None = Field(
        default=None,
        ge=1,
        description="How often a minute a record (of one logger, level and event) below ERROR is written; then they "
        "are counted.",
    )
    search: bool | None = Field(
        default=None,
        description="Keep this machine's records in `data_dir/logs`, for `postrmagic logs`; on, unless the environment "
        "is `test`.",
    )
    search_days: Annotated[float, Field(gt=0, le=3660)] = Field(
        default=14.0, description="Days for which they can be searched."
    )
    search_bytes: int = Field(
        default=1024**3, ge=1024**2, description="Bytes that the index may take; then the oldest records go."
    )
    spool_bytes: int = Field(
        default=256 * 1024**2,
        ge=1024**2,
        description="Bytes that may wait for the index and for receivers; then the oldest are dropped, and counted.",
    )
    forward: tuple[str, ...] = Field(
        default=(),
        description="Where records are sent to: `syslog+tcp://`, `syslog+udp://` or `syslog+tls://host:port`, "
        "`otlp+https://host:4318/v1/logs`, `https://…` for lines of JSON.",
    )
    forward_token: SecretStr | None = Field(default=None, description="Bearer token for those asked over HTTP.")


class ObservabilitySettings(StoreSettings):
    """Metrics, traces, errors and health; in the store, the figures of each process."""

    metrics: bool = Field(default=True, description="Publish the figures of each process, for `/metrics`.")
    publish_every: Annotated[float, Field(ge=0.1, le=60)] = Field(
        default=5.0, description="Seconds between two publications of a process's figures."
    )
    token: Annotated[SecretStr, Field(min_length=16)] | None = Field(
        default=None,
        description="Bearer token for `/metrics` and the details of `/readyz`, 16 characters or more; the dashboard's "
        "password where nobody logs in.",
    )
    networks: tuple[str, ...] = Field(
        default=(), description="Networks that need no token for them: `10.0.0.0/8`. In development, this machine."
    )
    errors: bool = Field(default=True, description="Group errors and keep count of them in the database.")
    sentry_dsn: SecretStr | None = Field(default=None, description="Where errors are sent to besides, by sentry-sdk.")
    traces: bool = Field(default=False, description="Record spans by OpenTelemetry, if it is installed.")
    traces_endpoint: str | None = Field(
        default=None,
        description="OTLP over HTTP: `http://localhost:4318/v1/traces`; left out, OpenTelemetry's own variables hold.",
    )
    traces_share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0, description="Share of the traces begun here that are recorded; a caller's decision is followed."
    )
    watch: bool | None = Field(
        default=None,
        description="Let this process do what one of all does: probes, alerts, history; on, unless the environment is "
        "`test`.",
    )
    probes: dict[str, SecretStr] = Field(
        default_factory=dict,
        description='What is asked whether it is up: `{"site": "https://example.org/"}`, `tcp://host:port`, '
        "`tls://host:port` for its certificate, `internal:` for the checks of `/readyz`.",
    )
    probe_every: Annotated[float, Field(ge=5, le=86_400)] = Field(
        default=60.0, description="Seconds between two looks at each of them."
    )
    rules: dict[str, dict[str, Any] | Literal[False]] = Field(
        default_factory=dict,
        description="Alerts by name, and changes of the shipped ones, `false` to leave one out; see the how-to.",
    )
    channels: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="Who is told of alerts: `smtp://host/?from=…&to=…`, `webhook+https://…`, `slack+https://…`.",
    )
    webhook_secret: SecretStr | None = Field(default=None, description="What webhooks are signed with.")
