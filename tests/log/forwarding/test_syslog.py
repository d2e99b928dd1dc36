"""Lines by syslog: what a message looks like to the letter, and what a real rsyslog makes of it."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from postrmagic_core.log.forwarding import Shipper, shipper_for, syslog
from postrmagic_core.log.forwarding.rfc5424 import cut, message
from postrmagic_core.testing.certificates import Authority
from postrmagic_core.testing.contracts.log_shipper import line
from postrmagic_core.testing.waiting import until
from tests.log.forwarding.receivers import SyslogReceiver
from tests.log.forwarding.rsyslog import Rsyslog

AT = "2026-01-01T12:00:00.000001Z"


def told(text: str = "uploaded", longest: int = 8000, **fields: object) -> str:
    """An event as a message."""
    event = {"ts": AT, "level": "info", "event": text, **fields}
    return message(event, "web1", longest).decode()


def test_a_message_to_the_letter() -> None:
    """Priority, version, when, host, application, neither process nor kind, fields, text (RFC 5424 section 6)."""
    message = told(service="media", media_id=7, trace_id="0af7", done=True, none=None)
    assert message == (
        f'<134>1 {AT} web1 media - - [postrmagic@32473 trace_id="0af7" media_id="7" done="true" none="null"] uploaded'
    )


@pytest.mark.parametrize(
    ("level", "priority"),
    [("debug", 135), ("info", 134), ("notice", 133), ("warning", 132), ("error", 131), ("critical", 130), ("x", 134)],
)
def test_severity_is_the_level_s(level: str, priority: int) -> None:
    """Of facility local0, 16 (section 6.2.1)."""
    assert told(level=level).startswith(f"<{priority}>1 ")


def test_values_are_escaped() -> None:
    """Quotation mark, backslash and bracket by a backslash (section 6.3.3); controls are shown."""
    assert 'q="a\\"b\\]c\\\\d"' in told(q='a"b]c\\d')
    assert 'q="a\\\\nb"' in told(q="a\nb")
    assert told("a\nb\x1b[31m").endswith("] a\\nb\\u001b[31m")


def test_names_are_as_they_may_be() -> None:
    """At most 32 printable characters that end no name (section 6.3.3), and none is no name."""
    fields: dict[str, Any] = {'a ="]b': 1, "ü": 2, "x" * 40: 3, "": 4}
    names = told(**fields)
    assert f'a____b="1" _="2" {"x" * 32}="3" _="4"' in names


def test_text_beyond_ascii_has_its_mark() -> None:
    """The byte order mark says that it is UTF-8 (section 6.4); without it there is none."""
    assert told("Grüße").endswith("] \ufeffGrüße")
    assert "\ufeff" not in told("plain", name="Grüße")


def test_head_fields_cannot_be_forged() -> None:
    """What is no time, no printable name or too long is nil, replaced or cut (section 6)."""
    assert told(ts="<1>1 evil").startswith("<134>1 - web1 - - - ")
    assert told(service="a b\nc" * 20).startswith(f"<134>1 {AT} web1 {('a_b_c' * 20)[:48]} - - ")


def test_what_is_too_long_loses_its_end_first() -> None:
    """The text is cut, then fields are left out, ids last; no character is halved."""
    fields = {"trace_id": "0af7", "big": "b" * 5000, "small": "s"}
    long = told("ü" * 5000, 2048, **fields).encode()
    assert 2046 <= len(long) <= 2048
    assert b'trace_id="0af7" small="s"]' in long
    short = told("short", 480, **fields)
    assert short.endswith("] short")
    whole = told("ü" * 1000, 8000, **fields)
    assert 'big="bbb' in whole
    assert whole.endswith("ü" * 1000)


def test_cutting_never_halves_a_character() -> None:
    """Of one, two, three and four bytes."""
    text = "aü世\U0001f600z"
    for size in range(len(text.encode()) + 2):
        whole = cut(text.encode(), size).decode()
        assert text.startswith(whole)
        assert len(whole.encode()) <= size
    assert cut(b"abc", -1) == b""


@pytest.mark.parametrize("way", ["tcp", "udp"])
def test_rsyslog_understands_it(rsyslog: Rsyslog, way: str) -> None:
    """Each field, the hostile ones and the longest included, each message one."""
    lines = [
        line("Grüße\n", level="error", service="media", trace_id="0af7", q='a"b]\\c', exception={"type": "E"}),
        line("long " * 3000, level="critical", fill="ü" * 5000, rest="r" * 500),
        line("last", level="debug"),
    ]
    with closing(shipper_for(rsyslog.url.replace("tcp", way))) as shipper:
        shipper.ship(lines)
        until(lambda: len(rsyslog.messages) >= 3, "the messages did not arrive")
    first, second, third = rsyslog.messages
    assert (first.facility, first.severity, first.at, first.app) == ("local0", "3", AT, "media")
    assert first.data == (
        '[postrmagic@32473 trace_id="0af7" logger="media" q="a\\"b\\]\\\\c" exception="{\\"type\\":\\"E\\"}"]'
    )
    assert first.text.startswith("\ufeffGrüße")
    assert (second.severity, second.text[:10]) == ("2", "long long ")
    assert second.data.endswith("]")
    assert (third.severity, third.text) == ("7", "last")


def test_a_killed_rsyslog_is_noticed_before_the_next_batch(rsyslog: Rsyslog, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shipped after it came back arrives; nothing is written into a connection that is dead."""
    monkeypatch.setattr(syslog, "WHOLE", 2.0)
    with closing(shipper_for(rsyslog.url)) as shipper:
        shipper.ship([line("before")])
        until(lambda: rsyslog.texts == ["before"], "the first did not arrive")
        rsyslog.kill()
        rsyslog.start()
        shipper.ship([line("after")])
        until(lambda: rsyslog.texts[-1:] == ["after"], "the second did not arrive")


