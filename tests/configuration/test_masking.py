"""No secret stays in a value; what is no secret does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from postrmagic_core._crypto import KeyRing
from postrmagic_core.configuration.interface import Masked
from postrmagic_core.configuration.masking import Masker
from postrmagic_core.configuration.written import encoded
from tests.configuration.place import FIRST, SECOND, Place

CANARY = "c4n4ry"


def shown(name: str, value: object) -> str:
    """The value without its secrets; fingerprints as ``*``."""
    masked = Masker(KeyRing([FIRST])).field(name, value)
    if isinstance(masked, Masked):
        return "".join(part if isinstance(part, str) else "*" for part in masked.parts)
    assert isinstance(masked, str)
    return masked


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:////var/app.db", "sqlite:////var/app.db"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("redis://db.example.org:6379/0", "redis://db.example.org:6379/0"),
        ("mysql://app:c4n4ry@db1:3306/app?charset=utf8", "mysql://app:*@db1:3306/app?charset=utf8"),
        ("mysql://app:c4n4ry@c4n4ry/c4n4ry?c4n4ry#c4n4ry@db1/app", "mysql://app:*@db1/app"),
        ("redis://:c4n4ry@db/0", "redis://:*@db/0"),
        ("redis://c4n4ry@db/0", "redis://*@db/0"),
        ("redis://db/0?password=c4n4ry&db=1", "redis://db/0?password=*&db=1"),
        ("redis://a:c4n4ry@db/0?x=1&token=c4n4ry", "redis://a:*@db/0?x=1&token=*"),
        ("mysql://app:c4n4ry/db", "mysql://*"),  # the @ was forgotten
        ("mysql://app:123c4n4ry", "mysql://*"),
        ("c4n4ry", "*"),
    ],
)
def test_of_a_backends_url_the_secret_goes(url: str, expected: str) -> None:
    """Host, database and user stay, so that one that changed is seen; a password may have any character."""
    assert shown("database.url", SecretStr(url)) == expected
    assert shown("backups.drill_url", SecretStr(url)) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("slack+https://hooks.slack.com/services/c4n4ry", "slack+https://hooks.slack.com*"),
        ("https://c4n4ry@o1.ingest.sentry.io/77", "https://*@o1.ingest.sentry.io*"),
        ("smtp://u:c4n4ry@mail.example.org/?from=a@b&to=c@d", "smtp://*@mail.example.org*"),
        ("smtp://mail.example.org/?from=a@b&to=c@d", "smtp://mail.example.org*"),
        ("smtp://u:123?c4n4ry@mail.example.org", "*"),
        ("smtp://u:c4n4ry", "*"),
        ("internal:", "*"),
        ("https://example.org", "https://example.org"),
    ],
)
def test_of_a_place_that_is_told_only_the_host_stays(url: str, expected: str) -> None:
    """The path of a webhook is all it takes to use it."""
    assert shown("observability.sentry_dsn", SecretStr(url)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "https://u:c4n4ry@host/v1",
        "https://host/v1?token=c4n4ry",
        "password=c4n4ry",
        "Bearer c4n4ryc4n4ry",
        "pw: x://:c4n4ry@h",
    ],
)
def test_what_looks_like_a_secret_is_one(text: str) -> None:
    """In a setting that is none as a whole."""
    assert CANARY not in shown("log.forward", text)


HEADS = ["mysql://app:", "redis://", "", "https://x:1/?password="]
OPTIONS: dict[str, Any] = {
    "passwords": {"max_bytes": 1000, "api_key": "c4n4ry", "deep": [{"secret": {"a": ["c4n4ry", 4711, None, True]}}]},
    "$odd": {"$masked": 1, "at": datetime(2026, 1, 2, 3, 4, 5), "day": date(2026, 1, 2), "hour": time(3)},  # noqa: DTZ001 - TOML has such
}


def test_free_form_values_are_searched() -> None:
    """By names, however deep; the name that stands first is somebody's choice and tells nothing."""
    masker = Masker(KeyRing([FIRST]))
    masked = masker.field("middleware.options", OPTIONS)
    told = repr(encoded(masked))
    assert CANARY not in told
    assert "4711" not in told
    assert masked["passwords"]["max_bytes"] == 1000
    assert masker.unmasked(masked) == OPTIONS


