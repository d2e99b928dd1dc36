"""Which URL ships how, and which is refused before a line is."""

from __future__ import annotations

from pathlib import Path

import pytest

from postrmagic_core.errors import ConfigurationError, UnknownScheme
from postrmagic_core.log.forwarding import name_for, shipper_for
from postrmagic_core.log.forwarding.http import NdjsonShipper
from postrmagic_core.log.forwarding.otlp import OtlpShipper
from postrmagic_core.log.forwarding.syslog import DatagramShipper, StreamShipper


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("syslog+tcp://logs", StreamShipper),
        ("syslog+tls://logs:6514/", StreamShipper),
        ("syslog+udp://[::1]:514", DatagramShipper),
        ("otlp+http://localhost:4318", OtlpShipper),
        ("otlp+https://otlp.example.com/v1/logs", OtlpShipper),
        ("http://[::1]:8080/logs", NdjsonShipper),
        ("https://logs.example.com/a?b=c", NdjsonShipper),
    ],
)
def test_a_scheme_says_how(url: str, kind: type[object]) -> None:
    """Nothing is connected yet: a name that nobody has is found out by the first line."""
    assert isinstance(shipper_for(url), kind)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("syslog+tcp://", "no host"),
        ("https:///v1", "no host"),
        ("http://host:0", "no host"),
        ("http://a b/", "no host"),
        ("http://ü.example/", "no host"),
        ("http://host:99999", "cannot be read"),
        ("http://[::1", "cannot be read"),
        ("http://user:hunter2@host/", "user or password"),
        ("http://host/a\u00e4", "characters"),
        ("syslog+tcp://host/path", "no path"),
        ("syslog+udp://host?x=1", "no path"),
    ],
)
def test_what_is_no_receiver_is_refused(url: str, told: str) -> None:
    """With what is wrong, and without what may be secret."""
    with pytest.raises(ConfigurationError, match=told) as refusal:
        shipper_for(url)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("url", ["ftp://host", "host:514", "", "syslog://host"])
def test_another_scheme_names_the_known(url: str) -> None:
    """All of them."""
    with pytest.raises(UnknownScheme, match=r"syslog\+tls://.*otlp\+https://"):
        shipper_for(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://far.example"])
def test_a_token_goes_to_this_machine_or_by_tls(url: str) -> None:
    """There nobody else reads it."""
    assert isinstance(shipper_for(url, "secret"), NdjsonShipper)


@pytest.mark.parametrize(
    ("url", "token", "told"),
    [
        ("http://far.example", "secret", "in the clear"),
        ("otlp+http://10.0.0.1:4318", "secret", "in the clear"),
        ("syslog+tls://far.example", "secret", "no place for a token"),
        ("https://far.example", "two words", "visible ASCII"),
        ("https://far.example", "a\r\nX: y", "visible ASCII"),
        ("https://far.example", "", "visible ASCII"),
    ],
)
def test_a_token_that_has_no_place(url: str, token: str, told: str) -> None:
    """It is refused, and not shown."""
    with pytest.raises(ConfigurationError, match=told) as refusal:
        shipper_for(url, token)
    assert "secret" not in str(refusal.value)


def test_an_authority_that_cannot_be_read(tmp_path: Path) -> None:
    """Is found at the start: else every connection would fail."""
    (tmp_path / "empty.pem").write_text("")
    for path in (tmp_path / "none.pem", tmp_path / "empty.pem"):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            shipper_for("https://far.example", authority=path)


def test_a_name_is_the_same_each_time() -> None:
    """And another one for another place, so that each keeps its own position."""
    assert name_for("syslog+tls://logs.example.com") == "syslog-tls-logs-example-com-6514"
    assert name_for("otlp+http://[::1]:4318/").startswith("otlp-http-1-4318-")
    paths = {name_for(f"https://host/{path}") for path in ("", "a", "a/", "b", "b?c=d")}
    assert len(paths) == 5
    hosts = {name_for(f"http://{host}/") for host in ("a.b", "a-b", "a_b", "[1::2:3]", "[1:2::3]")}
    assert len(hosts) == 5
    assert all(name.startswith("https-host-443") for name in paths)
    with pytest.raises(UnknownScheme):
        name_for("ftp://host")
