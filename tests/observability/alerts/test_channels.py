"""Each shipped channel keeps the contract, at a real receiver; and what is its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from postrmagic_core.errors import BackendRejected, BackendTimeout, BackendUnavailable, ConfigurationError
from postrmagic_core.observability.alerts import channel_for
from postrmagic_core.observability.alerts.channels.memory import MemoryChannel
from postrmagic_core.observability.alerts.channels.slack import SlackChannel, payload
from postrmagic_core.observability.alerts.channels.smtp import SMTPChannel
from postrmagic_core.observability.alerts.channels.webhook import WebhookChannel
from postrmagic_core.observability.alerts.told import packed, text, unpacked
from postrmagic_core.testing.certificates import Authority
from postrmagic_core.testing.contracts.alert_channel import AlertChannelContract, Receiver, notification
from tests.observability.alerts.receivers import Mailbox, Posts

CANARY = "CANARY7f3a9c"
KEYS = [f"whsec_{base64.b64encode(letter * 32).decode()}" for letter in (b"a", b"b")]


@pytest.fixture
def posts() -> Iterator[Posts]:
    """An HTTP server."""
    with Posts().running() as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who vouches for the servers here."""
    return Authority(tmp_path_factory.mktemp("tls"))


def trusting(authority: Authority) -> ssl.SSLContext:
    """What a client needs to believe it."""
    return ssl.create_default_context(cafile=str(authority.file))


def serving(authority: Authority, place: str = "localhost") -> ssl.SSLContext:
    """What a server needs to prove its name."""
    issued = authority.issue(place)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(issued.certificate), str(issued.key))
    return context


@pytest.fixture
def mailbox(authority: Authority) -> Iterator[Mailbox]:
    """A mail server with STARTTLS and a password."""
    with Mailbox(serving(authority), password=CANARY).running() as server:
        yield server


class TestMemory(AlertChannelContract):
    """The channel for tests."""

    @pytest.fixture
    def receiver(self) -> Receiver:
        """All its channels keep what they are given in one list."""
        kept = MemoryChannel()

        @contextmanager
        def failing(error: Exception) -> Iterator[None]:
            kept.error = error
            yield
            kept.error = None

        return Receiver(
            lambda: kept,
            lambda: [f"{one.id}\n{text(one)}" for one in kept.told],
            refuse=partial(failing, BackendRejected("no")),
            fail=partial(failing, BackendUnavailable("away")),
        )


class TestWebhook(AlertChannelContract):
    """Signed, over HTTP of this machine."""

    @pytest.fixture
    def receiver(self, posts: Posts) -> Receiver:
        """An HTTP server."""
        url = f"http://127.0.0.1:{posts.port}/{CANARY}"
        return Receiver(
            lambda: WebhookChannel(url, KEYS),
            posts.told,
            refuse=partial(posts.answering, 410),
            fail=partial(posts.answering, 503),
            secrets=(CANARY, KEYS[0]),
        )


class TestSlack(AlertChannelContract):
    """Blocks."""

    @pytest.fixture
    def receiver(self, posts: Posts) -> Receiver:
        """An HTTP server."""
        url = f"http://127.0.0.1:{posts.port}/services/{CANARY}"
        return Receiver(
            lambda: SlackChannel(url),
            posts.told,
            refuse=partial(posts.answering, 404),
            fail=partial(posts.answering, 429),
            secrets=(CANARY,),
        )

    def test_each_try_has_the_same_id(self, receiver: Receiver) -> None:  # type: ignore[override]  # there is none to see
        """Slack drops no doubles; the ids of the alerts are in the text."""
        channel = receiver.open()
        channel.send(notification(7))
        assert f"{0:032x}" in receiver.told()[0]