def test_what_is_of_no_kind_that_is_known_is_not_spelt_out() -> None:
    """An object of the application's code may tell secrets in its own words."""

    class Client:
        def __repr__(self) -> str:
            return f"Client(password={CANARY})"

    assert shown("middleware.options", Client()) == "<Client>"
    assert shown("middleware.options", CANARY.encode()) == "<bytes>"


def test_secrets_come_back_only_where_they_are_known() -> None:
    """Another masker, or one with another key, has none."""
    masker = Masker(KeyRing([FIRST]))
    masked = masker.field("database.url", SecretStr("mysql://app:c4n4ry@db1/app"))
    assert masker.unmasked(masked) == "mysql://app:c4n4ry@db1/app"
    for other in (Masker(KeyRing([FIRST])), Masker(KeyRing([SECOND])), Masker(None)):
        with pytest.raises(KeyError):
            other.unmasked(masked)


@given(
    st.text(max_size=30),
    st.sampled_from(["mysql://app:", "redis://", "", "https://x:1/?password="]),
    st.text(max_size=9),
)
def test_no_url_shows_what_stands_before_its_last_at(secret: str, head: str, tail: str) -> None:
    """Whatever its characters are, unless the host says the same; and every text comes back."""
    masker = Masker(KeyRing([FIRST]))
    if head in {"", "redis://"}:
        secret = secret.replace(":", "")  # else what stands before it is a scheme, or a user's name: both are shown
    if head == "redis://":
        secret = secret.replace("?", "")  # behind a slash: a query, and what stands before it a host
    url = f"{head}{CANARY}{secret}{CANARY}@{tail.replace('@', '')}"
    for name in ("database.url", "security.issuer", "log.file_url", "observability.sentry_dsn"):
        masked = masker.field(name, SecretStr(url))
        assert CANARY not in str(masked)
        assert masker.unmasked(masked) == url


def test_no_secret_is_in_a_version(place: Place) -> None:
    """Every setting that is one has a canary; none is in a file, a name or a representation."""
    canaries = {
        f"{name}{CANARY}x" for name in ("db", "cache", "hook", "probe", "dsn", "token", "wh", "opt", "fwd", "bkp")
    }
    place.says(
        f"""
[database]
url = "mysql://app:db{CANARY}x@db1/app"
[cache]
url = "redis://:cache{CANARY}x@h/0"
[backups]
keys = ["bkp{CANARY}x_0123456789_abcdefghijklmnop"]
[observability]
token = "token{CANARY}x0123456789"
webhook_secret = "wh{CANARY}x"
sentry_dsn = "https://dsn{CANARY}x@sentry.io/1"
channels = {{ ops = "slack+https://hooks.slack.com/hook{CANARY}x" }}
probes = {{ site = "https://example.org/probe{CANARY}x" }}
[log]
forward = ["https://u:fwd{CANARY}x@logs.example.org/"]
[middleware.options.thing]
client_secret = "opt{CANARY}x"
"""
    )
    place.begin()
    written = place.everything().decode() + repr(place.history()) + repr(place.now().fields)
    assert [one for one in canaries if one in written] == []
    assert "key" in written
    assert FIRST not in written


def test_a_mapping_that_is_no_dict_is_one_too() -> None:
    """Applications give what they have."""

    class Options(Mapping[str, object]):
        def __getitem__(self, name: str) -> object:
            return {"secret": CANARY}

        def __iter__(self) -> Any:
            return iter(["a"])

        def __len__(self) -> int:
            return 1

    masked = Masker(KeyRing([FIRST])).field("middleware.options", Options())
    assert CANARY not in str(masked)
