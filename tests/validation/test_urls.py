"""A URL from outside has an allowed scheme, one host that everybody reads alike, and one spelling."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.errors import ConfigurationError, ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import Validator
from postrmagic_core.validation.urls import Address, Url, parsed
from tests.validation.fuzzing import quick

WEB = Url(schemes=("https", "http"))
ANY = Url(schemes=("https", "http", "wss", "ws", "ftp"), addresses=True)


def through(text: str, rule: Url = WEB) -> str:
    """The URL as the rule keeps it."""
    kind: Any = Annotated[str, rule]
    return str(Validator(kind).validate(text))


def code(text: str, rule: Url = WEB) -> str:
    """The code with which the rule refuses the URL; the answer repeats none of it."""
    with pytest.raises(ValidationFailed) as caught:
        through(text, rule)
    (error,) = caught.value.errors
    assert error["pointer"] == ""
    assert error["message"] != "is not valid"
    assert len(text) < 12 or text not in str(caught.value)
    return error["code"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://example.org", "https://example.org/"),
        ("HTTPS://EXAMPLE.org:443/A?b=C#D", "https://example.org/A?b=C#D"),
        ("http://example.org:80", "http://example.org/"),
        ("http://example.org:443/", "http://example.org:443/"),
        ("https://example.org:/x", "https://example.org/x"),
        ("https://example.org?q", "https://example.org/?q"),
        ("https://example.org#f", "https://example.org/#f"),
        ("https://example.org/?#", "https://example.org/?#"),
        ("https://example.org/a/./b/../c/%2e%2E/d", "https://example.org/a/d"),
        ("https://example.org/../../x", "https://example.org/x"),
        ("https://example.org/a/..", "https://example.org/"),
        ("https://example.org//a//", "https://example.org//a//"),
        ("https://example.org/%7euser/%41%2f%c3%b6", "https://example.org/~user/A%2F%C3%B6"),
        ("https://example.org/Köln?q=ü#ß", "https://example.org/K%C3%B6ln?q=%C3%BC#%C3%9F"),
        ("https://example.org/\"<>`{}|^'", "https://example.org/%22%3C%3E%60%7B%7D%7C%5E'"),
        ("https://example.org/a@b:c", "https://example.org/a@b:c"),
        ("https://example.org/?u=https://x@y/", "https://example.org/?u=https://x@y/"),
        ("https://example.org/%2541", "https://example.org/%2541"),
        ("https://xn--mnchen-3ya.example/", "https://xn--mnchen-3ya.example/"),
        ("https://r3---sn-a.example.org/", "https://r3---sn-a.example.org/"),
    ],
)
def test_one_spelling(given: str, kept: str) -> None:
    """What RFC 3986 and the WHATWG call the same is written the same."""
    assert through(given) == kept


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "javascript://example.org/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "DATA://example.org/",
        "file:///etc/passwd",
        "file://example.org/share",
        "vbscript:msgbox",
        "blob:https://example.org/1-2-3",
        "filesystem:https://example.org/",
        "view-source:https://example.org/",
        "jar:https://example.org/!/",
        "mailto:a@example.org",
        "gopher://example.org/_x",
        "dict://example.org/",
        "ftp://example.org/",
        "wss://example.org/",
        "//example.org/",
        "/path",
        "example.org",
        "example.org:443/x",
        "https:example.org",
        "https:/example.org",
        "http\uff1a//example.org",
        "https%3A//example.org",
        "\u212attp://example.org",
        "",
    ],
)
def test_another_scheme_is_refused(text: str) -> None:
    """Only what is allowed, written out: no guessing, no repair."""
    assert code(text) == "url.scheme"


@pytest.mark.parametrize(
    "text",
    [
        " https://example.org/",
        "https://example.org/ ",
        "https://exam ple.org/",
        "java\tscript:alert(1)",
        "\x01javascript:alert(1)",
        "https://exa\tmple.org/",
        "https://example.org/\r\nSet-Cookie: a=b",
        "https://example.org\\@evil.example/",
        "https:\\\\example.org\\",
        "https:/\\example.org",
        "https://example.org/\0",
        "https://example.org/\u202egpj.exe",
        "https://example.org/\u200b",
        "https://example\u00ad.org/",
        "https://example.org/\u2028",
        "https://example.org/\u3000",
        "https://example.org/\ue000",
    ],
)
def test_what_browsers_repair_is_refused(text: str) -> None:
    """Spaces, controls, backslashes and what nobody sees (WHATWG URL, section 4.4)."""
    assert code(text) == "url.form"


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:80@attacker.example/",
        "https://user@example.org/",
        "https://user:secret@example.org/",
        "https://@example.org/",
        "https://:@example.org/",
        "https://example.org@evil.example/",
        "https://example.org:443@evil.example:443/",
        "https://[::1]@evil.example/",
        "https://a@b@example.org/",
    ],
)
def test_a_user_is_refused(text: str) -> None:
    """What stands before an at sign is taken for the host by people, and by some parsers."""
    assert code(text) == "url.userinfo"


HOSTS = [
    *("https:///path", "https://", "https://?x", "https://#x", "https://:443/", "https://./", "https://../"),
    *("https://.example.org/", "https://example..org/", "https://example.org./"),
    *("https://localhost/", "https://intranet"),
    *("https://-a.example/", "https://a-.example/", "https://a_b.example/", "https://" + "a" * 64 + ".example/"),
    *("https://" + "a." * 130 + "example/", "https://exa%6dple.org/", "https://example.org%2f.evil.example/"),
    *("https://ex*mple.org/", "https://example.org;evil.example/", "https://example.org,evil.example/"),
    *("https://m\u00fcnchen.example/", "https://ex\u0430mple.org/"),
    *("https://example\u3002org/", "https://\u2488com.example/"),
    *("https://\u212aelvin.example/", "https://\uff45xample.org/", "https://xn--.example/", "https://xn--a.example/"),
    *("https://xn--example-.example/", "https://xn--zzzzzzzzzzzz99999999.example/", "https://xn--MNCHEN-3YA-.example"),
    *("http://127.1/", "http://127.0.1/", "http://0177.1/", "http://0177.0.0.1/"),
    *("http://0x7f000001/", "http://0x7f.1/"),
    *("http://2130706433/", "http://017700000001/", "http://127.0.0.1./", "http://127.0.0.256/", "http://1.2.3.4.5/"),
    *("http://127.0.0.0x1/", "http://0/", "http://0x/", "http://1.0x/", "http://example.1/", "http://127.0.0.1.0x7/"),
    *("http://\u2460\u2461\u2466.0.0.1/", "http://127\u30020.0.1/", "http://[::1/", "http://::1/", "http://[]/"),
    *("http://[::1]evil.example/", "http://[::1].evil.example/", "http://[::ffff:127.0.0.256]/", "http://[127.0.0.1]/"),
    *("http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1%]/", "http://[v1.x]/", "http://[[::1]]/"),
    *("http://[1:2:3:4:5:6:7:8:9]/", "http://[::1]]/", "http://[" + ":" * 200 + "]/"),
]  # fmt: skip


@pytest.mark.parametrize("rule", [WEB, ANY], ids=["names", "addresses"])
@pytest.mark.parametrize("text", HOSTS)
def test_no_host_that_two_programs_read_differently(text: str, rule: Url) -> None:
    """No short, octal or hexadecimal IPv4, no zone, no letters outside ASCII, no empty label, no name of here only."""
    assert code(text, rule) in {"url.host", "url.port"}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("http://127.0.0.1/", "http://127.0.0.1/"),
        ("http://192.0.2.1:8080/", "http://192.0.2.1:8080/"),
        ("http://[::1]/", "http://[::1]/"),
        ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]/"),
        ("http://[2001:DB8::A]:81/", "http://[2001:db8::a]:81/"),
        ("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
        ("http://[::127.0.0.1]/", "http://[::7f00:1]/"),
        ("http://[64:ff9b::127.0.0.1]/", "http://[64:ff9b::7f00:1]/"),
    ],
)
def test_an_address_must_be_allowed(text: str, kept: str) -> None:
    """Refused unless asked for; then every spelling of an address is one spelling."""
    assert code(text) == "url.host"
    assert through(text, ANY) == kept
    assert through(kept, ANY) == kept


@pytest.mark.parametrize(
    "port", ["0", "00", "080", "65536", "99999", "999999999999", "x", "-1", "+1", "1_0", "\u0661", "80:80"]
)
def test_a_port_is_a_port(port: str) -> None:
    """A number from 1 to 65535 in plain digits."""
    assert code(f"https://example.org:{port}/") == "url.port"


def test_only_listed_ports() -> None:
    """The scheme's own port counts as the one that is meant."""
    rule = Url(ports=(443, 8443))
    assert through("https://example.org/", rule) == "https://example.org/"
    assert through("https://example.org:8443/", rule) == "https://example.org:8443/"
    assert code("https://example.org:22/", rule) == "url.port"


