"""Redis over TLS: the server is verified, a wrong one is refused by a typed error, and nothing is sent to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.errors import BackendError, BackendTimeout, BackendUnavailable, ConfigurationError, OutcomeUnknown
from postrmagic_core.stores import durability_check
from postrmagic_core.stores.adapters import _redis_place as places
from postrmagic_core.stores.scripts import GCRA
from postrmagic_core.testing.certificates import Authority
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import RedisServer, require

pytestmark = pytest.mark.redis

KEY = b"{app}:k:1"
LARGE = bytes(range(256)) * 12_000


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who vouches for the servers."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[RedisServer]:
    """A server with a certificate for its address."""
    require(RedisServer.binary(), "no redis-server or valkey-server")
    with RedisServer(tls=authority.issue("127.0.0.1")) as server:
        yield server


@pytest.fixture
def url(server: RedisServer, authority: Authority) -> str:
    """Where and whom to trust."""
    return f"{server.tls_url}?ssl_ca={authority.file}"


def test_a_verified_server_serves(caller: Callable[..., Any], url: str) -> None:
    """Small and large values, many together and Scripts; the connection is kept from call to call."""
    with FaultProxy(url) as proxy:
        call = caller(proxy.url, timeout=5)
        for value in (b"", b"v", LARGE):
            call("set", {KEY: value, b"other": b"x"}, 60_000)
            assert call("get", [KEY, b"other"]) == [value, b"x"]
        assert call("run", GCRA, [b"bucket"], [1_000_000, 10])[0] == 1
        assert call("clear", b"{app}:") == 1
        assert proxy.accepted == 1


def test_a_server_that_nobody_trusted_vouches_for_is_refused(
    caller: Callable[..., Any], server: RedisServer, tmp_path: Path
) -> None:
    """Neither another authority nor the system's own accept its certificate; the error says what to look at."""
    for ca in (f"?ssl_ca={Authority(tmp_path).file}", ""):
        with pytest.raises(BackendUnavailable, match="certificate was not accepted: check ssl_ca"):
            caller(f"{server.tls_url}{ca}", timeout=2)("set", {KEY: b"v"}, None)


def test_a_certificate_of_another_host_is_refused(caller: Callable[..., Any], authority: Authority) -> None:
    """The authority is right, the name is not."""
    with (
        RedisServer(tls=authority.issue("redis.example")) as other,
        pytest.raises(BackendUnavailable, match="the host's name"),
    ):
        caller(f"{other.tls_url}?ssl_ca={authority.file}", timeout=2)("get", [KEY])


def test_a_plain_server_is_refused(caller: Callable[..., Any], server: RedisServer, authority: Authority) -> None:
    """Encryption that was asked for is never done without, in neither direction; a write is surely not done."""
    plain = f"rediss://127.0.0.1:{server.port}/0?ssl_ca={authority.file}"
    encrypted = f"redis://127.0.0.1:{server.tls_port}/0"
    for wrong in (plain, encrypted):
        with pytest.raises((BackendUnavailable, BackendTimeout)):
            caller(wrong, timeout=0.5)("set", {KEY: b"v"}, None)


def test_no_certificates_where_ssl_ca_points(caller: Callable[..., Any], server: RedisServer, tmp_path: Path) -> None:
    """A missing file and one without certificates are mistakes of configuration, not an outage."""
    (tmp_path / "empty.pem").touch()
    for name in ("missing.pem", "empty.pem"):
        call = caller(f"{server.tls_url}?ssl_ca={tmp_path}/{name}")
        for _ in range(5):
            with pytest.raises(ConfigurationError, match="ssl_ca"):
                call("get", [KEY])


@pytest.mark.fault
def test_a_silent_server_costs_the_time_out_during_the_handshake_too(caller: Callable[..., Any], url: str) -> None:
    """Connecting, the handshake and the answer share one budget; a lost answer to a write is in doubt."""
    with FaultProxy(url) as proxy:
        call = caller(proxy.url, timeout=0.5)
        proxy.blackhole("replies")
        with pytest.raises(BackendTimeout):
            call("set", {KEY: b"v"}, None)
        assert proxy.hits
        proxy.heal()
        call("set", {KEY: b"v"}, None)
        proxy.blackhole("replies")
        with pytest.raises(OutcomeUnknown):
            call("set", {KEY: b"w"}, None)
        assert proxy.hits
        proxy.heal()
        assert call("get", [KEY]) == [b"w"]


@pytest.mark.fault
def test_a_handshake_that_dribbles_gets_no_more_time(caller: Callable[..., Any], url: str) -> None:
    """A byte at a time never ends in time."""
    with FaultProxy(url) as proxy:
        proxy.slice(1, pause=0.02)
        with pytest.raises(BackendTimeout):
            caller(proxy.url, timeout=2.0)("get", [KEY])  # a busy machine takes half a second to begin
        assert proxy.hits


@pytest.mark.fault
def test_an_answer_cut_anywhere_is_never_half_believed(caller: Callable[..., Any], url: str) -> None:
    """After the handshake, whatever byte of the record is the last: a typed error, and the next call is right."""
    with FaultProxy(url) as proxy:
        call = caller(proxy.url, timeout=2)
        call("set", {KEY: b"value"}, None)
        for after in range(0, 36, 3):  # the record has 37
            proxy.cut(after, on=b"", how="close")
            with pytest.raises(BackendError):
                call("get", [KEY])
            assert proxy.hits == 1
            assert call("get", [KEY]) == [b"value"]


def test_durability_is_asked_over_tls(url: str) -> None:
    """The check verifies the server like everybody."""
    assert [problem.partition(":")[0] for problem in durability_check(url)] == ["appendonly is off"]


def test_the_certificates_are_read_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One context serves all connections of a store."""
    place = places.Place(url)
    assert place.tls is not None
    assert place.tls is place.tls
