"""Settings that are files: between the environment and the TOML file; what is wrong names the file, not its content."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from postrmagic_core._secret_files import LARGEST
from postrmagic_core.errors import SettingsError
from postrmagic_core.settings import Settings

KEY = "kX3v9_first_8QmZ1rT6yUw2pLs7NaBcDe"
URL = "mysql://app:canary@db.internal/app"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a secret file into a directory that the environment names; no other settings are here."""
    for name in list(os.environ):
        if name.startswith("POSTRMAGIC_") and not name.startswith("POSTRMAGIC_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "secrets"
    directory.mkdir()
    monkeypatch.setenv("POSTRMAGIC_SECRETS", str(directory))

    def written(name: str, content: str | bytes = "") -> Path:
        path = directory / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return written


def problems() -> dict[str, str]:
    """What is wrong; the files' contents are in no message."""
    with pytest.raises(SettingsError) as caught:
        Settings()
    assert "canary" not in str(caught.value)
    return caught.value.problems


def test_a_file_is_a_setting(write: Write) -> None:
    """Text without the newlines at its end, lists and tables as JSON, numbers as in a variable."""
    write("database__url", f"{URL}\n")
    write("security__keys", f'["{KEY}", "{KEY[::-1]}"]\r\n\n')
    write("jobs__threads", "7\n")
    write("observability__channels", '{"ops": "https://hooks.example.org/canary"}')
    settings = Settings()
    assert settings.database_url() == URL
    assert [key.get_secret_value() for key in settings.security.keys] == [KEY, KEY[::-1]]
    assert settings.jobs.threads == 7
    assert settings.observability.channels["ops"].get_secret_value() == "https://hooks.example.org/canary"


def test_it_stands_between_the_environment_and_the_toml_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Field by field; an empty variable says nothing."""
    (tmp_path / "postrmagic.toml").write_text("[jobs]\nthreads = 1\nlease = 11.0\ngrace = 12.0\n")
    write("jobs__threads", "2")
    write("jobs__lease", "22")
    monkeypatch.setenv("POSTRMAGIC_JOBS__THREADS", "3")
    monkeypatch.setenv("POSTRMAGIC_JOBS__LEASE", "")
    jobs = Settings().jobs
    assert (jobs.threads, jobs.lease, jobs.grace) == (3, 22.0, 12.0)


def test_an_argument_wins_over_it(write: Write) -> None:
    """``replace()`` keeps what is there and changes what is said."""
    write("jobs__threads", "2")
    assert Settings(jobs={"threads": 5}).jobs.threads == 5
    assert Settings().replace(jobs={"threads": 6}).jobs.threads == 6


def test_other_files_are_somebody_elses(write: Write, tmp_path: Path) -> None:
    """What the database's own container is given lies beside, and what a volume of Kubernetes is made of."""
    for name in ("mysql_root_password", "redis.conf", "tls.key", "__init__", "x__", ".database__url"):
        write(name, b"\xff canary")
    (tmp_path / "secrets" / "..data__x").mkdir()
    assert Settings().database.url is None


def test_a_volume_of_kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is a link into a directory that a link leads to, which is exchanged as one."""
    volume = tmp_path / "volume"
    for day, threads in (("1", "3"), ("2", "4")):
        (volume / f"..{day}").mkdir(parents=True)
        (volume / f"..{day}" / "jobs__threads").write_text(threads)
    (volume / "jobs__threads").symlink_to("..data/jobs__threads")
    monkeypatch.setenv("POSTRMAGIC_SECRETS", str(volume))
    for day, expected in (("1", 3), ("2", 4)):
        (volume / "..new").symlink_to(f"..{day}")
        (volume / "..new").rename(volume / "..data")
        assert Settings().jobs.threads == expected


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("databse__url", "did you mean database__url?"),
        ("DATABASE__URL", "did you mean database__url?"),
        ("POSTRMAGIC_CACHE__URL", "did you mean cache__url?"),
        ("security__key", "did you mean security__keys?"),
        ("middleware__options__trusted_proxies", "did you mean middleware__options?"),
        ("zzz__qqq", "expected <room>__<field> in small letters"),
    ],
)
def test_a_name_that_is_nearly_a_setting_is_wrong(write: Write, name: str, near: str) -> None:
    """Silence would be another database."""
    path = write(name, "canary")
    assert near in problems()[str(path)]


def test_every_file_that_cannot_be_read_is_named_at_once(write: Write, tmp_path: Path) -> None:
    """A link that leads nowhere or around, a directory, a pipe, no UTF-8, no JSON, too much, nothing at all."""
    directory = tmp_path / "secrets"
    (directory / "cache__url").symlink_to("nowhere")
    (directory / "events__url").symlink_to("events__url")
    (directory / "jobs__url").mkdir()
    os.mkfifo(directory / "limits__url")
    write("sessions__url", b"redis://\xffcanary")
    write("security__keys", "canary, not JSON")
    write("database__url", "sqlite:///canary" + "x" * LARGEST)
    write("backups__url", "\n")
    write("observability__token", b"canary\0canary_canary")
    assert {Path(name).name: problem for name, problem in problems().items()} == {
        "cache__url": "it cannot be read: No such file or directory",
        "events__url": "it cannot be read: Too many levels of symbolic links",
        "jobs__url": "it is no file",
        "limits__url": "it is no file",
        "sessions__url": "it is not UTF-8",
        "security__keys": "expected JSON",
        "database__url": "it has more than 64 KiB",
        "backups__url": "it is empty: write the value, or take the file away",
        "observability__token": "it has a NUL character in it",
    }


def test_a_file_that_may_not_be_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it belongs to another user."""
    path = write("database__url", URL)

    def refused(*arguments: object, **options: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("postrmagic_core._secret_files.os.open", refused)
    assert problems() == {str(path): "it cannot be read: Permission denied"}


def test_a_value_that_is_refused_is_told_like_any_other(write: Write) -> None:
    """By the setting's name."""
    write("database__url", "canary.db")
    write("jobs__threads", "canary")
    assert set(problems()) == {"database.url", "jobs.threads"}


@pytest.mark.parametrize("there", ["nothing", "file"])
def test_a_directory_that_is_none_is_told(there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount that was forgotten is an error, not another database; an empty variable names none."""
    if there == "file":
        (tmp_path / "secrets").write_text("canary")
    monkeypatch.setenv("POSTRMAGIC_SECRETS", str(tmp_path / "secrets"))
    assert "cannot be read" in problems()["POSTRMAGIC_SECRETS"]
    monkeypatch.setenv("POSTRMAGIC_SECRETS", "")
    assert Settings().database.url is None
