"""Settings: the only reader of the environment and of ``postrmagic.toml``.

``POSTRMAGIC_<ROOM>__<FIELD>`` in the environment wins over a secret file ``<room>__<field>``, that over
``postrmagic.toml``, and this over the rooms' defaults. URLs choose the backends; left out, everything lives in SQLite
files under ``stack.data_dir``. Durations are float seconds.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tomllib
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as NotJson

from ._crypto import KeyRing
from ._rooms import (
    CacheSettings,
    DatabaseSettings,
    EventSettings,
    JobSettings,
    LimitSettings,
    MiddlewareSettings,
    OAuthSettings,
    SecuritySettings,
    SessionSettings,
    StackSettings,
    StoreSettings,
)
from ._rooms_recovery import BackupSettings, FlagSettings
from ._rooms_watching import LogSettings, ObservabilitySettings
from ._secret_files import SECRETS, read_secret_files
from .errors import ConfigurationError, SettingsError


class Settings(BaseSettings):
    """Everything that can be set, read once.

    ``Settings()`` reads the environment, the secret files in the directory ``POSTRMAGIC_SECRETS``, if it is set, and
    ``postrmagic.toml`` in the working directory (another file: ``POSTRMAGIC_CONFIG``). Wrong settings raise one
    :class:`SettingsError` that lists them all.
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
    _reserved: ClassVar[frozenset[str]] = frozenset({"POSTRMAGIC_CONFIG", SECRETS})

    stack: StackSettings = Field(default_factory=StackSettings)
    security: SecuritySettings = Field(default_factory=SecuritySettings)
    oauth: OAuthSettings = Field(default_factory=OAuthSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    sessions: SessionSettings = Field(default_factory=SessionSettings)
    jobs: JobSettings = Field(default_factory=JobSettings)
    events: EventSettings = Field(default_factory=EventSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    middleware: MiddlewareSettings = Field(default_factory=MiddlewareSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    observability: ObservabilitySettings = Field(default_factory=ObservabilitySettings)
    backups: BackupSettings = Field(default_factory=BackupSettings)
    flags: FlagSettings = Field(default_factory=FlagSettings)

    def __init__(self, **values: Any) -> None:
        problems = _misspelt(set(type(self).model_fields), self._reserved)
        try:
            super().__init__(**values)
        except ValidationError as error:
            for item in error.errors(include_url=False, include_input=False, include_context=False):
                problems[".".join(str(part) for part in item["loc"])] = item["msg"].removeprefix("Value error, ")
        except SettingsError as error:
            problems |= error.problems
        except NotJson as error:
            problems["environment"] = f"{error}: expected JSON"
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            problems[_file()] = f"it cannot be read as TOML: {error}"
        except OSError as error:
            problems[_file()] = f"it cannot be read: {error.strerror}"
        else:
            problems |= self._unsafe()
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
        """Arguments, then the environment, then secret files, then the TOML file."""
        config = os.environ.get("POSTRMAGIC_CONFIG")
        if config is not None and not Path(config).is_file():
            raise SettingsError({"POSTRMAGIC_CONFIG": f"no such file: {config}"})
        found = read_secret_files(settings_rooms(settings_cls))
        if found.problems:
            raise SettingsError(found.problems)
        secret = InitSettingsSource(settings_cls, init_kwargs=found.values)
        file = TomlConfigSettingsSource(settings_cls, toml_file=_file())
        return init_settings, env_settings, secret, file

    def _unsafe(self) -> dict[str, str]:
        """What may be in development, and never where users are."""
        if self.stack.environment != "production" or self.sessions.cookie_secure:
            return {}
        return {"sessions.cookie_secure": "production sends the session's cookie over HTTPS alone: leave it true"}

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

    def vault_url(self) -> str:
        """Where backups are kept, with its password."""
        return _reveal(self.backups.url) or (self.stack.data_dir.absolute() / "backups").as_uri()

    @property
    def remembers(self) -> bool:
        """Whether versions of these settings are kept."""
        kept = self.stack.remember_settings
        return self.stack.environment != "test" if kept is None else kept

    @property
    def searches(self) -> bool:
        """Whether this machine's log records are kept to be searched."""
        return self.stack.environment != "test" if self.log.search is None else self.log.search

    @property
    def watches(self) -> bool:
        """Whether this process may do what one of all does."""
        return self.stack.environment != "test" if self.observability.watch is None else self.observability.watch

    def key_ring(self) -> KeyRing:
        """The encryption keys, read at first use; development makes one in ``data_dir/secret.key`` (mode 0600)."""
        return KeyRing(self._master_keys)

    def backup_keys(self) -> KeyRing:
        """The keys of backups; where there are none of their own, :meth:`key_ring`."""
        own = [key.get_secret_value() for key in self.backups.keys]
        if not own:
            return self.key_ring()
        try:
            return KeyRing(own)
        except ConfigurationError as error:
            raise ConfigurationError(f"POSTRMAGIC_BACKUPS__KEYS: {error}") from None

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


def settings_rooms(settings: type[BaseSettings]) -> dict[str, type[BaseModel]]:
    """The rooms of ``settings``, and what each is made of."""
    return {
        name: told.annotation
        for name, told in settings.model_fields.items()
        if isinstance(told.annotation, type) and issubclass(told.annotation, BaseModel)
    }


def _file() -> str:
    return os.environ.get("POSTRMAGIC_CONFIG") or "postrmagic.toml"


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
