"""Whose attempt it is, which buckets judge it, and what a token must look like: no I/O, no clock, no chance."""

from __future__ import annotations

import base64
import hmac
import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from ..._codec import decode, encode
from ..._crypto import KeyRing
from ...errors import ConfigurationError, DecodeError, SealBroken
from ...limits import Decision, Limit, Take
from .interface import Admission, Detail, Judged, Redeemed, ThrottleLimits

NONCE = 16
TOKEN = 32
MAX_LIFETIME = 30 * 86_400.0
"""Seconds: no one-time token lives longer, whatever its application allows."""

KNOWN = Limit("login-known", 1, 1.0)
"""No limit: the name under which a known network is noted, beside the limiter's buckets."""

_DEVICE = NONCE + 8 + 32
_NAMED = 16  # bytes of an account's name in logs
_PURPOSE = re.compile(r"[a-z][a-z0-9_.-]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody tries to log in: to which account (folded), from which network, and with which device's nonce."""

    account: bytes
    network: str
    device: bytes | None = None


def fold(account: str) -> bytes:
    """One name for all spellings of an account's name: to share a bucket is safe, to have several is not."""
    return unicodedata.normalize("NFKC", account).casefold().strip().encode("utf-8", "surrogatepass")


def network_of(address: str | IPv4Address | IPv6Address | None) -> str:
    """An IPv4 address, or the /64 of an IPv6 one, of which a subscriber has at least that; "" where it is neither."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return f"{IPv6Address(int(found) >> 64 << 64)}/64"
    return str(found)


def joined(*parts: bytes) -> bytes:
    """A message of which other parts make another."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class Names:
    """What stands in keys and logs for accounts and networks: HMACs, so that who reads them learns no name."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def account(self, account: bytes) -> str:
        """The name of an account in keys; its beginning stands in logs."""
        return self._ring.mac(account, purpose="login-account").hex()

    def logged(self, account: bytes) -> str:
        """The name of an account in logs."""
        return self.account(account)[: 2 * _NAMED]

    def network(self, attempt: Attempt) -> str:
        """The name of an account and a network, under the newest key."""
        return self.networks(attempt)[0]

    def networks(self, attempt: Attempt) -> list[str]:
        """The same under every key."""
        message = joined(attempt.account, attempt.network.encode())
        return [mac.hex() for mac in self._ring.macs(message, purpose="login-network")]

    def device(self, attempt: Attempt) -> str:
        """The name of an account and a device."""
        return self._ring.mac(joined(attempt.account, attempt.device or b""), purpose="login-device-name").hex()

    def token(self, account: bytes, nonce: bytes, ends_us: int) -> str:
        """What a device that has logged in keeps, until ``ends_us``."""
        ends = ends_us.to_bytes(8, "big")
        mac = self._ring.mac(joined(account, nonce, ends), purpose="login-device")
        return write(nonce + ends + mac)

    def read_token(self, account: bytes, token: str | None, now_us: int) -> bytes | None:
        """The nonce of a token for this account that has not ended; ``None`` for whatever else a client sends."""
        raw = read(token, _DEVICE)
        if raw is None:
            return None
        nonce, ends, given = raw[:NONCE], raw[NONCE : NONCE + 8], raw[NONCE + 8 :]
        macs = self._ring.macs(joined(account, nonce, ends), purpose="login-device")
        right = any(hmac.compare_digest(given, mac) for mac in macs)
        return nonce if right and int.from_bytes(ends, "big") > now_us else None

    def digests(self, purpose: str, token: bytes) -> list[bytes]:
        """Under what a one-time token may be stored, one per key of the ring, newest first."""
        return self._ring.macs(joined(purpose.encode(), token), purpose="login-token")

    def seal(self, detail: Detail, digest: bytes) -> bytes | None:
        """What is stored of a detail: it opens beside this digest alone."""
        if detail is None:
            return None
        plain = detail if isinstance(detail, bytes) else dict(detail)
        return self._ring.seal(encode(plain), purpose="login-token-detail", context=digest)

    def open(self, user_id: str, sealed: bytes | None, digest: bytes) -> Redeemed:
        """The token's meaning; :class:`SealBroken` where the row is not as it was written."""
        if sealed is None:
            return Redeemed(user_id)
        try:
            opened = decode(self._ring.open(bytes(sealed), purpose="login-token-detail", context=digest))
        except DecodeError as error:
            raise SealBroken("the sealed value is not a token's detail") from error
        return Redeemed(user_id, opened)


def judged(attempt: Attempt, *, known: bool) -> Judged:
    """As whom: a device is judged by itself, also where its network is under attack."""
    if attempt.device is not None:
        return "device"
    return "network" if known else "stranger"


def takes(limits: ThrottleLimits, names: Names, attempt: Attempt, who: Judged) -> list[Take]:
    """The buckets that must all admit it. Only strangers share theirs with others, so nobody else can be locked out."""
    if who == "device":
        return [limits.own.of("d" + names.device(attempt))]
    own = limits.own.of("n" + names.network(attempt))
    if who == "network":
        return [own]
    return [own, limits.network.of(attempt.network), limits.account.of(names.account(attempt.account))]


def admission(decision: Decision, who: Judged) -> Admission:
    """What the buckets' decision means."""
    return Admission(decision.allowed, decision.retry_after, who)


def check_limits(limits: ThrottleLimits) -> None:
    """Raise :class:`ConfigurationError` where two limits would share their buckets."""
    names = [limits.own.name, limits.network.name, limits.account.name, KNOWN.name]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"expected three limits of three names, none of them {KNOWN.name}, got {names[:3]}")


def write(raw: bytes) -> str:
    """Bytes as text for cookies and links."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def read(text: object, size: int) -> bytes | None:
    """``size`` bytes as :func:`write` wrote them, and only so; ``None`` for anything else."""
    length = -(-size * 4 // 3)
    if not isinstance(text, str) or len(text) != length or not re.fullmatch(r"[A-Za-z0-9_-]*", text, re.ASCII):
        return None
    raw = base64.urlsafe_b64decode(text + "=" * (-length % 4))
    return raw if write(raw) == text else None


def check_purpose(purpose: str) -> str:
    """The purpose, or :class:`ValueError`."""
    if not _PURPOSE.fullmatch(purpose):
        raise ValueError(f"expected as purpose 1 to 32 of a-z 0-9 _ . - beginning with a letter, got {purpose[:80]!r}")
    return purpose
