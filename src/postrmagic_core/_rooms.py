"""The rooms of the settings: each field with its type, its bounds, its default and what it is for.

:mod:`postrmagic_core.settings` reads them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

NAMESPACE = r"^[A-Za-z0-9_.:-]{1,64}$"

Seconds = Annotated[float, Field(gt=0, le=366 * 86_400)]
Namespace = Annotated[str, Field(pattern=NAMESPACE)]


def _has_scheme(url: SecretStr) -> SecretStr:
    if "://" not in url.get_secret_value():
        raise ValueError("expected a URL such as sqlite:///app.db, mysql://user:password@host/name or redis://host/0")
    return url


BackendUrl = Annotated[SecretStr, AfterValidator(_has_scheme)]


class Room(BaseModel):
    """A part of the settings; fields nobody knows are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class StackSettings(Room):
    """What concerns the whole Stack."""

    data_dir: Path = Field(
        default=Path("var"), description="Directory of the embedded SQLite files; made when missing."
    )
    environment: Literal["development", "test", "production"] = Field(
        default="development", description="`production` refuses a generated key and does not migrate by itself."
    )
    service: Namespace = Field(
        default="postrmagic", description="Name of the application: in logs, metrics and key prefixes."
    )
    release: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+-]{0,64}$")] = Field(
        default="", description="Version of the application that runs here: in logs, metrics, errors and traces."
    )
    remember_settings: bool | None = Field(
        default=None,
        description="Keep versions of the settings in `data_dir/settings`, for `postrmagic config`; on, unless the "
        "environment is `test`.",
    )


class SecuritySettings(Room):
    """Keys, and what accounts need."""

    keys: tuple[SecretStr, ...] = Field(
        default=(),
        description="Encryption keys, 32 characters or more each; the first seals, all open. "
        "Left out, development makes one in `data_dir`; production refuses to start.",
    )
    issuer: str | None = Field(
        default=None, description="What authenticator apps call the application; default `stack.service`."
    )
    role_max_age: Seconds = Field(
        default=1.0, description="Seconds for which a revoked role may still count in another process."
    )


class OAuthSettings(Room):
    """The authorization server of the application's API."""

    issuer: str | None = Field(
        default=None,
        description="URL by which clients know the authorization server, `https://app.example.org`; without it there "
        "is none. `http://` for this machine alone.",
    )
    audience: str | None = Field(default=None, description="What access tokens are for; default `issuer`.")
    signing_keys: tuple[SecretStr, ...] = Field(
        default=(),
        description="Private keys in PEM (Ed25519, P-256, RSA); the first signs, all verify. "
        "Left out, they are derived from `security.keys`.",
    )
    access_token_lifetime: Annotated[float, Field(ge=1, le=3600)] = Field(
        default=600.0,
        description="Seconds for which an access token is good; servers elsewhere learn of no end before.",
    )
    refresh_idle: Annotated[Seconds, Field(ge=1)] = Field(
        default=30 * 86_400.0, description="Seconds after which a refresh token that was not used ends."
    )
    grant_lifetime: Annotated[Seconds, Field(ge=1)] = Field(
        default=90 * 86_400.0, description="Seconds after which a user is asked again, however much a client refreshes."
    )


class DatabaseSettings(Room):
    """The application's database."""

    url: BackendUrl | None = Field(
        default=None, description="`sqlite:///…`, `mysql://…` or `mariadb://…`; default `app.db`."
    )
    pool_size: int = Field(
        default=5, ge=1, le=1000, description="Connections kept open, for reading and for writing each."
    )
    pool_overflow: int = Field(
        default=10, ge=0, le=1000, description="Connections opened beyond `pool_size` under load."
    )
    pool_timeout: Seconds = Field(default=5.0, description="Seconds to wait for a free connection.")
    pool_max_age: Seconds = Field(default=1800.0, description="Seconds after which a connection is replaced.")
    pool_idle_check: Seconds = Field(
        default=60.0, description="A connection idle for so many seconds is asked whether it still works."
    )
    pool_hold_budget: Seconds = Field(
        default=30.0, description="Who holds a connection for so many seconds is logged, once, with the stack."
    )
    connect_timeout: Seconds = Field(default=2.0, description="Seconds to wait for the server to accept a connection.")
    statement_timeout: Seconds = Field(default=30.0, description="Seconds a statement may take before it fails.")
    lock_timeout: Seconds = Field(
        default=5.0, description="Seconds to wait for a lock (SQLite: for the writer's turn)."
    )
    migrations: str | None = Field(
        default=None,
        description="The application's own migrations: a directory, or `package:directory`; it holds `versions/`.",
    )
    query_log: bool = Field(default=True, description="Count every statement; files go to `data_dir`/queries.")
    slow_query: Seconds = Field(
        default=0.2, description="Seconds from which a statement is logged, with its plan, once a minute."
    )
    query_budget: Seconds | None = Field(
        default=None, description="Seconds of statements from which a request or job is logged with its costliest."
    )
    repeated_query: int = Field(
        default=20, ge=2, description="Executions of one statement from which a request or job is logged (N+1)."
    )
    comments: bool = Field(
        default=True,
        description="On MySQL, name the request or job behind each statement in a comment.",
    )
    metadata: str | None = Field(
        default=None, description="The `MetaData` that new revisions are compared with: `module:name`."
    )