class TestSMTP(AlertChannelContract):
    """STARTTLS, with a password."""

    @pytest.fixture
    def receiver(self, mailbox: Mailbox, authority: Authority) -> Receiver:
        """A mail server."""
        url = f"smtp://alerts:{CANARY}@localhost:{mailbox.port}?from=alerts@example.org&to=ops@example.org"
        return Receiver(
            lambda: SMTPChannel(url, context=trusting(authority)),
            mailbox.told,
            refuse=partial(mailbox.answering, "554 no"),
            fail=partial(mailbox.answering, "451 later"),
            secrets=(CANARY,),
        )


# Webhooks


def test_a_receiver_can_verify_the_signature(posts: Posts) -> None:
    """As Standard Webhooks has it: by each key of the ring, so that keys can be changed; of exactly this body."""
    WebhookChannel(f"http://127.0.0.1:{posts.port}/", KEYS).send(notification())
    [(headers, body)] = posts.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    given = headers["webhook-signature"].split()
    for key, signature in zip(KEYS, given, strict=True):
        mine = hmac.digest(base64.b64decode(key.removeprefix("whsec_")), signed, hashlib.sha256)
        assert hmac.compare_digest(signature, f"v1,{base64.b64encode(mine).decode()}")
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60
    assert headers["content-type"] == "application/json"
    told = json.loads(body)
    assert (told["type"], told["timestamp"]) == ("alert.firing", notification().at)
    assert unpacked(json.dumps(told["data"]).encode()) == notification()


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 410, 422])
def test_what_will_not_change_by_itself_is_a_refusal(posts: Posts, status: int) -> None:
    """A redirect among them: it is not followed, for the signature would go wherever it leads."""
    channel = WebhookChannel(f"http://127.0.0.1:{posts.port}/", KEYS)
    with posts.answering(status, location=f"http://127.0.0.1:{posts.port}/other"), pytest.raises(BackendRejected):
        channel.send(notification())
    assert posts.got == []


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_go_by_is_tried_again(posts: Posts, status: int) -> None:
    """It is no refusal."""
    with posts.answering(status), pytest.raises(BackendUnavailable, match=str(status)):
        WebhookChannel(f"http://127.0.0.1:{posts.port}/", KEYS).send(notification())


def test_a_server_that_proves_no_name_is_told_nothing(authority: Authority) -> None:
    """TLS is verified."""
    with Posts().running(serving(authority)) as posts:
        channel = WebhookChannel(f"https://localhost:{posts.port}/", KEYS)
        with pytest.raises(BackendUnavailable, match="SSLCertVerificationError"):
            channel.send(notification())
        assert posts.got == []


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://{CANARY}",
        f"webhook+http://example.org/{CANARY}",
        f"webhook+https://user:{CANARY}@example.org/",
        f"slack+http://example.org/{CANARY}",
        f"smtp://{CANARY}",
        f"smtp://localhost?to=a@b&from=c@d&plain=1&x={CANARY}",
        f"smtp://a:{CANARY}@example.org?to=a@b&from=c@d&plain=1",
        f"smtp://a:{CANARY}@example.org?to=a@b",
        f"smtp://a:{CANARY}@example.org?to=a@b%0d%0aBcc:c@d&from=c@d",
        f"smtp://a:{CANARY}@example.org?to=<a@b>&from=c@d",
        f"smtp://a:{CANARY}@example.org:port?to=a@b&from=c@d",
        CANARY,
    ],
)
def test_a_url_that_is_wrong_is_refused_without_showing_it(url: str) -> None:
    """Passwords stand in it."""
    with pytest.raises(ConfigurationError, match="alert channel ops") as caught:
        channel_for("ops", url, KEYS)
    assert CANARY not in f"{caught.value!r}{caught.value.__cause__!r}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("secret", [CANARY, f"whsec_{CANARY}", "whsec_!!!", "whsec_" + "QUFB" * 30])
def test_a_secret_that_is_wrong_is_refused_without_showing_it(secret: str) -> None:
    """And none at all: what is not signed is not sent."""
    for secrets in ([secret], []):
        with pytest.raises(ConfigurationError, match="alert channel ops") as caught:
            channel_for("ops", "webhook+https://example.org/", secrets)
        assert secret not in str(caught.value)