@pytest.mark.parametrize("place", ["/%", "/%2", "/%zz", "?a=%", "#%g0", "/%%34", "/%\uff11\uff12"])
def test_a_broken_escape_is_refused(place: str) -> None:
    """Programs disagree about what it means."""
    assert code(f"https://example.org{place}") == "url.escape"


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("https://example.org/", True),
        ("https://EXAMPLE.org/", True),
        ("https://a.cdn.example/", True),
        ("https://a.b.cdn.example/", True),
        ("https://localhost/", True),
        ("https://192.0.2.1/", True),
        ("https://cdn.example/", False),
        ("https://evilcdn.example/", False),
        ("https://example.org.evil.example/", False),
        ("https://notexample.org/", False),
        ("https://sub.example.org/", False),
        ("https://192.0.2.2/", False),
    ],
)
def test_only_listed_hosts(text: str, listed: bool) -> None:
    """Exactly as listed, or below an entry that begins with a dot."""
    rule = Url(hosts=("example.org", ".cdn.example", "localhost", "192.0.2.1"))
    if listed:
        assert through(text, rule)
    else:
        assert code(text, rule) == "url.other_host"


def test_the_length_counts_before_and_after() -> None:
    """Escapes are longer than what they stand for; neither the text nor the result is longer than allowed."""
    rule = Url(max=40)
    assert len(through("https://example.org/" + "a" * 20, rule)) == 40
    assert code("https://example.org/" + "a" * 21, rule) == "string_too_long"
    assert code("https://example.org/" + "ü" * 20, rule) == "string_too_long"


