"""Names in SQLite, and what they are called in MySQL; pure.

MySQL's names have at most 64 characters, none beyond U+FFFF and no NUL, and end with no space
(https://dev.mysql.com/doc/refman/9.4/en/identifiers.html). All else, reserved words too, is only quoted.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Collection

MAX_CHARACTERS = 64
# A table's file is called as the table, with up to five bytes for a character; file systems allow 255.
_MAX_FILE_NAME = 240
_IN_THREE_BYTES = re.compile("[\u00c0-\u0517\u0531-\u0556\u0561-\u0587\u1e00-\u1fff]")
_BEYOND = re.compile("[\x00\ud800-\udfff\U00010000-\U0010ffff]")
_SPACES = " \t\n\v\f\r"
# What no index can be called, beside the names of the table's others.
INDEX_NAMES = frozenset({"PRIMARY", "GEN_CLUST_INDEX"})
# InnoDB's own columns, and the prefix by which MySQL reads a file's name as it is.
_TAKEN = frozenset({"db_row_id", "db_trx_id", "db_roll_ptr", "fts_doc_id"})
_RAW = "#mysql50#"
_SMALL = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def quoted(name: str) -> str:
    """``name`` as MySQL reads it, whatever is in it."""
    return f"`{name.replace('`', '``')}`"


def quoted_sqlite(name: str) -> str:
    """``name`` as SQLite reads it, whatever is in it."""
    return f'"{name.replace(chr(34), chr(34) * 2)}"'


def folded(name: str) -> str:
    """``name`` as SQLite compares it: the letters of ASCII alone have two cases."""
    return name.translate(_SMALL)


def compared(name: str) -> str:
    """``name`` in small letters, so that two are the same if MySQL takes them for the same column or index."""
    return "".join(character.lower()[0] for character in name)


def why(name: str) -> str:
    """Why MySQL cannot have a table, column or index of this name; empty where it can."""
    reasons = {
        "a name cannot be empty": not name,
        f"it has {len(name)} characters, of {MAX_CHARACTERS} allowed": len(name) > MAX_CHARACTERS,
        "it has a character that names cannot have (NUL, or beyond U+FFFF)": bool(_BEYOND.search(name)),
        "it ends with a space": name[-1:] in set(_SPACES),
        "a file called so would have a name too long": _file_length(name) > _MAX_FILE_NAME,
        "MySQL uses it itself": name.lower() in _TAKEN or name.lower().startswith(_RAW),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def target_name(name: str, taken: Collection[str]) -> str:
    """``name``, or one like it that MySQL can have and that is none of ``taken``, whatever their case.

    The same name is changed into the same, unless that is taken: a few digits of its SHA-256 are put behind it.
    """
    there = {compared(other) for other in taken}
    if not why(name) and compared(name) not in there:
        return name
    kept = _BEYOND.sub("_", name).rstrip(_SPACES)
    for number in itertools.count():
        mark = hashlib.sha256(name.encode(errors="surrogatepass") + b"\0" * number).hexdigest()[:8]
        head = kept[: MAX_CHARACTERS - 1 - len(mark)]
        while _file_length(head) > _MAX_FILE_NAME - 1 - len(mark):
            head = head[:-1]
        head = head[len(_RAW) :] if head.lower().startswith(_RAW) else head
        candidate = f"{head or 'unnamed'}_{mark}"
        if compared(candidate) not in there:
            return candidate
    raise AssertionError  # pragma: no cover - count() has no end


def _file_length(name: str) -> int:
    return sum(_bytes(character) for character in name)


def _bytes(character: str) -> int:
    if character.isascii() and (character.isalnum() or character == "_"):
        return 1
    return 3 if _IN_THREE_BYTES.match(character) else 5
