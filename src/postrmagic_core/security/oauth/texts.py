"""The texts that are handed out: codes, refresh tokens, clients' ids and secrets.

Each but the id is ``pmc_``, ``pmr_`` or ``pms_``, 43 letters and digits that nobody guesses (62 ** 43 is more than
2 ** 256), and 6 of a checksum, which proves nothing and tells a mistyped text without asking the database.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final

from ..access_tokens.policy import ALPHABET, checksum

CODE: Final = "pmc_"
REFRESH: Final = "pmr_"
SECRET: Final = "pms_"  # noqa: S105 - what secrets begin with
PATTERN: Final = r"\bpm[crs]_[0-9A-Za-z]{49}\b"
"""A regular expression by which scanners find leaked ones."""

_ID, _RANDOM, _CHECKSUM = 22, 43, 6
_IS_TEXT = re.compile(r"pm[crs]_[0-9A-Za-z]{49}").fullmatch
_IS_CLIENT = re.compile(r"[0-9A-Za-z]{22}").fullmatch
_IS_GRANT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def new(prefix: str, pick: Callable[[str], str]) -> str:
    """A new text; ``pick`` chooses a letter, as :func:`secrets.choice` does."""
    head = prefix + "".join(pick(ALPHABET) for _ in range(_RANDOM))
    return head + checksum(head)


def new_client_id(pick: Callable[[str], str]) -> str:
    """A name for a client: no secret, and used once."""
    return "".join(pick(ALPHABET) for _ in range(_ID))


def digest(prefix: str, text: object) -> bytes | None:
    """SHA-256 of a text of this kind, by which its row is found; ``None`` for whatever else a client sends."""
    if not isinstance(text, str) or not text.startswith(prefix) or _IS_TEXT(text) is None:
        return None
    return sha256(text) if checksum(text[:-_CHECKSUM]) == text[-_CHECKSUM:] else None


def sha256(text: str) -> bytes:
    """The digest of any text: no slow hash, as nobody guesses one of 2 ** 256, however fast."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def is_client_id(text: object) -> bool:
    """Whether this can be a client's id."""
    return isinstance(text, str) and _IS_CLIENT(text) is not None


def is_grant_id(text: object) -> bool:
    """Whether this can be a grant's id."""
    return isinstance(text, str) and _IS_GRANT(text) is not None
