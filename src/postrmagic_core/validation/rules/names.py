"""Names that people choose for themselves: not to be mistaken for somebody else's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..rule import AnyText, TextRule, refused, require
from .characters import UNSEEN

# UTS #39 section 5.2, "highly restrictive": these are written together; any other script stands alone.
_TOGETHER = (
    frozenset({"HAN", "HIRAGANA", "KATAKANA", "LATIN"}),
    frozenset({"HAN", "BOPOMOFO", "LATIN"}),
    frozenset({"HAN", "HANGUL", "LATIN"}),
)
# First words of Unicode's character names where they are not the script's own.
_SCRIPTS = {
    "CJK": "HAN",
    "IDEOGRAPHIC": "HAN",
    "KATAKANA-HIRAGANA": "",
    "COMBINING": "",
    "DIGIT": "",
    "ARABIC-INDIC": "ARABIC",
    "EXTENDED": "ARABIC",
}
_APOSTROPHES = "\u02bb\u02bc"  # letters of many Latin alphabets, and recommended by UTS #39
# Their everyday vowels and consonants have compatibility forms; elsewhere such a letter only looks like another.
_COMPATIBLE = frozenset({"THAI", "LAO", "TIBETAN"})
_VIRAMA = 9  # canonical combining class
_JOINERS = "\u200c\u200d"
_MARKS = 4  # UTS #39 section 5.4
_USERNAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*\Z")

# RFC 2142's mailbox names, and what users take for the operator's voice.
_RESERVED = (
    "abuse account admin administrator api billing bot contact daemon everyone ftp guest help hostmaster info "
    "localhost mail mailer-daemon me moderator news nobody noc noreply no-reply null official owner password "
    "postmaster privacy root sales security self server settings ssl staff support sysadmin system team test "
    "undefined user usenet uucp webmaster www"
)

RESERVED = frozenset(_RESERVED.split())
"""User names that nobody gets."""


@dataclass(frozen=True, slots=True)
class NoConfusables(AnyText):
    """A name whose every word is of one script, so that no letter of another stands in for one of its own.

    Kept: Latin beside Japanese, Chinese or Korean (UTS #39, highly restrictive). Refused (``text.confusable``): other
    mixtures, letters that are another's compatibility form, digits of two systems, invisible characters but for the
    joiners that Indic and Arabic scripts need, more than four marks on a letter or the same twice. ``whole``: the text
    is of one script, not only each word. A word written wholly in another script's look-alikes passes.
    """

    whole: bool = False
    max: int = field(default=255, kw_only=True)

    def _check(self, value: str) -> str:
        words = [value] if self.whole else value.split()
        if _has_odd_marks(value) or not all(_is_of_one_script(word) for word in words):
            raise refused("text.confusable")
        return value


def _is_of_one_script(word: str) -> bool:
    scripts: set[str] = set()
    zeros: set[int] = set()
    for before, character in _with_previous(word):
        kind = unicodedata.category(character)
        if character in UNSEEN or (kind[0] == "C" and not _joins(before, character)):
            return False
        if kind == "Nd":
            zeros.add(ord(character) - unicodedata.decimal(character))
        if kind[0] in "LMN" and character not in _APOSTROPHES:
            script = _script(character)
            scripts.add(script)
            if script not in _COMPATIBLE and unicodedata.normalize("NFKC", character) != character:
                return False
    scripts.discard("")
    return len(zeros) <= 1 and (len(scripts) <= 1 or any(scripts <= together for together in _TOGETHER))


def _with_previous(text: str) -> Iterator[tuple[str, str]]:
    return zip([" ", *text], text, strict=False)


def _joins(before: str, character: str) -> bool:
    """Whether a joiner stands where it changes the shape of a letter (RFC 5892, appendix A)."""
    if character not in _JOINERS:
        return False
    return unicodedata.combining(before) == _VIRAMA or (character == "\u200c" and _script(before) == "ARABIC")


def _script(character: str) -> str:
    first = unicodedata.name(character, "UNNAMED").partition(" ")[0]
    return _SCRIPTS.get(first, first)


def _has_odd_marks(text: str) -> bool:
    run = 0
    for before, character in _with_previous(text):
        run = run + 1 if unicodedata.category(character) == "Mn" else 0
        if run > _MARKS or (run and before == character):
            return True
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Username(TextRule):
    """``min`` to ``max`` of ``a-z 0-9``, parts joined by single ``. _ -``; changed to lower case.

    ``reserved`` names are refused (``username.reserved``), as written and without the joining characters.
    """

    min: int = 3
    max: int = 30
    reserved: Iterable[str] = RESERVED

    def __post_init__(self) -> None:
        require(1 <= self.min <= self.max, "Username: min must be at least 1 and at most max")
        object.__setattr__(self, "reserved", frozenset(name.lower() for name in self.reserved))

    def _limit(self) -> int:
        return self.max

    def _check(self, value: str) -> str:
        name = value.lower() if value.isascii() else ""
        if not _USERNAME.match(name):
            raise refused("username.characters")
        if len(name) < self.min:
            raise refused("username.short", min=self.min)
        if name in self.reserved or re.sub("[._-]", "", name) in self.reserved:
            raise refused("username.reserved")
        return name

    def _said(self) -> dict[str, Any]:
        return {"pattern": "^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$", "minLength": self.min}