def test_tls_is_verified(authority: Authority, serving: Callable[[str], ssl.SSLContext]) -> None:
    """RFC 5425: counted by octets as over TCP; another name or authority gets nothing."""
    for name, trusted, taken in (("localhost", True, True), ("127.0.0.1", True, False), ("localhost", False, False)):
        with closing(SyslogReceiver(serving(name))) as receiver:
            url = f"syslog+tls://localhost:{receiver.port}"
            with closing(shipper_for(url, authority=authority.file if trusted else None)) as shipper:
                if taken:
                    shipper.ship([line("a"), line("b")])
                    until(lambda receiver=receiver: len(receiver.messages) >= 2, "they did not arrive")  # type: ignore[misc]  # the loop's value
                    receiver.hang_up()
                    until(lambda: _ships(shipper), "it did not connect again")
                    until(lambda receiver=receiver: len(receiver.messages) >= 3, "it did not arrive")  # type: ignore[misc]  # the loop's value
                else:
                    with pytest.raises(ssl.SSLCertVerificationError):
                        shipper.ship([line("a")])
                    assert receiver.messages == []


def _ships(shipper: Shipper) -> bool:
    try:
        shipper.ship([line("c")])
    except OSError:
        return False
    return True


def test_a_black_hole_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that reads nothing: what its machine does not acknowledge did not arrive."""
    monkeypatch.setattr(syslog, "WHOLE", 0.4)
    with closing(socket.socket()) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with closing(shipper_for(f"syslog+tcp://127.0.0.1:{listening.getsockname()[1]}")) as shipper:
            began = time.monotonic()
            with pytest.raises(TimeoutError):
                shipper.ship([line(f"{number} " + "x" * 400) for number in range(1000)])
            with pytest.raises(TimeoutError):
                shipper.ship([line(f"{number} " + "x" * 400) for number in range(30)])
            assert time.monotonic() - began < 5


def test_a_closed_port_of_udp_is_noticed() -> None:
    """Where the machine says so: then it is a failure like others."""
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with closing(shipper_for(f"syslog+udp://127.0.0.1:{port}")) as shipper:
        with pytest.raises(ConnectionRefusedError):
            until(lambda: shipper.ship([line("a")]), "nobody said so")
        assert shipper.ship([line("b")]) == 0


def test_a_value_that_is_too_deep_stops_nothing() -> None:
    """A line that could never be sent would be tried for ever, and those after it with it."""
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    assert 'd="[too deep\\]" n="7"' in told(d=deep, n=7)
