"""Receivers and spools of one test."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postrmagic_core.log.spool import Spool
from postrmagic_core.testing.certificates import Authority
from postrmagic_core.testing.servers.require import require
from tests.log.forwarding.receivers import HttpReceiver
from tests.log.forwarding.rsyslog import Rsyslog


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """One that takes everything."""
    receiver = HttpReceiver()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the certificates of receivers."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def serving(authority: Authority) -> Callable[[str], ssl.SSLContext]:
    """What a receiver serves TLS by, under the name given."""

    def context(name: str) -> ssl.SSLContext:
        issued = authority.issue(name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate, issued.key)
        return context

    return context


@pytest.fixture
def rsyslog() -> Iterator[Rsyslog]:
    """One of this test's own."""
    require(Rsyslog.binary(), "rsyslog is not installed")
    with Rsyslog() as server:
        yield server


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """The writing side of the spool in ``tmp_path / "spool"``."""
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.close()
