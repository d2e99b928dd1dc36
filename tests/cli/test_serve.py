"""`postrmagic serve`: real processes that drain, end, are hurried, and say what is wrong."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from postrmagic_core.cli.draining import checked
from postrmagic_core.cli.listening import bound, bound_to_path, remove
from postrmagic_core.cli.serve import serve
from postrmagic_core.cli.serving import _ONE_WISH, Terms
from postrmagic_core.errors import ConfigurationError, MissingExtra
from postrmagic_core.registry import imported
from postrmagic_core.testing import until
from tests.cli.served import Client, Obedient, serving

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals of POSIX")


@pytest.mark.fault
def test_who_obeys_readiness_loses_no_request(tmp_path: Path) -> None:
    """Given clients that stop once it is not ready, when it is told to end, then each request of theirs is answered."""
    with serving(tmp_path, "--drain", "2", "--grace", "5") as served:
        clients = [Obedient(served, keeps=keeps) for keeps in (False, True)]
        for client in clients:
            client.start()
        until(lambda: all(client.done > 5 for client in clients))
        served.child.terminate()
        for client in clients:
            client.join(20)
        assert served.listens(), "they all saw it before the listener closed"
        assert served.child.wait(20) == 0
    assert [client.failed for client in clients] == [[], []]
    assert all(client.after for client in clients)


@pytest.mark.soak
def test_many_who_obey_readiness_lose_no_request_however_often(tmp_path: Path) -> None:
    """Given a crowd of such clients, when one process after the other is told to end, no request is lost."""
    for _ in range(5):
        with serving(tmp_path, "--drain", "2", "--grace", "5") as served:
            clients = [Obedient(served, keeps=number % 2 == 1) for number in range(12)]
            for client in clients:
                client.start()
            until(lambda: all(client.done > 5 for client in clients))  # noqa: B023 - called before the next
            served.child.terminate()
            for client in clients:
                client.join(20)
            assert served.child.wait(20) == 0
            assert [lost for client in clients for lost in client.failed] == []


def test_a_drain_in_its_order(tmp_path: Path) -> None:
    """Not ready at once, still alive and serving, kept connections closed by their answers, then closed, status 0."""
    with serving(tmp_path, "--drain", "1.6") as served:
        assert served.child.line() == "opened"
        assert served.port
        assert "1.6 s drain, 30 s grace" in served.said
        assert b"200 OK" in served.ask("/readyz")
        with served.connect() as kept, served.connect() as idle, served.connect() as slow:
            assert b"connection: close" not in kept.ask("/")
            assert b"connection: close" not in idle.ask("/")
            slow.send("/sleep/3")
            assert served.child.line() == "began"
            began = time.monotonic()
            served.child.terminate()
            until(lambda: b'"draining"' in served.ask("/readyz"))
            assert time.monotonic() - began < 1.5
            assert b"200 OK" in served.ask("/livez")
            answer = kept.ask("/")
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close" in answer
            assert kept.ended()
            assert idle.ended(), "when the drain is over"
            assert time.monotonic() - began > 1.5
            assert not served.listens()
            answer = slow.answer()
            assert answer.endswith(b"done")
            assert b"connection: close" in answer
        assert served.child.line() == "closed"
        assert served.child.wait() == 0
        assert "requests answered" in served.said
        assert "cut" not in served.said


def test_beyond_the_grace_requests_are_cut_and_told(tmp_path: Path) -> None:
    """What is not answered yet is told so; what is half sent breaks off; the application is closed all the same."""
    with serving(tmp_path, "--grace", "0.3") as served:
        with served.connect() as late, served.connect() as endless:
            late.send("/sleep/60")
            assert (served.child.line(), served.child.line()) == ("opened", "began")
            endless.send("/endless")
            head = endless.head()
            served.child.terminate()
            assert late.answer().startswith(b"HTTP/1.1 503")
            with pytest.raises(EOFError):
                endless.body(head)
        assert served.child.line() == "closed"
        assert served.child.wait() == 1
        assert "requests are cut" in served.said
        assert ", 2 cut" in served.said


def test_streams_of_events_end_whole(tmp_path: Path) -> None:
    """They run through the drain, so that clients do not come back here, then end as they should and cut nothing."""
    with serving(tmp_path, "--drain", "0.3", "--grace", "5") as served, served.connect() as client:
        client.send("/events")
        head = client.head()
        served.child.terminate()
        assert client.body(head).endswith(b"data: x\n\n")
        assert served.child.wait() == 0
        assert "cut" not in served.said


@pytest.mark.fault
def test_an_early_answer_reaches_who_is_still_sending(tmp_path: Path) -> None:
    """Given an answer before the body has come, when a client reads after it has sent all, then the answer is there."""
    body = b"x" * 8_000_000
    with serving(tmp_path) as served:
        for framed in (b"Content-Length: %d\r\n\r\n%s" % (len(body), body), b"Transfer-Encoding: chunked\r\n\r\n"):
            chunked = b"" if framed.endswith(body) else b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
            with socket.create_connection(("127.0.0.1", served.port), 20) as client:
                client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + framed + chunked)
                with client.makefile("rb") as answer:
                    assert b"done" in answer.read()


def test_a_second_sigterm_ends_at_once(tmp_path: Path) -> None:
    """Amid the drain, with a request under way; one right after the first is the same wish."""
    with serving(tmp_path, "--drain", "60", "--grace", "60") as served, served.connect() as client:
        client.send("/sleep/60")
        assert (served.child.line(), served.child.line()) == ("opened", "began")
        served.child.terminate()
        served.child.terminate()
        until(lambda: b'"draining"' in served.ask("/readyz"))
        time.sleep(_ONE_WISH + 0.1)
        assert b'"draining"' in served.ask("/readyz")
        served.child.terminate()
        assert client.answer().startswith(b"HTTP/1.1 503")
        assert served.child.line(10) == "closed"
        assert served.child.wait(10) == 1
        assert ", 1 cut" in served.said


def test_ctrl_c_does_not_drain(tmp_path: Path) -> None:
    """A person waits."""
    with serving(tmp_path, "--drain", "60") as served:
        assert b"done" in served.ask("/")
        served.interrupt()
        assert served.child.wait(10) == 0
        assert not served.listens()


@pytest.mark.soak
@pytest.mark.parametrize("hangs", ["request", "close"])
def test_nothing_that_hangs_keeps_the_process(tmp_path: Path, hangs: str) -> None:
    """A thread in a request, a close that waits for a dead server: asked twice, it ends within seconds."""
    environment = {"HANGS": "yes"} if hangs == "close" else {}
    with serving(tmp_path, "--grace", "0.1", **environment) as served, served.connect() as client:
        if hangs == "request":
            client.send("/hang/90")
            assert (served.child.line(), served.child.line()) == ("opened", "began")
        served.child.terminate()
        time.sleep(_ONE_WISH + 0.6)
        served.child.terminate()
        assert served.child.wait(15) == 1
        assert "ended by force" in served.said


def test_a_signal_before_it_serves_ends_it(tmp_path: Path) -> None:
    """While the application is imported too: the first process of a container would not be ended by default."""
    (tmp_path / "slow_one.py").write_text("import time\nprint('importing', flush=True)\nwhile True: time.sleep(0.05)\n")
    with serving(tmp_path, app="slow_one:app", PYTHONPATH=str(tmp_path)) as served:
        assert served.child.line() == "importing"
        served.child.terminate()
        assert served.child.wait(10) == 0


@pytest.mark.parametrize(
    ("app", "told"),
    [
        ("tests.cli.nowhere:app", "there is no module tests.cli.nowhere"),
        ("tests.cli.served:none", "the module has no none"),
        ("tests.cli.served:numbers", "is a list, expected an ASGI application"),
        ("tests.cli.served:wsgi", "one for WSGI needs a server for WSGI"),
        ("tests.cli.served:factory", "name what it returns instead"),
        ("tests.cli.served", "expected module:name"),
    ],
)
def test_what_is_no_application_is_told(app: str, told: str) -> None:
    """In a sentence that names what to change."""
    with pytest.raises(ConfigurationError, match=told):
        checked(imported(app, "MODULE:ASGI_APP"), app)


def test_an_application_that_does_not_start_is_told(tmp_path: Path) -> None:
    """By the last line of what it said; the status is 1."""
    with serving(tmp_path, FAILS="yes") as served:
        assert served.child.wait() == 1
        assert "the application did not start: RuntimeError: no database" in served.said


def test_a_port_that_is_taken_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    """With the option that names another; also one that is bound while the application opens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serving(tmp_path, "--port", str(port)) as served:
            assert served.child.wait() == 1
            assert f"port {port} of 127.0.0.1 is taken" in served.said
            with pytest.raises(EOFError):
                served.child.line()