class StoreSettings(Room):
    """A Store, for one of its uses."""

    url: BackendUrl | None = Field(
        default=None, description="`redis://…`, `tiered+redis://…`, `sqlite:///…`, `memory://`; default `kv.db`."
    )
    namespace: Namespace = Field(
        default="app", description="Prefix of every key: two applications may share one server."
    )
    timeout: Seconds = Field(default=0.5, description="Seconds an operation may take, all tries included.")


class CacheSettings(StoreSettings):
    """The cache."""

    unavailable: Literal["open", "stale", "closed"] = Field(
        default="open", description="Store away: compute (`open`), serve what is at hand (`stale`), or fail (`closed`)."
    )
    queries: bool = Field(
        default=False,
        description="Keep answers of SELECTs (`stack.queries`). Each write unit then ends those of the tables it "
        "wrote, by an outbox row: set it alike in every process.",
    )


class SessionSettings(StoreSettings):
    """Sessions and their cookie."""

    idle_timeout: Seconds = Field(default=1800.0, description="Seconds without a request after which a session ends.")
    absolute_timeout: Seconds = Field(
        default=43_200.0, description="Seconds after login at which a session ends in any case."
    )
    touch_interval: Seconds = Field(
        default=60.0, description="A read-only request prolongs the session at most this often."
    )
    renewal_timeout: Seconds = Field(default=3600.0, description="Seconds after which a session's id is replaced.")
    rotation_grace: float = Field(
        default=10.0,
        ge=0,
        le=3600,
        description="Seconds for which a replaced id is still good; then whoever uses it ends the session.",
    )
    max_sessions: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Sessions a user may have; one more ends the one that was not used for the longest time.",
    )
    bind_agent: Literal["off", "log", "revoke"] = Field(
        default="log", description="What happens when another kind of browser or system uses a user's session."
    )
    bind_network: Literal["off", "log", "revoke"] = Field(
        default="log",
        description="What happens when a user's session is used from another network (IPv4 /24, IPv6 /48).",
    )
    cookie_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = Field(
        default="session", description="Cookie name; `__Host-` is put before it when the cookie is secure."
    )
    cookie_secure: bool = Field(
        default=True, description="Cookie only over HTTPS. Browsers treat http://localhost as secure enough."
    )


class JobSettings(Room):
    """Jobs and their worker."""

    url: BackendUrl | None = Field(default=None, description="Broker: the database's URL (default), `redis://…`.")
    namespace: Namespace = Field(default="app", description="Prefix of queues and keys in the broker.")
    worker: Literal["separate", "embedded"] = Field(
        default="separate",
        description="`embedded` runs worker, relay and scheduler as threads of the (one) web process.",
    )
    threads: int = Field(default=4, ge=1, le=256, description="Jobs a worker process runs at once.")
    lease: Seconds = Field(default=15.0, description="Seconds after which a silent worker's job is given to another.")
    grace: Seconds = Field(default=30.0, description="Seconds that a worker which is to end gives the jobs it runs.")
    max_memory_mib: int | None = Field(
        default=None,
        ge=1,
        description="MiB of memory beyond which a process of `postrmagic worker` drains and another takes its place.",
    )


class EventSettings(Room):
    """Events."""

    url: BackendUrl | None = Field(
        default=None, description="Channel of broadcast events: `redis://…`; default `memory://`, this process alone."
    )
    namespace: Namespace = Field(default="app", description="Keeps applications apart that share a channel's server.")
    concurrency: int = Field(default=32, ge=1, description="Async listeners that run at once after a commit.")
    backlog: int = Field(default=1000, ge=1, description="Calls of async listeners that may wait.")
    overflow: Literal["block", "drop_oldest", "raise"] = Field(
        default="block",
        description="What happens to a call beyond: the emitter waits, the oldest goes, or it is refused.",
    )


class LimitSettings(StoreSettings):
    """Rate and concurrency limits."""

    unavailable: Literal["open", "closed", "local"] = Field(
        default="local",
        description="Store away: let pass (`open`), refuse (`closed`), or limit within this process (`local`).",
    )


class MiddlewareGroup(Room):
    """Other middleware for the paths beneath a prefix."""

    use: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class MiddlewareSettings(Room):
    """The pipeline that ``stack.middleware.pipeline()`` makes."""

    use: tuple[str, ...] = Field(
        default=(
            "trusted_proxies",
            "probes",
            "request_id",
            "trace_context",
            "request_metrics",
            "access_log",
            "security_headers",
            "errors",
            "time_limits",
            "header_limits",
            "body_limit",
            "sessions",
            "csrf",
        ),
        description="Names of the package's and of installed middleware, or `module:factory`; put in order by itself.",
    )
    options: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description='By name, what a middleware is made with: `{"body_limit": {"max_bytes": 1000}}`.',
    )
    groups: dict[Annotated[str, Field(pattern=r"^/.*[^/]$")], MiddlewareGroup] = Field(
        default_factory=dict,
        description='By prefix of the path, what is used besides and left out: `{"/api": {"use": […]}}`.',
    )
