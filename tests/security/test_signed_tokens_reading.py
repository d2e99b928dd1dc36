"""How the text of a token is read: in one way, of one size, and never so deep or long that it hurts."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from postrmagic_core.security.checks import TOKEN_LENGTH
from postrmagic_core.security.signed_tokens import TokenVerifier
from postrmagic_core.security.signed_tokens import policy as rules

from .signed_tokens_rig import b64, claims, headed, header, reason, saying, segment, signed, signing_key, verifier

KEY = signing_key("EdDSA")

# How JSON is read.

HEAD = json.dumps(header(KEY))
HEADERS = [
    HEAD[:-1] + ', "alg": "EdDSA"}',
    '{"alg": "none", ' + HEAD[1:],
    HEAD[:-1] + ', "kid": "x"}',
    HEAD[:-1] + ', "\\u0061lg": "none"}',
    HEAD[:-1],
    HEAD + "}",
    HEAD + HEAD,
    HEAD + "\x00",
    "\ufeff" + HEAD,
    HEAD.replace('"', "'"),
    HEAD[:-1] + ",}",
    f"[{HEAD}]",
    json.dumps(HEAD),
    "null",
    "true",
    "7",
    "NaN",
    "[]",
    "{",
    '"',
    " ",
    '{"alg": NaN}',
    "[" * 4000,
    '{"alg":' * 500,
    '{"kid":' + "[" * 2500 + "]" * 2500 + "}",
]


@pytest.mark.parametrize("text", HEADERS, ids=lambda text: text[:24])
def test_a_header_is_read_in_one_way(text: str) -> None:
    """No name twice, however it is written, nothing after it, in no other form, and not so deep that reading fails."""
    assert reason(verifier(), headed(text)) == "header"


@pytest.mark.parametrize(
    "data", [HEAD.encode("utf-16"), HEAD.encode("utf-16-le"), HEAD.encode("utf-32"), HEAD.encode() + b"\xff", b"\xff"]
)
def test_json_is_in_utf_8(data: bytes) -> None:
    """In no other encoding, which a parser may guess."""
    assert reason(verifier(), headed(data)) == "header"
    body = json.dumps(claims())
    for encoding in ("utf-16", "utf-16-be", "utf-32", "utf-8-sig"):
        assert reason(verifier(), saying(body.encode(encoding))) == "claims"
    named = json.dumps(claims(sub="\u00e4"), ensure_ascii=False)
    found = verifier().verify(saying(named))
    assert found is not None
    assert found.subject == "\u00e4"
    for broken in (
        named.encode("latin-1"),
        named.encode().replace(b"\xc3\xa4", b"\xed\xa0\x80"),
        named.encode() + b"\xff",
    ):
        assert reason(verifier(), saying(broken)) == "claims"


BODY = json.dumps(claims())
CLAIMS = [
    BODY[:-1] + ', "sub": "1"}',
    '{"sub": "1", ' + BODY[1:],
    BODY[:-1] + ', "\\u0073ub": "1"}',
    BODY[:-1] + ', "exp": 99999999999}',
    BODY[:-1] + ', "more": {"a": 1, "a": 2}}',
    BODY[:-1] + ', "more": [{"a": {"b": 1, "b": 1}}]}',
    BODY[:-1],
    BODY + "}",
    BODY + BODY,
    BODY + "\x00",
    BODY[:-1] + ",}",
    BODY + "//",
    f"[{BODY}]",
    json.dumps(BODY),
    "null",
    "7",
    "[]",
    "{}",
    "NaN",
    "x",
    '{"a":' * 800 + "1" + "}" * 800,
    BODY[:-1] + ', "more": ' + "[" * 2500 + "]" * 2500 + "}",
    BODY[:-1] + ', "more": ' + "[" * 100 + "]" * 100 + "}",
    BODY[:-1] + ', "more": "a\nb"}',
    BODY[:-1] + ', "more": 1' + "0" * 4000 + "}",
    BODY[:-1] + ', "more": 1e' + "9" * 400 + "}",
]


@pytest.mark.parametrize("text", CLAIMS, ids=lambda text: text[-24:].strip())
def test_claims_are_read_in_one_way(text: str) -> None:
    """By whoever signs, too: a name that stands twice has two meanings."""
    assert reason(verifier(), saying(text)) == "claims"


def test_numbers_and_texts_are_told_as_they_are() -> None:
    """What is allowed is not changed."""
    more = {"int": 10**18, "negative": -7, "float": 1.5e-7, "text": "\u00e4\U0001f4be", "list": [True, False, None]}
    found = verifier().verify(saying(claims(more=more)))
    assert found is not None
    assert found.extra["more"] == more


# Size: CVE-2025-61920, CVE-2024-33664, CVE-2023-6681.


def padded(length: int) -> str:
    """A token whose signature is good, of exactly that many characters: spaces are all that its header has more."""
    for spaces in range(4):
        head = json.dumps(header(KEY)) + " " * spaces
        size = (length - len(signed(head, claims(more="")))) * 3 // 4
        for more in range(4):
            if len(token := signed(head, claims(more="x" * (size + more)))) == length:
                return token
    raise AssertionError(f"no token of {length} characters")


def test_a_token_is_at_most_so_long() -> None:
    """8,192 characters are taken, one more is not, though its signature is good."""
    assert reason(verifier(), padded(8192)) is None
    assert reason(verifier(), padded(8193)) == "malformed"


def test_a_long_text_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither matched nor decoded nor parsed: its length is all that is asked for."""
    long = [padded(TOKEN_LENGTH + 1), "A" * 10_000_000, "." * 10_000_000, f"{'A' * 5_000_000}.e30.AA"]

    def refuse(*args: object, **options: object) -> Any:
        raise AssertionError("a long text was looked at")

    ours = verifier()
    for name in ("_IS_COMPACT", "a2b_base64", "decoded", "_parsed"):
        monkeypatch.setattr(rules, name, refuse)
    assert [reason(ours, text) for text in long] == ["malformed"] * len(long)
    with pytest.raises(AssertionError):
        ours.verify("A" * TOKEN_LENGTH)