@pytest.mark.parametrize(
    "wrong",
    [
        {"schemes": ("javascript",)},
        {"schemes": ("https", "data")},
        {"schemes": ("file",)},
        {"schemes": ("HTTPS",)},
        {"schemes": ()},
        {"schemes": "https"},
        {"hosts": ("Example.org",)},
        {"hosts": ("https://example.org",)},
        {"hosts": ("example.org:443",)},
        {"hosts": ("*.example.org",)},
        {"hosts": ("0x7f.1",)},
        {"hosts": "example.org"},
    ],
)
def test_a_rule_that_could_not_hold_is_refused(wrong: dict[str, Any]) -> None:
    """No scheme that runs code, and no entry that never matches."""
    with pytest.raises(ConfigurationError, match=r"schemes|hosts"):
        Url(**wrong)


def test_its_json_schema_says_what_it_is() -> None:
    """A text of format ``uri``, with its length."""
    from pydantic import TypeAdapter

    assert TypeAdapter(Annotated[str, Url(max=99)]).json_schema() == {
        "type": "string",
        "format": "uri",
        "maxLength": 99,
    }


def test_a_url_in_parts_shows_nothing() -> None:
    """Its repr could stand in a log."""
    address = parsed("https://example.org/secret")
    assert isinstance(address, Address)
    assert "secret" not in repr(address)
    assert str(address) == "https://example.org/secret"


PIECES = st.lists(
    st.sampled_from(
        [
            *(
                "https://",
                "http://",
                "a",
                "example",
                ".org",
                ".",
                "..",
                "/",
                "//",
                "%2e",
                "%2F",
                "%25",
                "%41",
                "%",
                "@",
            ),
            *(":", ":443", ":80", "[", "]", "::1", "127.0.0.1", "0x7f", "?", "#", "&", "=", "ü", "xn--", "mnchen-3ya"),
            *("'", '"', "<", "\\", "\t"),
        ]
    ),
    max_size=12,
).map("".join)


@settings(max_examples=120, deadline=None)
@given(PIECES | PIECES.map("https://example.org/".__add__) | st.text(max_size=20).map("https://example.org/".__add__))
def test_what_is_kept_stays_and_means_the_same_to_another_parser(text: str) -> None:
    """Idempotent; and the standard library finds the same scheme, host and path in it."""
    with contextlib.suppress(ValidationFailed):
        kept = through(text, ANY)
        assert through(kept, ANY) == kept
        assert kept.isascii()
        assert not set(kept) & set(' \\"<>`{}|^')
        mine, theirs = parsed(kept), urlsplit(kept)
        assert isinstance(mine, Address)
        assert (theirs.scheme, theirs.hostname, theirs.username) == (mine.scheme, mine.host, None)
        assert not {".", ".."} & set(unquote(theirs.path.replace("%2F", "_")).split("/"))


@quick
@given(st.text())
def test_reading_a_url_raises_nothing(text: str) -> None:
    """Any text is a URL in parts or a code."""
    assert isinstance(parsed(text), (Address, str))


PUMPS: dict[str, Callable[[int], str]] = {
    "dots up": lambda n: "https://example.org" + "/.." * n,
    "steps": lambda n: "https://example.org" + "/a" * n,
    "escapes": lambda n: "https://example.org/" + "%41" * n,
    "percent": lambda n: "https://example.org/" + "%" * n,
    "colons": lambda n: "https://" + ":" * n,
    "brackets": lambda n: "https://" + "[" * n,
    "ipv6": lambda n: "https://[" + "1:" * n + "]",
    "labels": lambda n: "https://" + "a." * n,
    "digits": lambda n: "https://" + "1" * n,
    "punycode": lambda n: "https://xn--" + "a" * n,
    "ports": lambda n: "https://example.org:" + "1" * n,
    "slashes": lambda n: "https:" + "/" * n,
    "hashes": lambda n: "https://example.org/" + "#" * n,
}


@pytest.mark.parametrize("pump", PUMPS)
def test_reading_a_url_takes_linear_time(pump: str) -> None:
    """Twice the hostile text takes less than three times as long, also without the cap on its length."""
    texts = {size: PUMPS[pump](size) for size in (20_000, 40_000)}
    assert growth(lambda size: parsed(texts[size]), 20_000) < 3
