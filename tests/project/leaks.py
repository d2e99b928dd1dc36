"""What looks like a secret in a file: private keys, tokens of known shapes, and random texts that a secret's name has.

Values that people make up read as words or repeat themselves; those that machines make do neither.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

_OF_OTHERS = (
    "AKIA[0-9A-Z]{16}",
    r"AIza[\w-]{35}",
    "gh[pousr]_[0-9A-Za-z]{36}",
    r"github_pat_\w{50,}",
    r"glpat-[\w-]{20}",
    "npm_[0-9A-Za-z]{36}",
    r"pypi-[\w-]{50,}",
    r"[sr]k_live_\w{20,}",
    r"xox[abprs]-[\w-]{20,}",
)
_SHAPES = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\\n|\s|[\"'])+(?P<value>[A-Za-z0-9+/=]{24,})"),
    "a private key of a JWK": re.compile(r"[\"']d[\"']\s*:\s*[\"'](?P<value>[A-Za-z0-9_-]{43,})[\"']"),
    "a token": re.compile(r"\bpm[a-z]?_(?P<value>(?:[0-9A-Za-z]{16}_)?[0-9A-Za-z]{43,49})\b"),
    "a token of another service": re.compile(rf"\b(?P<value>{'|'.join(_OF_OTHERS)})\b"),
}

_TEXT = re.compile(r"[\"'](?P<value>[A-Za-z0-9+/=_.-]{20,512})[\"']")
# What stands before a secret's text: its name, perhaps in quotes, perhaps with a type; a sign; a bracket, a prefix.
_NAMED = re.compile(
    r"(?:secret|passw|passphrase|token|credential|key)\w{0,20}[\"']?\s*(?::[^=:\"']{1,40})?[:=]\s*[\[({]?\s*[brf]{0,2}\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Leak:
    """One finding: the line, what it is, and the text itself, which no complaint shows whole."""

    line: int
    what: str
    value: str

    def __str__(self) -> str:
        return f"{self.line} {self.what}: {self.value[:12]}…"


def leaks(text: str) -> Iterator[Leak]:
    """What of a file looks like a secret."""
    found = [(what, match) for what, shape in _SHAPES.items() for match in shape.finditer(text)]
    found += [("a secret", match) for match in _TEXT.finditer(text) if is_random(match["value"]) and _has_name(match)]
    for what, match in found:
        yield Leak(match.string.count("\n", 0, match.start()) + 1, what, match["value"])


def _has_name(match: re.Match[str]) -> bool:
    return _NAMED.search(match.string[max(0, match.start() - 100) : match.start()]) is not None


def is_random(value: str) -> bool:
    """Whether a machine made it: hexadecimal digits, base32, or letters of both cases with digits, evenly used."""
    if re.fullmatch("[0-9a-f]{32,}|[0-9A-F]{32,}", value):
        return entropy(value) >= 3.0
    mixed = re.match(r"(?=.*[a-z])(?=.*[A-Z]).*[0-9]", value) or re.fullmatch("[A-Z2-7]{26,}=*", value)
    return mixed is not None and entropy(value) >= 3.6


def entropy(value: str) -> float:
    """Shannon's measure, in bits for a character."""
    shares = [count / len(value) for count in Counter(value).values()]
    return -sum(share * math.log2(share) for share in shares)
