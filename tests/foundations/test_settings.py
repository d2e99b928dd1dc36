"""Settings: environment over file over defaults; every problem in one error; secrets never shown."""

from __future__ import annotations

import multiprocessing
import secrets
import stat
from pathlib import Path

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.errors import ConfigurationError, SettingsError
from postrmagic_core.settings import Settings

KEY = "kX3v9_first_8QmZ1rT6yUw2pLs7NaBcDe"


@pytest.fixture(autouse=True)
def _empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_defaults_are_the_embedded_stack(tmp_path: Path) -> None:
    """With nothing set, database, stores and broker are SQLite files under the data directory."""
    settings = Settings()
    assert settings.database_url() == f"sqlite:///{tmp_path}/var/app.db"
    assert settings.store_url(settings.cache) == f"sqlite:///{tmp_path}/var/kv.db"
    assert settings.broker_url() == settings.database_url()
    assert not (tmp_path / "var").exists(), "reading settings writes nothing"


def test_environment_wins_over_file_and_file_over_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One room may be filled from both, field by field."""
    (tmp_path / "postrmagic.toml").write_text("[jobs]\nthreads = 9\nlease = 30.0\n")
    monkeypatch.setenv("POSTRMAGIC_JOBS__THREADS", "3")
    settings = Settings()
    assert (settings.jobs.threads, settings.jobs.lease, settings.jobs.namespace) == (3, 30.0, "app")


def test_another_file_can_be_named_and_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt POSTRMAGIC_CONFIG is an error, not silence."""
    monkeypatch.setenv("POSTRMAGIC_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(SettingsError, match=r"POSTRMAGIC_CONFIG: no such file"):
        Settings()


def test_every_wrong_setting_is_listed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Types, ranges, unknown rooms, unknown fields and malformed URLs come in one error."""
    monkeypatch.setenv("POSTRMAGIC_JOBS__THREADS", "many")
    monkeypatch.setenv("POSTRMAGIC_CACHE__TIMEOUT", "-1")
    monkeypatch.setenv("POSTRMAGIC_CAHCE__URL", "redis://h")
    monkeypatch.setenv("POSTRMAGIC_LOG__COLOUR", "blue")
    monkeypatch.setenv("POSTRMAGIC_DATABASE__URL", "app.db")
    with pytest.raises(SettingsError) as caught:
        Settings()
    assert set(caught.value.problems) == {
        "POSTRMAGIC_CAHCE__URL",
        "jobs.threads",
        "cache.timeout",
        "log.colour",
        "database.url",
    }


def test_what_cannot_be_read_at_all_is_told_like_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is no JSON, a file that is no TOML or no text: one of our errors, with the place."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSTRMAGIC_JOBS", "{canary")
    with pytest.raises(SettingsError, match=r'"jobs".*JSON') as caught:
        Settings()
    assert "canary" not in str(caught.value)
    monkeypatch.delenv("POSTRMAGIC_JOBS")
    for content in (b"[jobs\nthreads = 4", b"\xff\xfe[jobs]"):
        Path("postrmagic.toml").write_bytes(content)
        with pytest.raises(SettingsError, match=r"postrmagic\.toml.*TOML"):
            Settings()
    Path("postrmagic.toml").unlink()
    Path("postrmagic.toml").mkdir()
    assert Settings().jobs.threads == 4


def test_no_secret_is_in_errors_or_representations(monkeypatch: pytest.MonkeyPatch) -> None:
    """URLs carry passwords: neither repr nor an error about one shows it."""
    monkeypatch.setenv("POSTRMAGIC_DATABASE__URL", "mysql://u:hunter2@h/d")
    monkeypatch.setenv("POSTRMAGIC_SECURITY__KEYS", f'["{KEY}"]')
    settings = Settings()
    assert settings.database_url() == "mysql://u:hunter2@h/d"
    assert "hunter2" not in repr(settings) + str(settings)
    assert KEY not in repr(settings)
    monkeypatch.setenv("POSTRMAGIC_CACHE__URL", "hunter2")
    with pytest.raises(SettingsError) as caught:
        Settings()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_development_makes_one_private_key_and_keeps_it(tmp_path: Path) -> None:
    """Two starts read the same key, and nobody else can read the file."""
    first, second = Settings().key_ring(), Settings().key_ring()
    assert second.open(first.seal(b"x", purpose="p"), purpose="p") == b"x"
    mode = stat.S_IMODE((tmp_path / "var" / "secret.key").stat().st_mode)
    assert mode == 0o600


def _seal(place: str, start: str) -> bytes:
    while not Path(start).exists():
        pass
    return Settings(stack={"data_dir": place}).key_ring().seal(b"x", purpose="p")


def test_processes_that_start_at_once_share_the_generated_key(tmp_path: Path) -> None:
    """Whoever wins writes the file; the others read it, whole."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        start = tmp_path / "start"
        sealing = [pool.apply_async(_seal, (str(tmp_path / "var"), str(start))) for _ in range(8)]
        start.touch()
        sealed = [result.get(30) for result in sealing]
    ring = Settings().key_ring()
    assert {ring.open(blob, purpose="p") for blob in sealed} == {b"x"}
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["secret.key"]


def test_backups_are_sealed_with_their_own_keys_if_there_are_any(tmp_path: Path) -> None:
    """Else with those of everything; a key that is none is told by the setting that has it."""
    own, rest = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    settings = Settings(security={"keys": [rest]}, backups={"keys": [own]})
    assert settings.backup_keys().key_id == KeyRing([own]).key_id
    assert Settings(security={"keys": [rest]}).backup_keys().key_id == KeyRing([rest]).key_id
    with pytest.raises(ConfigurationError, match=r"POSTRMAGIC_BACKUPS__KEYS.*32"):
        Settings(backups={"keys": ["short"]}).backup_keys()


def test_production_refuses_a_generated_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to set, and how to make one."""
    monkeypatch.setenv("POSTRMAGIC_STACK__ENVIRONMENT", "production")
    with pytest.raises(ConfigurationError, match="POSTRMAGIC_SECURITY__KEYS"):
        Settings().key_ring().seal(b"x", purpose="p")


def test_production_refuses_a_cookie_over_plain_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From whatever source and by a changed copy too; elsewhere it may be, and other mistakes are still all told."""
    plain = Settings(sessions={"cookie_secure": False})
    assert not plain.sessions.cookie_secure
    assert Settings(stack={"environment": "production"}).sessions.cookie_secure
    with pytest.raises(SettingsError) as caught:
        plain.replace(stack={"environment": "production"})
    assert caught.value.problems.keys() == {"sessions.cookie_secure"}
    (tmp_path / "postrmagic.toml").write_text("[sessions]\ncookie_secure = false\n")
    monkeypatch.setenv("POSTRMAGIC_STACK__ENVIRONMENT", "production")
    with pytest.raises(SettingsError, match=r"sessions\.cookie_secure: .*HTTPS"):
        Settings()
    with pytest.raises(SettingsError, match=r"jobs\.threads"):
        Settings(jobs={"threads": 0})


@pytest.mark.parametrize("namespace", ["app[1]", "a*", "", "a b", "x" * 65, "é"])
def test_namespaces_that_could_be_globs_are_refused(namespace: str) -> None:
    """Namespaces become key prefixes and queue names: only plain characters."""
    with pytest.raises(SettingsError, match=r"cache\.namespace"):
        Settings(cache={"namespace": namespace})


def test_replace_changes_some_fields_and_checks_them() -> None:
    """A changed copy is validated like the first."""
    settings = Settings(cache={"namespace": "one"})
    changed = settings.replace(cache={"timeout": 0.2})
    assert (changed.cache.namespace, changed.cache.timeout) == ("one", 0.2)
    with pytest.raises(SettingsError, match=r"cache\.timeout"):
        settings.replace(cache={"timeout": 0})


@pytest.mark.parametrize("field", ["access_token_lifetime", "refresh_idle", "grant_lifetime"])
def test_what_clients_get_lives_for_a_second_at_least(field: str) -> None:
    """Told with all that is wrong, and not when the first client comes."""
    with pytest.raises(SettingsError, match=f"oauth.{field}"):
        Settings(oauth={"issuer": "https://app.example.org", field: 0.5})
