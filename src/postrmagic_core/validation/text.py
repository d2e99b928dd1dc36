"""Decisions about text from outside. Pure; each of them gives the same when applied to its own result."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# Bidirectional controls (UAX #9 section 2), line and paragraph separators, the byte order mark.
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_HIDDEN = _DIRECTION | frozenset("\u2028\u2029\ufeff")
_COMBINING_RUN = 30  # UAX #15 section 13, Stream-Safe Text Format: longer runs are no language, and slow to normalise
_TAG_MARKS = frozenset(" -_+.#&'")
_NAME_BYTES = 200
_NAME_READ = 1024
_RESERVED = re.compile(r"(?i)(?:CON|PRN|AUX|NUL|COM[0-9¹²³]|LPT[0-9¹²³])(?:\.|\Z)")


def has_control(text: str, allowed: str = "") -> bool:
    """Whether ``text`` holds a control, surrogate, noncharacter or direction-changing character not ``allowed``."""
    if text.isprintable():  # none of them is; one look by the interpreter settles it for nearly every text
        return False
    if _controls(allowed).search(text):
        return True
    return _WIDE.search(text) is not None and _WIDE_NONCHARACTERS.search(text) is not None


# None beyond U+FFFF: a class with such is searched through from its beginning for every character.
_HIGH = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"


@cache
def _controls(allowed: str) -> re.Pattern[str]:
    low = "".join(chr(point) for point in range(0x20) if chr(point) not in allowed)
    return re.compile(f"[{re.escape(low)}{_HIGH}]")


_WIDE = re.compile("[\U00010000-\U0010ffff]")
_LAST_OF_PLANES = "".join(chr(plane | last) for plane in range(0x10000, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF))
_WIDE_NONCHARACTERS = re.compile(f"[{_LAST_OF_PLANES}]")


def _is_control(character: str) -> bool:
    point = ord(character)
    if point < 0x80:
        return point < 0x20 or point == 0x7F
    return (
        character in _HIDDEN
        or unicodedata.category(character) in {"Cc", "Cs"}
        or 0xFDD0 <= point <= 0xFDEF
        or point & 0xFFFE == 0xFFFE
    )


def has_mark_run(text: str) -> bool:
    """Whether more than 30 combining characters follow each other."""
    if text.isascii():
        return False
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run > _COMBINING_RUN:
            return True
    return False


def normalized(text: str) -> str:
    """NFC, line ends as ``\\n``, without surrounding white space. Refuse :func:`has_mark_run` first."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


# Line ends in text of one line, and in text of several.
_ONE_LINE = str.maketrans(dict.fromkeys("\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\u2028\u2029", " "))
_LINES = str.maketrans(dict.fromkeys("\r\x0b\x0c\x85\u2028\u2029", "\n"))
# Invisible: soft hyphen, grapheme joiner, Hangul fillers, zero-width spaces and operators, annotations. The tag
# characters beside them spell out ASCII that nobody sees. Variation selectors choose a glyph and stay.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_JOINERS = "\u200c\u200d"


def without_hidden(text: str, *, lines: bool = False) -> str:
    """``text`` without what is not seen: controls, direction changes, zero-width characters, noncharacters.

    Line ends become spaces; with ``lines`` they become ``\\n``, and tabs stay. Joiners (U+200C, U+200D) are left to
    :func:`without_loose_joiners`.
    """
    text = text.replace("\r\n", "\n").translate(_LINES if lines else _ONE_LINE)
    if text.isascii() and text.isprintable():
        return text
    kept = (character for character in text if character in "\n\t" or not _is_control(character))
    return _INVISIBLE.sub("", "".join(kept))


def without_loose_joiners(text: str) -> str:
    """``text`` with joiners only inside a word that is not ASCII, where scripts and emoji need them."""
    if text.isascii():
        return text
    kept: list[str] = []
    for number, character in enumerate(text):
        if character in _JOINERS:
            after = text[number + 1 : number + 2]
            # An accent after a joiner would be one that no count of accents sees.
            if not (kept and _joins(kept[-1]) and _joins(after)) or unicodedata.combining(after):
                continue
        kept.append(character)
    return "".join(kept)


def _joins(character: str) -> bool:
    return not character.isascii() and not character.isspace() and character not in _JOINERS


def tag(text: str) -> str:
    """A tag's one spelling: NFC, folded to lower case (Unicode 3.13, canonical caseless), single spaces."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
    return " ".join(folded.split())


def is_tag(text: str) -> bool:
    """Whether ``text`` holds only letters, digits, marks on them, and ``- _ + . # & '`` and spaces."""
    return text.isalnum() or all(
        character.isalnum() or character in _TAG_MARKS or unicodedata.category(character)[0] == "M"
        for character in text
    )


def display_name(raw: str) -> str:
    """A client's file name made fit to be shown and offered for download. Never a path: never store under it.

    The part after the last slash or backslash, in NFC, without controls; characters that some file system refuses
    become ``_``; no surrounding dots or spaces; no device name of Windows; at most 200 bytes of UTF-8, its ending
    kept; ``file`` when nothing is left. Any text is accepted, and only its last 1,024 characters are looked at.
    """
    name = re.split(r"[/\\]", raw[-_NAME_READ:])[-1]
    if has_control(name):
        name = "".join(character for character in name if not _is_control(character))
    name = "" if has_mark_run(name) else unicodedata.normalize("NFC", name)
    name = re.sub(r'[<>:"|?*%]', "_", name).strip(". ")
    name = _shortened(name)
    return f"_{name}" if _RESERVED.match(name) else name or "file"


def _shortened(name: str) -> str:
    if len(name.encode()) <= _NAME_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending.encode()) > 16:
        stem, dot, ending = name, "", ""
    room = _NAME_BYTES - len((dot + ending).encode())
    return (stem.encode()[:room].decode(errors="ignore").rstrip(". ") + dot + ending).strip(". ")
