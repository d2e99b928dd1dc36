"""Every decision about codes: which texts are one, which step a code belongs to, what a recovery code is. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeGuard

from ...errors import MissingExtra

if TYPE_CHECKING:
    from pyotp.totp import TOTP

Algorithm: TypeAlias = Literal["SHA1", "SHA256", "SHA512"]

# Digest, and bytes of a secret: as many as the digest has (RFC 6238, appendix A), so 160 bits at least (RFC 4226, 4).
_DIGESTS: Final = {
    "SHA1": (hashlib.sha1, 20),
    "SHA256": (hashlib.sha256, 32),
    "SHA512": (hashlib.sha512, 64),
}
_ACCOUNT, _ISSUER = 100, 60

PENDING_US: Final = 3600 * 1_000_000
"""Microseconds in which an enrolment is confirmed: one that was left lying is not confirmed by who finds it."""

RECOVERY_CODES: Final = 10
# Of 0 O, 1 I L, 5 S, 8 B, 6 G, U V and 2 Z, which are taken for each other, at most one; and no vowels.
RECOVERY_ALPHABET: Final = "CDFHJKLMNPQRTVWXY2346789"
# 24 ** 25 is 114 bits: from 112 on a plain hash will do (ASVS 6.5.2).
RECOVERY_LENGTH: Final = 25
_GROUP, _TYPED = 5, 80


@dataclass(frozen=True, slots=True)
class TotpPolicy:
    """What a code is: the defaults are what every authenticator app speaks.

    ``behind`` and ``ahead``: how many steps before and after the present one are accepted. One behind lets a code be
    typed that changed meanwhile (RFC 6238, section 5.2, allows one); 0 keeps a code's life to one ``period`` (seconds),
    as ASVS 6.5.5 has it. ``ahead`` lets clocks of users be fast.
    """

    digits: int = 6
    period: int = 30
    algorithm: Algorithm = "SHA1"
    behind: int = 1
    ahead: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (("digits", 6, 8), ("period", 15, 60), ("behind", 0, 2), ("ahead", 0, 2)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise ValueError(f"expected {name} to be a whole number of {least} to {most}, got {value!r}")
        if self.algorithm not in _DIGESTS:
            raise ValueError(f"expected an algorithm of {', '.join(_DIGESTS)}, got {self.algorithm!r}")

    @property
    def secret_bytes(self) -> int:
        """How long a new secret is."""
        return _DIGESTS[self.algorithm][1]


def step_at(now_us: int, policy: TotpPolicy) -> int:
    """The time step of an instant (RFC 6238, section 4.2)."""
    return now_us // (policy.period * 1_000_000)


def is_code(given: object, policy: TotpPolicy) -> TypeGuard[str]:
    """Whether this is a text of just so many digits of ASCII; nothing is converted, stripped or normalised."""
    return type(given) is str and len(given) == policy.digits and given.isascii() and given.isdigit()


def code_at(secret: str, step: int, policy: TotpPolicy) -> str:
    """The code of a base32 secret at a step; :class:`ValueError` for a secret that is none, or under 112 bits."""
    return _otp(secret, policy).generate_otp(step)


def matching_step(secret: str, code: str, step: int, policy: TotpPolicy) -> int | None:
    """The newest step around ``step`` whose code this is. It takes as long for every code."""
    otp, found = _otp(secret, policy), None
    for candidate in range(max(step - policy.behind, 0), step + policy.ahead + 1):
        if compare_digest(otp.generate_otp(candidate).encode(), code.encode()):
            found = candidate
    return found


def uri(secret: str, account: str, issuer: str, policy: TotpPolicy) -> str:
    """What an authenticator app reads: https://github.com/google/google-authenticator/wiki/Key-Uri-Format."""
    return _otp(secret, policy).provisioning_uri(name=account, issuer_name=issuer)


def base32(secret: bytes) -> str:
    """The secret as apps take it: without padding, which some of them refuse."""
    return base64.b32encode(secret).decode().rstrip("=")


def _otp(secret: str, policy: TotpPolicy) -> TOTP:
    try:
        from pyotp.totp import TOTP
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "codes are made by pyotp, which is not installed: pip install 'postrmagic-core[security]'"
        ) from error

    return TOTP(secret, digits=policy.digits, digest=_DIGESTS[policy.algorithm][0], interval=policy.period)


def recovery_code(pick: Callable[[str], str]) -> str:
    """A new recovery code, grouped by hyphens; ``pick`` chooses a letter, as :func:`secrets.choice` does."""
    letters = "".join(pick(RECOVERY_ALPHABET) for _ in range(RECOVERY_LENGTH))
    return "-".join(letters[start : start + _GROUP] for start in range(0, RECOVERY_LENGTH, _GROUP))


def typed_recovery_code(given: object) -> str | None:
    """The letters of a recovery code, however typed: in any case, with hyphens or spaces of ASCII; else ``None``."""
    if type(given) is not str or len(given) > _TYPED or not given.isascii():
        return None
    letters = given.replace("-", "").replace(" ", "").upper()
    return letters if len(letters) == RECOVERY_LENGTH and set(letters) <= set(RECOVERY_ALPHABET) else None


def check_label(issuer: str, account: str | None = None) -> None:
    """Raise :class:`ValueError` unless an app can show these: printable, not too long, and without a colon."""
    for what, text, most in (("issuer", issuer, _ISSUER), ("account", account, _ACCOUNT)):
        if text is not None and not (0 < len(text) <= most and text.isprintable() and ":" not in text):
            raise ValueError(f"expected an {what} of 1 to {most} printable characters without a colon, got {text!r}")