def test_channels_are_made_from_urls() -> None:
    """Each scheme its kind; the name is what errors say."""
    made = {
        "smtp://localhost:2525?from=a@b.c&to=d@e.f&plain=1": SMTPChannel,
        "smtps://u:p@example.org?from=a@b.c&to=d@e.f,g@h.i&to=j@k.l": SMTPChannel,
        "webhook+https://example.org/hook": WebhookChannel,
        "webhook+http://127.0.0.1:9/hook": WebhookChannel,
        "slack+https://hooks.example.org/services/x": SlackChannel,
    }
    for url, kind in made.items():
        channel = channel_for("ops", url, KEYS)
        assert type(channel) is kind
        assert "alert channel ops" in repr(channel)
    both = channel_for("ops", "webhook+https://example.org/", [" ".join(KEYS)])
    assert isinstance(both, WebhookChannel)
    assert len(both._keys) == 2


# Slack


def test_slack_is_given_no_markup_but_ours() -> None:
    """No mention, no link, no formatting comes out of an alert; and no more than Slack takes."""
    found = payload(notification(summary="<!channel> & <https://evil|x> *b* `c` @all ![x](https://evil/)"))
    assert found["blocks"].pop(0)["text"]["type"] == "plain_text"
    told = json.dumps(found, ensure_ascii=False)
    assert "<" not in told
    assert "&lt;!channel&gt; &amp;" in told
    assert "*b*" not in told
    assert "@all" not in told
    assert "](" not in told
    made = payload(notification(summary="x" * 5000, alerts=20))
    assert len(made["blocks"]) <= 50
    assert len(made["blocks"][0]["text"]["text"]) <= 150
    assert all(len(block["text"]["text"]) <= 3000 for block in made["blocks"][:-1])


# E-mail


def test_a_mail_says_what_it_is(mailbox: Mailbox, authority: Authority) -> None:
    """To all recipients at once; ids that mail programs put together and drop doubles by."""
    url = f"smtp://alerts:{CANARY}@localhost:{mailbox.port}?from=alerts@example.org&to=a@example.org,b@example.org"
    SMTPChannel(url, context=trusting(authority)).send(notification(summary="a < b"))
    [(recipients, mail)] = mailbox.got
    assert recipients == ["a@example.org", "b@example.org"]
    assert mail["message-id"] == f"<{1:032x}.alerts@example.org>"
    assert mail["references"] == f"<{'t' * 16}.alerts@example.org>"
    assert mail["auto-submitted"] == "auto-generated"
    assert mail["subject"] == "[warning] shop: a < b"
    plain, page = mail.iter_parts()
    assert (plain.get_content_type(), page.get_content_type()) == ("text/plain", "text/html")
    assert "a < b 0" in plain.get_content()
    assert "a &lt; b 0" in page.get_content()
    assert '<a href="https://example.org">' in page.get_content()


def test_no_header_comes_out_of_an_alert(mailbox: Mailbox, authority: Authority) -> None:
    """Whatever a label, a summary, a rule or a runbook holds."""
    evil = "x\r\nBcc: mallory@example.org\r\n\r\nbody\n.\nRCPT TO:<mallory@example.org>"
    url = f"smtp://alerts:{CANARY}@localhost:{mailbox.port}?from=alerts@example.org&to=a@example.org"
    told = unpacked(packed(notification(summary=evil)).replace(b"https://example.org", b"javascript:alert(1)"))
    SMTPChannel(url, context=trusting(authority)).send(told)
    [(recipients, mail)] = mailbox.got
    assert recipients == ["a@example.org"]
    assert "bcc" not in mail
    assert len(mail.get_all("subject", [])) == 1
    assert "javascript:alert(1)" in mailbox.told()[0]
    assert "href" not in mailbox.told()[0]


