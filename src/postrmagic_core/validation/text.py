"""Decisions about text from outside. Pure; each of them gives the same when applied to its own result."""

from __future__ import annotations

import re
import unicodedata

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
    return any(_is_control(character) and character not in allowed for character in text)


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


def tag(text: str) -> str:
    """A tag's one spelling: NFC, folded to lower case (Unicode 3.13, canonical caseless), single spaces."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
    return " ".join(folded.split())


def is_tag(text: str) -> bool:
    """Whether ``text`` holds only letters, digits, marks on them, and ``- _ + . # & '`` and spaces."""
    return all(
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
