"""Every decision about access tokens: which texts are one, whether one is good, what it may be limited to. Pure.

A token is ``pm_<id>_<secret><checksum>``, each of the 62 letters and digits of ASCII: 16 for the id, by which its row
is found, 43 for the secret (62 ** 43 is more than 2 ** 256), and 6 for the CRC-32 of all that stands before. The
checksum proves nothing; it tells a mistyped token, and whatever else looks like one, without asking the database.
"""

from __future__ import annotations

import hashlib
import re
import string
import zlib
from collections.abc import Callable, Iterable
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from ..access import policy as permissions
from ..checks import TOKEN_LENGTH
from .interface import TokenUser

if TYPE_CHECKING:
    from ..access.roles import Roles

PREFIX: Final = "pm_"
PATTERN: Final = r"\bpm_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}\b"
"""A regular expression by which scanners find leaked tokens."""

ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID, _SECRET, _CHECKSUM = 16, 43, 6
LENGTH: Final = len(PREFIX) + _ID + 1 + _SECRET + _CHECKSUM
_IS_ID = re.compile(r"[0-9A-Za-z]{16}").fullmatch
_IS_TOKEN = re.compile(r"pm_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}").fullmatch

# RFC 6750, section 2.1; the scheme in any case (RFC 9110, section 11.1). A list of credentials is none.
_BEARER = re.compile(r"[ \t]*bearer +([A-Za-z0-9\-._~+/]+=*)[ \t]*", re.ASCII | re.IGNORECASE).fullmatch
_NAMES_BEARER = re.compile(r"(?:\A|,)[ \t]*bearer(?![\w!#$%&'*+.^`|~-])", re.ASCII | re.IGNORECASE).search
# Characters of the header; a signed token, which others may have issued, is longer than one of ours.
_CREDENTIALS = TOKEN_LENGTH + 16

# So many that they all stand in the row of the audit log, however long they are.
_NAME, _PERMISSIONS = 64, 50

Reason: TypeAlias = Literal["malformed", "unknown", "wrong", "revoked", "expired", "unreadable"]


class Read(NamedTuple):
    """A text that is a token's: by which row it is looked up, and what must stand there."""

    id: str
    digest: bytes


class Refusal(NamedTuple):
    """Why a text is no good token, and which token it is if that can be said: for logs, never for who sent it."""

    reason: Reason
    id: str | None = None
    user_id: str | None = None


def token(pick: Callable[[str], str]) -> str:
    """A new token; ``pick`` chooses a letter, as :func:`secrets.choice` does."""
    name, secret = ("".join(pick(ALPHABET) for _ in range(size)) for size in (_ID, _SECRET))
    head = f"{PREFIX}{name}_{secret}"
    return head + checksum(head)


def checksum(head: str) -> str:
    """The end of a token that begins with ``head``."""
    rest, letters = zlib.crc32(head.encode()), ""
    for _ in range(_CHECKSUM):
        rest, digit = divmod(rest, len(ALPHABET))
        letters = ALPHABET[digit] + letters
    return letters


def read(text: object) -> Read | None:
    """What a token says; ``None`` for whatever else a client sends, in time that does not grow with it."""
    if not isinstance(text, str) or len(text) != LENGTH or _IS_TOKEN(text) is None:
        return None
    return taken_apart(text) if checksum(text[:-_CHECKSUM]) == text[-_CHECKSUM:] else None


def taken_apart(token: str) -> Read:
    """What a text that is a token's says."""
    # No slow hash, as for passwords: nobody guesses one of 2 ** 256 secrets, however fast guesses can be tried.
    return Read(token[len(PREFIX) :][:_ID], hashlib.sha256(token.encode()).digest())


def is_id(given: object) -> bool:
    """Whether this can be a token's id."""
    return isinstance(given, str) and len(given) == _ID and _IS_ID(given) is not None


def bearer(header: str | None) -> str | None:
    """The credentials of ``Authorization: Bearer …``, given the header, or several of them joined by ``", "``.

    ``None``: the request does not use the scheme, and another way to say who asks may hold. An empty text, which is
    nobody's token: it does, but not as RFC 6750, section 2.1, has it, or more than once. Tokens are read from nowhere
    else: not from the query, which ends up in logs, nor from the body.
    """
    if header is None or _NAMES_BEARER(header) is None:
        return None
    found = _BEARER(header) if len(header) <= _CREDENTIALS else None
    return "" if found is None else found[1]


def refusal(stored: bytes, given: bytes, revoked_us: int | None, expires_us: int, now_us: int) -> Reason | None:
    """Why the token of a row is not good; ``None``: it is. At the instant of its end it is not."""
    if not compare_digest(stored, given):
        return "wrong"
    if revoked_us is not None:
        return "revoked"
    return "expired" if expires_us <= now_us else None


def not_by_token(who: object, obj: object = None) -> bool:
    """A policy for ``Access.policy``: whoever is logged in may, but no token, whatever it is limited to.

    For what would make a token more than it is: to issue another one, to change the password or the second factor.
    """
    return not isinstance(who, TokenUser)


def check_name(name: object) -> str:
    """The name, or :class:`ValueError`: it is shown to its owner and stands in the audit log."""
    if not (isinstance(name, str) and 0 < len(name) <= _NAME and name.isprintable() and name.strip()):
        raise ValueError(f"expected as a token's name 1 to {_NAME} printable characters, not all of them spaces")
    return name


def check_permissions(given: Iterable[str] | None, roles: Roles) -> tuple[str, ...] | None:
    """The permissions a token is limited to, each once; :class:`ValueError` for one that no role can give."""
    if given is None:
        return None
    if isinstance(given, str):
        raise ValueError("expected a list of permissions, got a text")
    wanted: set[str] = set()
    there = _there(roles)
    for text in given:
        rule = permissions.rule(text)
        if rule is None or not any(_meet(rule, each) for each in there):
            # Without its text: a token that was given in its place would be told.
            raise ValueError(f"a permission is malformed, or none that there is; {permissions.GRAMMAR}")
        wanted.add(rule.text)
        if len(wanted) > _PERMISSIONS:
            raise ValueError(f"expected at most {_PERMISSIONS} permissions for a token, got more")
    return tuple(sorted(wanted))


def _there(roles: Roles) -> list[permissions.Rule]:
    """All that can be granted: what is listed, or where nothing is, what roles allow."""
    if roles.permissions is not None:
        return [rule for rule in map(permissions.rule, roles.permissions) if rule is not None]
    return [rule for role in roles for rule in roles.rules(role.name)["allow"]]


def _meet(one: permissions.Rule, other: permissions.Rule) -> bool:
    """Whether there is a permission that both cover."""
    pairs = ((one.resource, other.resource), (one.action, other.action))
    return all(a == b or "*" in (a, b) for a, b in pairs)
