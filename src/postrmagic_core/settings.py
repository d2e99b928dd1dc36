"""Settings: the only reader of the environment and of ``postrmagic.toml``.

``POSTRMAGIC_<ROOM>__<FIELD>`` in the environment wins over the file, the file over the defaults below. URLs choose the
backends; left out, everything lives in SQLite files under ``stack.data_dir``. Durations are float seconds.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from ._crypto import KeyRing
from .errors import ConfigurationError, SettingsError

NAMESPACE = r"^[A-Za-z0-9_.:-]{1,64}$"

Seconds = Annotated[float, Field(gt=0, le=366 * 86_400)]
Namespace = Annotated[str, Field(pattern=NAMESPACE)]


def _has_scheme(url: SecretStr) -> SecretStr:
    if "://" not in url.get_secret_value():
        raise ValueError("expected a URL such as sqlite:///app.db, mysql://user:password@host/name or redis://host/0")
    return url


BackendUrl = Annotated[SecretStr, AfterValidator(_has_scheme)]


class _Room(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class StackSettings(_Room):
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


class SecuritySettings(_Room):
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


class DatabaseSettings(_Room):
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
    metadata: str | None = Field(
        default=None, description="The `MetaData` that new revisions are compared with: `module:name`."
    )


class StoreSettings(_Room):
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


class JobSettings(_Room):
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


class EventSettings(_Room):
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


class MiddlewareGroup(_Room):
    """Other middleware for the paths beneath a prefix."""

    use: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class MiddlewareSettings(_Room):
    """The pipeline that ``stack.middleware.pipeline()`` makes."""

    use: tuple[str, ...] = Field(
        default=(
            "trusted_proxies",
            "request_id",
            "trace_context",
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


class LogSettings(_Room):
    """Logging."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO", description="Lowest level kept."
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto`: console on a terminal, else JSON."
    )
    file: Path | None = Field(default=None, description="File to append to, JSON lines; default standard error.")
    redact: tuple[str, ...] = Field(default=(), description="Further key names whose values are masked.")


class Settings(BaseSettings):
    """Everything that can be set, read once.

    ``Settings()`` reads the environment and ``postrmagic.toml`` in the working directory (another file:
    ``POSTRMAGIC_CONFIG``). Wrong settings raise one :class:`SettingsError` that lists them all.
    """

    model_config = SettingsConfigDict(
        env_prefix="POSTRMAGIC_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
        hide_input_in_errors=True,
    )
    _reserved: ClassVar[frozenset[str]] = frozenset({"POSTRMAGIC_CONFIG"})

    stack: StackSettings = Field(default_factory=StackSettings)
    security: SecuritySettings = Field(default_factory=SecuritySettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    sessions: SessionSettings = Field(default_factory=SessionSettings)
    jobs: JobSettings = Field(default_factory=JobSettings)
    events: EventSettings = Field(default_factory=EventSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    middleware: MiddlewareSettings = Field(default_factory=MiddlewareSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    def __init__(self, **values: Any) -> None:
        problems = _misspelt(set(type(self).model_fields), self._reserved)
        try:
            super().__init__(**values)
        except ValidationError as error:
            for item in error.errors(include_url=False, include_input=False, include_context=False):
                problems[".".join(str(part) for part in item["loc"])] = item["msg"].removeprefix("Value error, ")
        if problems:
            raise SettingsError(problems) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the TOML file."""
        config = os.environ.get("POSTRMAGIC_CONFIG")
        if config is not None and not Path(config).is_file():
            raise SettingsError({"POSTRMAGIC_CONFIG": f"no such file: {config}"})
        file = TomlConfigSettingsSource(settings_cls, toml_file=config or "postrmagic.toml")
        return init_settings, env_settings, file

    def embedded(self, file: str) -> str:
        """The SQLite URL of ``file`` in the data directory."""
        return f"sqlite:///{self.stack.data_dir.absolute() / file}"

    def database_url(self) -> str:
        """The application's database, with its password: never log it."""
        return _reveal(self.database.url) or self.embedded("app.db")

    def store_url(self, room: StoreSettings) -> str:
        """The store of one room, with its password."""
        return _reveal(room.url) or self.embedded("kv.db")

    def broker_url(self) -> str:
        """The jobs' broker, with its password."""
        return _reveal(self.jobs.url) or self.database_url()

    def channel_url(self) -> str:
        """The channel of broadcast events, with its password."""
        return _reveal(self.events.url) or "memory://"

    def key_ring(self) -> KeyRing:
        """The encryption keys, read at first use; development makes one in ``data_dir/secret.key`` (mode 0600)."""
        return KeyRing(self._master_keys)

    def _master_keys(self) -> list[str]:
        keys = [key.get_secret_value() for key in self.security.keys]
        if not keys:
            if self.stack.environment == "production":
                raise ConfigurationError(
                    "production needs POSTRMAGIC_SECURITY__KEYS: a JSON list of secrets of 32 or more characters, "
                    "for example [\"$(python -c 'import secrets; print(secrets.token_urlsafe(32))')\"]"
                )
            keys = [_generated_key(self.stack.data_dir / "secret.key")]
        return keys

    def replace(self, **rooms: dict[str, Any]) -> Self:
        """A copy with some rooms' fields changed, validated: ``settings.replace(jobs={"threads": 8})``."""
        merged = {name: getattr(self, name).model_dump() | rooms.get(name, {}) for name in type(self).model_fields}
        return type(self)(**merged)


def _reveal(url: SecretStr | None) -> str | None:
    return None if url is None else url.get_secret_value()


def _misspelt(rooms: set[str], reserved: frozenset[str]) -> dict[str, str]:
    """Variables with our prefix that no room will read: a silent typo is a wrong setting."""
    problems = {}
    for name in os.environ:
        if name.startswith("POSTRMAGIC_") and name not in reserved and not name.startswith("POSTRMAGIC_TEST_"):
            room = name.removeprefix("POSTRMAGIC_").partition("__")[0].lower()
            if room not in rooms:
                problems[name] = (
                    f"no such room; expected POSTRMAGIC_<ROOM>__<FIELD> with one of {', '.join(sorted(rooms))}"
                )
    return problems


def _generated_key(path: Path) -> str:
    """Read the key at ``path``, or make it so that of two processes starting at once both read the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return path.read_text().strip()
