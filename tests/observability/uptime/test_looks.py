"""A look at each kind of target, and what is said of each way to fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.observability.health import Health, Report
from postrmagic_core.observability.uptime import Probe, probe
from postrmagic_core.observability.uptime.look import BODY, Attempt
from postrmagic_core.observability.uptime.looking import MOST, Looks
from postrmagic_core.observability.uptime.targets import asked
from postrmagic_core.testing import until
from tests.observability.uptime.targets import (
    Answer,
    Authority,
    babbling,
    closing,
    dripping,
    free_port,
    http,
    noting,
    resetting,
    silent,
    target,
)

CANARY = "canary-5ecret"


def looked(
    url: str, authority: Authority | None = None, health: Callable[[], Report] | None = None
) -> tuple[str, Attempt]:
    """What a look at a URL says."""
    context: Any = (lambda: authority.trust()) if authority is not None else dict
    attempt = Attempt(probe("p", url), context=context, health=health, now=time.time())
    return attempt.run(), attempt


def identity(report: Report) -> Report:
    """The same."""
    return report


def of_http(answer: Answer, options: str = "", path: str = "/healthz") -> str:
    """What a look at a web server says."""
    with target(answer) as server:
        return looked(f"http://127.0.0.1:{server.port}{path}#{options}")[0]


def test_an_answer_is_up_below_400_or_as_it_is_expected() -> None:
    """Redirects are answers, and are not followed; the text has to be among the first 64 KiB."""
    assert of_http(http()) == of_http(http(404), "status=404") == ""
    with target(http()) as other:
        assert of_http(http(302, b"", f"Location: http://127.0.0.1:{other.port}/")) == ""
        assert other._open == []
    assert of_http(http(500)) == "it answered 500"
    assert of_http(http(400)) == "it answered 400"
    assert of_http(http(200), "status=204") == "it answered 200"
    assert of_http(http(), "text=is+well") == ""
    assert of_http(http(), "text=nothing") == "the text is not in the answer"
    assert of_http(http(200, b"-" * BODY + b"late"), "text=late") == "the text is not in the answer"


@pytest.mark.fault
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (silent, "no answer within 0.2 s"),
        (resetting, "the connection was reset"),
        (closing, "the connection was closed without an answer"),
        (babbling, "what answers does not speak HTTP"),
        (http(200, b"", *[f"X-{number}: 1" for number in range(200)]), "what answers does not speak HTTP"),
    ],
    ids=["silent", "resetting", "closing", "babbling", "crowded"],
)
def test_each_way_to_fail_is_told(answer: Answer, expected: str) -> None:
    """In words, in bounded time."""
    assert of_http(answer, "timeout=0.2") == expected


@pytest.mark.fault
def test_a_port_and_a_name_that_are_none_are_told() -> None:
    """For each kind that connects."""
    port = free_port()
    for url in (f"http://127.0.0.1:{port}/", f"tcp://127.0.0.1:{port}", f"tls://127.0.0.1:{port}"):
        assert looked(url)[0] == "the connection was refused"
    for host in ("nobody.invalid", "a" * 80 + ".example", ".."):
        assert looked(f"tcp://{host}:80#timeout=5")[0] == "the name cannot be resolved"


def test_who_listens_is_up(authority: Authority) -> None:
    """To connect is enough for ``tcp``."""
    with target(silent) as server:
        assert looked(f"tcp://127.0.0.1:{server.port}")[0] == ""
        assert looked(f"tcp://localhost:{server.port}")[0] == ""
        # But to connect is no handshake, and no answer.
        for scheme in ("tls", "https", "http"):
            assert looked(f"{scheme}://localhost:{server.port}#timeout=0.2", authority)[0] == "no answer within 0.2 s"


@pytest.mark.fault
@pytest.mark.parametrize("scheme", ["tls", "https"])
def test_a_certificate_that_is_not_right_is_told(authority: Authority, scheme: str, tmp_path: Path) -> None:
    """Expired, for another name, of nobody known; none is passed over."""
    for host, days, expected in (
        ("localhost", -1, "the certificate has expired"),
        ("other.example", 90, "the certificate is for another name"),
    ):
        with target(http(), authority.server(days, host)) as server:
            assert looked(f"{scheme}://localhost:{server.port}", authority)[0] == expected
    with target(http(), authority.server(90)) as server:
        url = f"{scheme}://127.0.0.1:{server.port}"
        assert looked(url, authority)[0] == "the certificate is for another address"
    with target(http(), authority.server(90)) as server:
        assert looked(f"{scheme}://localhost:{server.port}", Authority(tmp_path))[0] == "the certificate is not trusted"
    with target(babbling) as server:
        assert looked(f"{scheme}://localhost:{server.port}", authority)[0].startswith("the TLS handshake failed")


@pytest.mark.fault
def test_a_certificate_that_ends_soon_is_told_in_days(authority: Authority) -> None:
    """From 14 days on, or as many as are set; for ``https`` it is only noted when that is."""
    with target(http(), authority.server(9.5)) as server:
        said, attempt = looked(f"tls://localhost:{server.port}", authority)
        assert said == "the certificate expires in 9 days"
        assert attempt.expires == pytest.approx(time.time() + 9.5 * 86400, abs=60)
        assert looked(f"tls://localhost:{server.port}#days=9", authority)[0] == ""
        said, attempt = looked(f"https://localhost:{server.port}", authority)
        assert (said, attempt.expires is None) == ("", False)


def test_the_application_itself_is_asked() -> None:
    """What it needs has to be well; what it does not need, and the end of a process, are no outage."""
    checks = {"database": Health(False, 0.1, "timed_out"), "cache": Health(True, 0.1)}
    assert looked("internal:", health=lambda: Report("failed", checks))[0] == "database: timed_out"
    for report in (Report("ok", checks), Report("degraded", checks), Report("draining", checks)):
        assert looked("internal:", health=partial(identity, report))[0] == ""
    assert "nobody here" in looked("internal:")[0]

    def fail() -> Report:
        raise RuntimeError(CANARY)

    assert looked("internal:", health=fail)[0] == "the look failed (RuntimeError)"


def test_nothing_secret_is_shown() -> None:
    """Neither user, password, query nor options: not in what is shown, said, or told of a mistake."""
    url = f"https://ann:{CANARY}@example.org:8443/path?token={CANARY}#text={CANARY}"
    made = probe("site", url)
    assert made.target == "https://example.org:8443/path"
    assert CANARY not in repr(made)
    for wrong in (f"https://{CANARY}:x:y@[::1/", f"ftp://{CANARY}", f"{url}&what={CANARY}", f"tcp://{CANARY}"):
        with pytest.raises(ConfigurationError) as caught:
            probe("site", wrong)
        assert CANARY not in str(caught.value)
    found: list[bytes] = []
    with target(noting(found)) as server:
        said, _ = looked(f"http://ann:{CANARY}@127.0.0.1:{server.port}/a b?c=%20d#status=500")
    assert said == "it answered 204"
    head, *lines = found[0].decode().split("\r\n")
    assert head == "GET /a%20b?c=%20d HTTP/1.1"
    assert "Authorization: Basic YW5uOmNhbmFyeS01ZWNyZXQ=" in lines


def test_a_url_adds_no_line_to_a_request() -> None:
    """Whatever somebody wrote into it."""
    assert asked("http://h/a\r\nX-Evil:%0d%0a1?b\r\nc") == "/aX-Evil:%0d%0a1?bc"
    assert "\n" not in asked("http://h/\u2028\x85?\x0b")
    assert asked("http://h") == "/"


def test_probes_are_read_from_text() -> None:
    """Each kind, each option; what is none is told in a sentence."""
    made = probe("a", "https://h/x?y=1#status=201&text=a%20b&failures=3&every=30&timeout=2.5", every=60)
    assert made == Probe("a", "http", "https://h/x", "https://h/x?y=1", 30.0, 2.5, 3, 201, "a b")
    assert probe("a", "tls://[::1]#days=30", every=5) == Probe(
        "a", "tls", "tls://[::1]", "tls://[::1]", every=5, days=30
    )
    assert probe("a", "internal:").target == "internal:"
    for url, sentence in (
        ("ftp://h", "expected https://"),
        ("tcp://h", "expected a port"),
        ("https:///path", "expected a host"),
        ("https://h:99999", "expected a URL"),
        ("tcp://h:1#text=a", "only every, timeout, failures"),
        ("https://h#days=3", "only every, timeout, failures, status, text"),
        ("https://h#every=soon", "every= as a number"),
        ("https://h#every=0", "every= as a positive"),
        ("https://h#timeout=-1", "timeout= as a positive"),
        ("https://h#timeout=nan", "timeout= as a positive"),
        ("https://h#timeout=61", "timeout= of at most 60"),
        ("https://h:0", "expected a port"),
        ("tcp://h:0", "expected a port"),
        ("https://a b/", "expected a host"),
    ):
        with pytest.raises(ConfigurationError, match=sentence):
            probe("a", url)
    with pytest.raises(ConfigurationError, match="a probe's name"):
        probe("no name", "internal:")


@pytest.mark.fault
def test_one_that_never_ends_is_ended() -> None:
    """A byte now and then is no answer; nor does it keep the others from being told."""
    with target(dripping) as slow, target(http()) as quick:
        probes = [
            probe("slow", f"http://127.0.0.1:{slow.port}#timeout=0.3"),
            probe("quick", f"http://127.0.0.1:{quick.port}#timeout=20"),
        ]
        looks = Looks(lambda one: Attempt(one, context=dict, health=None, now=0))  # type: ignore[arg-type]  # no TLS here
        began = time.monotonic()
        found = {one.probe.name: one.error for one in looks.at(probes)}
        assert time.monotonic() - began < 5
        assert found == {"slow": "no answer within 0.3 s", "quick": ""}
        until(lambda: not any(one.name == "postrmagic-uptime-slow" for one in threading.enumerate()))


class Stuck:
    """A look that does not end when it is told to: a resolver that says nothing is such."""

    expires: float | None = None

    def __init__(self, begun: list[int], free: threading.Event) -> None:
        self._begun, self._free = begun, free

    def run(self) -> str:
        """Wait."""
        self._begun.append(1)
        self._free.wait(60)
        return ""

    def cancel(self) -> None:
        """It does not listen."""


@pytest.mark.fault
def test_one_that_does_not_let_go_is_not_begun_again() -> None:
    """Until it does: threads are not heaped up; and never are there more than eight at once."""
    begun: list[int] = []
    free = threading.Event()
    looks = Looks(lambda one: Stuck(begun, free))
    probes = [probe(f"p{number}", "internal:#timeout=0.05") for number in range(MOST + 3)]
    assert {one.error for one in looks.at(probes)} == {"no answer within 0.05 s"}
    assert len(begun) == MOST + 3
    assert {one.error for one in looks.at(probes)} == {"no answer within 0.05 s"}
    assert len(begun) == MOST + 3
    free.set()
    until(lambda: all(one.ended for one in looks._stuck.values()))
    assert {one.error for one in looks.at(probes)} == {""}
    most = []

    class Counting(Stuck):
        def run(self) -> str:
            """Say how many there are."""
            most.append(sum(one.name.startswith("postrmagic-uptime") for one in threading.enumerate()))
            time.sleep(0.01)
            return ""

    Looks(lambda one: Counting(begun, free)).at([probe(f"p{number}", "internal:") for number in range(30)])
    assert max(most) <= MOST + 1  # one may be on its way out