def test_a_port_that_is_taken_while_the_application_opens_is_told(tmp_path: Path) -> None:
    """As by a second process that is started at the same time; what was opened is closed."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    with serving(tmp_path, "--port", str(port), TAKES=str(port)) as served:
        assert (served.child.line(), served.child.line()) == ("opened", "closed")
        assert served.child.wait() == 1
        assert f"port {port} of 127.0.0.1 is taken" in served.said


@pytest.mark.parametrize(
    ("host", "told"),
    [("nowhere.invalid", "there is no such host"), ("192.0.2.1", "is no address of this machine")],
)
def test_an_address_that_is_none_is_told(host: str, told: str) -> None:
    """A name nobody knows, somebody else's address."""
    with pytest.raises(ConfigurationError, match=told):
        bound(host, 0)


def test_a_host_has_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once; where one cannot be bound, none stays so."""
    found = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *how, **more: found("127.0.0.1", 0) + found("127.0.0.2", 0))
    sockets = bound("both", 0)
    assert [one.getsockname()[0] for one in sockets] == ["127.0.0.1", "127.0.0.2"]
    for one in sockets:
        one.close()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *how, **more: found("127.0.0.1", 0) + found("192.0.2.1", 0))
    with pytest.raises(ConfigurationError, match="is no address of this machine"):
        bound("both", 0)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0])
def test_times_are_seconds(seconds: float) -> None:
    """One that never comes would be a process that never ends."""
    with pytest.raises(ConfigurationError, match=r"--drain .*expected seconds"):
        Terms(drain=seconds)
    with pytest.raises(ConfigurationError, match=r"--grace .*expected seconds"):
        Terms(grace=seconds)


def test_what_is_no_socket_is_not_replaced(tmp_path: Path) -> None:
    """Nor a name that is too long made shorter; a socket that another process put there is not taken away."""
    path = tmp_path / "web.sock"
    path.write_text("mine")
    with pytest.raises(ConfigurationError, match="is no socket"):
        bound_to_path(path)
    with pytest.raises(ConfigurationError, match="107 bytes at most"):
        bound_to_path(tmp_path / ("x" * 120))
    path.unlink()
    with bound_to_path(path):
        own = path.lstat()
        path.rename(tmp_path / "older")
        with bound_to_path(path):
            remove(path, own)
            assert path.is_socket()
    remove(tmp_path / "older", own)
    assert not (tmp_path / "older").exists()
    remove(tmp_path / "older", own)


def test_a_unix_socket(tmp_path: Path) -> None:
    """One left over is replaced, one that is listened to is not, and it is gone in the end."""
    path = tmp_path / "web.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with serving(tmp_path, "--uds", str(path)) as served:
        assert served.address == f"unix:{path}"
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            with Client(sock) as client:
                assert b"done" in client.ask("/")
        with serving(tmp_path, "--uds", str(path)) as second:
            assert second.child.wait() == 1
            assert "is taken" in second.said
        os.kill(served.child.pid, signal.SIGTERM)
        assert served.child.wait() == 0
    assert not path.exists()


def test_without_uvicorn_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is an extra: whoever runs workers alone needs none."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "postrmagic_core.cli.serving")
    with pytest.raises(MissingExtra, match=r"pip install 'postrmagic-core\[server\]'"):
        serve("tests.cli.served:app")