def test_no_text_takes_long() -> None:
    """The slowest that there is to match and parse takes no hundred times a good token's time."""
    ours, good = verifier(), saying(claims())
    assert ours.verify(good) is not None
    worst = ["A" * 8192, "A." * 4096, "A" * 8190 + "..", "A" * 8190 + ".\u00e4", "-" * 8191 + "\n"]
    worst += [headed(text)[:8192] for text in HEADERS] + [f"{segment('{' * 6000)}.A.A"]
    least = min(_seconds(ours, good) for _ in range(20))
    assert [text[:20] for text in worst if min(_seconds(ours, text) for _ in range(5)) > 100 * least] == []


def _seconds(ours: TokenVerifier, text: str) -> float:
    begin = time.perf_counter()
    ours.verify(text)
    return time.perf_counter() - begin


def test_no_encrypted_token_is_opened() -> None:
    """Five segments are none of ours, whatever they hold, nor a JWS written as JSON."""
    key, vector, text, tag = (b64(b"x" * size) for size in (256, 12, 63, 16))
    heads = [{"alg": "RSA-OAEP", "enc": "A256GCM"}, {"alg": "dir", "enc": "A128GCM", "zip": "DEF"}, header(KEY)]
    made = [f"{segment(head)}.{first}.{vector}.{text}.{tag}" for head in heads for first in (key, "")]
    head, body, tail = saying(claims()).split(".")
    flat = json.dumps({"protected": head, "payload": body, "signature": tail})
    for text in (*made, f"{head}.{body}.{tail}.{tail}.{tail}", f"{head}....{tail}", flat):
        assert reason(verifier(), text) == "malformed"
