"""TLS to the database: verified against one CA, by name, over one context; nothing else is taken for a server."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from postrmagic_core._sql import mysql_server
from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.errors import BackendRejected, BackendUnavailable
from postrmagic_core.testing import FaultProxy
from postrmagic_core.testing.certificates import Authority
from postrmagic_core.testing.servers import MariaDBServer, MySQLServer, require

pytestmark = pytest.mark.mysql

CIPHER = text("SHOW SESSION STATUS LIKE 'Ssl_cipher'")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The one that signs the servers' certificates."""
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture(scope="module", params=["mariadb", pytest.param("mysql", marks=pytest.mark.soak)])
def server(request: pytest.FixtureRequest, authority: Authority) -> Iterator[MariaDBServer]:
    """A server whose certificate is for 127.0.0.1."""
    kind: Callable[..., MariaDBServer] = {"mariadb": MariaDBServer, "mysql": MySQLServer}[request.param]
    require({"mariadb": MariaDBServer, "mysql": MySQLServer}[request.param].binary(), f"no {request.param} server")
    with kind(options=authority.options("127.0.0.1")) as server:
        yield server


def cipher(tx: Unit) -> str:
    """What encrypts the connection; empty if nothing does."""
    return str(tx.execute(CIPHER).mappings().one()["Value"])


def wire(tx: Unit) -> ssl.SSLSocket:
    """The socket beneath."""
    connection: Any = tx.connection.connection.dbapi_connection
    socket: ssl.SSLSocket = connection._sock
    return socket


def test_the_right_authority_leads_to_an_encrypted_connection(server: MariaDBServer, authority: Authority) -> None:
    """On both roles; without `ssl_ca` the connection is plain."""
    with DatabaseManager(f"{server.create_database()}?ssl_ca={authority.file}") as database:
        with database.read() as tx:
            assert cipher(tx)
        with database.write() as tx:
            assert cipher(tx)
    with DatabaseManager(server.url) as database, database.read() as tx:
        assert cipher(tx) == ""


def test_a_password_is_accepted_over_tls_and_without(server: MariaDBServer, authority: Authority) -> None:
    """A user with a password of the server's own default kind can log in, for the first time or again."""
    url = server.create_database()
    with DatabaseManager(url) as database, database.write() as tx:
        tx.execute(text("DROP USER IF EXISTS plain@'%'"))
        tx.execute(text("CREATE USER plain@'%' IDENTIFIED BY 'pass'"))
        tx.execute(text("GRANT ALL ON *.* TO plain@'%'"))
    theirs = url.replace("root@", "plain:pass@")
    for each in (theirs, f"{theirs}?ssl_ca={authority.file}"):
        with DatabaseManager(each) as database, database.read() as tx:
            assert tx.scalar(text("SELECT 1")) == 1


def test_another_authority_is_refused(server: MariaDBServer, tmp_path: Path) -> None:
    """Who cannot show a certificate of ours is no server of ours: typed, with the reason as the cause."""
    stranger = Authority(tmp_path, "stranger")
    with (
        DatabaseManager(f"{server.url}?ssl_ca={stranger.file}") as database,
        pytest.raises(BackendUnavailable, match="certificate") as caught,
        database.read(),
    ):
        pass
    assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value.__cause__)


def test_a_certificate_for_another_host_is_refused(authority: Authority) -> None:
    """Though our own authority signed it."""
    require(MariaDBServer.binary(), "mariadbd is not installed")
    with MariaDBServer(options=authority.options("db.example.org")) as server:
        database = DatabaseManager(f"{server.url}?ssl_ca={authority.file}")
        with database, pytest.raises(BackendUnavailable, match="certificate") as caught, database.read():
            pass
        assert "mismatch" in str(caught.value.__cause__)


def test_a_server_without_tls_is_refused(authority: Authority) -> None:
    """Asked for, TLS is never done without: who sits between could take it away."""
    require(MariaDBServer.binary(), "mariadbd is not installed")
    with MariaDBServer(options=["--skip-ssl"]) as server:
        database = DatabaseManager(f"{server.url}?ssl_ca={authority.file}")
        with database, pytest.raises(BackendRejected, match="offers no TLS"), database.read():
            pass


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_one_context_serves_all_connections_and_later_ones_take_up_its_session(
    server: MariaDBServer, authority: Authority, tmp_path: Path
) -> None:
    """Loading a CA file for each connection would cost more than the connection; the handshake is most of the rest."""
    file = shutil.copy(authority.file, tmp_path)  # a file that no context was made for
    made = mysql_server._tls_context.cache_info().misses
    with DatabaseManager(f"{server.url}?ssl_ca={file}") as database:
        resumed = []
        for _ in range(3):
            with database.read() as tx:
                assert cipher(tx)
                resumed.append(wire(tx).session_reused)
                tx.connection.invalidate()
        assert resumed == [False, True, True]
        assert mysql_server._tls_context.cache_info().misses == made + 1
        server.restart()
        with database.read() as tx:
            assert (bool(cipher(tx)), wire(tx).session_reused) == (True, False)


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_a_session_is_of_no_use_to_another_server(server: MariaDBServer, authority: Authority, tmp_path: Path) -> None:
    """Who takes the server's place shows a certificate of its own, and is judged by it."""
    stranger = Authority(tmp_path, "stranger")
    with (
        type(server)(options=stranger.options("127.0.0.1")) as other,
        FaultProxy(server.url) as proxy,
        DatabaseManager(f"{proxy.url}?ssl_ca={authority.file}") as database,
    ):
        with database.read() as tx:
            assert cipher(tx)
            tx.connection.invalidate()
        proxy.redirect(other.url)
        with pytest.raises(BackendUnavailable, match="certificate"), database.read():
            pass