def test_no_password_goes_without_tls(authority: Authority) -> None:
    """A server that offers no STARTTLS is refused, and one whose name is not proved; ``plain=1`` is meant."""
    with Mailbox().running() as plain:
        url = f"smtp://localhost:{plain.port}?from=a@example.org&to=b@example.org"
        with pytest.raises(BackendRejected, match="no STARTTLS"):
            SMTPChannel(url).send(notification())
        SMTPChannel(f"{url}&plain=1").send(notification())
        assert len(plain.got) == 1
    with Mailbox(serving(authority, "other.example.org")).running() as other:
        url = f"smtp://localhost:{other.port}?from=a@example.org&to=b@example.org"
        with pytest.raises(BackendUnavailable, match="SSLCertVerificationError"):
            SMTPChannel(url, context=trusting(authority)).send(notification())
        assert other.got == []


def test_a_recipient_who_is_unknown_takes_nothing_from_the_others(
    mailbox: Mailbox, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so; where all are unknown it is a refusal, and so is a wrong password."""
    where = f"localhost:{mailbox.port}?from=a@example.org&to=b@example.org"
    mailbox.unknown = {"b@example.org"}
    SMTPChannel(f"smtp://u:{CANARY}@{where},c@example.org", context=trusting(authority)).send(notification())
    assert [recipients for recipients, _ in mailbox.got] == [["c@example.org"]]
    assert [record.levelno for record in caplog.records if "recipient" in record.message] == [logging.WARNING]
    with pytest.raises(BackendRejected, match="every recipient with 550"):
        SMTPChannel(f"smtp://u:{CANARY}@{where}", context=trusting(authority)).send(notification())
    with pytest.raises(BackendRejected, match="535"):
        SMTPChannel(f"smtp://u:wrong@{where}", context=trusting(authority)).send(notification())


@contextmanager
def dribbling(first: bytes) -> Iterator[int]:
    """A server that says ``first`` and then a letter each tenth of a second, for twelve seconds."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(first)
                ends = time.monotonic() + 12
                while time.monotonic() < ends and not ended.wait(0.1):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        ended.set()
        thread.join(10)


@pytest.mark.fault
def test_a_mail_server_that_dribbles_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busily: all of it has an end."""
    monkeypatch.setattr("postrmagic_core.observability.alerts.channels.smtp._BUDGET", 1.0)
    with dribbling(b"220-") as port:
        began = time.monotonic()
        with pytest.raises(BackendTimeout):
            SMTPChannel(f"smtp://localhost:{port}?from=a@b.c&to=d@e.f&plain=1").send(notification())
        assert time.monotonic() - began < 8


@pytest.mark.fault
def test_a_webhook_that_dribbles_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for HTTP."""
    monkeypatch.setattr("postrmagic_core.observability.alerts.channels.posting.BUDGET", 1.0)
    with dribbling(b"HTTP/1.1 200 OK\r\nx: ") as port:
        began = time.monotonic()
        with pytest.raises(BackendTimeout):
            WebhookChannel(f"http://127.0.0.1:{port}/", KEYS).send(notification())
        assert time.monotonic() - began < 8


def test_a_server_that_is_not_there_may_come_back(unused_port: int, tmp_path: Path) -> None:
    """No refusal, of whatever channel."""
    url = f"127.0.0.1:{unused_port}"
    for channel in (
        SMTPChannel(f"smtp://{url}?from=a@b.c&to=d@e.f&plain=1"),
        WebhookChannel(f"http://{url}/", KEYS),
        SlackChannel(f"http://{url}/"),
    ):
        with pytest.raises(BackendUnavailable):
            channel.send(notification())


@pytest.fixture
def unused_port() -> int:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_notifications_are_read_as_they_were_written() -> None:
    """And what is none is a ValueError."""
    assert unpacked(packed(notification(alerts=3))) == notification(alerts=3)
    for stored in (b"", b"[]", b"{}", b'{"alerts": [{}]}', b"\xff"):
        with pytest.raises(ValueError):  # noqa: PT011 - of JSON, or ours
            unpacked(stored)
