"""What clients may ask for, how long what they get is good, and what is told of clients and grants: frozen values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, overload
from urllib.parse import urlsplit

from ...errors import ConfigurationError
from ..checks import CLIENT, LOOPBACK

if TYPE_CHECKING:
    from ..access.interface import User
    from ..access_tokens import TokenUser

DAY: Final = 86_400.0
_YEAR = 366 * DAY
_SCOPE = re.compile(r"[A-Za-z0-9_.:-]{1,64}").fullmatch
_SCOPES = 50


@dataclass(frozen=True, slots=True)
class Scope:
    """What a client may ask for: ``media.read``, which stands for ``permissions`` as roles have them.

    ``about`` is what the user is told on the consent page: "See your posters". The user's roles decide as ever; a token
    with the scope may at most what both allow.
    """

    name: str
    permissions: Sequence[str]
    about: str

    def __post_init__(self) -> None:
        if isinstance(self.permissions, str):
            raise TypeError(f"scope {self.name}: permissions is a list of texts, got the text {self.permissions!r}")
        object.__setattr__(self, "permissions", tuple(self.permissions))


class Scopes(Sequence[Scope]):
    """The scopes there are, in the order in which they are shown.

    :class:`ConfigurationError` for none, for more than 50, a name used twice or not of 1 to 64 letters, digits,
    ``_ . : -``, and for a scope without permissions or words about it.
    """

    def __init__(self, scopes: Iterable[Scope]) -> None:
        self._scopes = tuple(scopes)
        self._by_name = {scope.name: scope for scope in self._scopes}
        if not 0 < len(self._scopes) <= _SCOPES:
            raise ConfigurationError(f"expected 1 to {_SCOPES} scopes, got {len(self._scopes)}")
        if len(self._by_name) < len(self._scopes):
            raise ConfigurationError("a scope is declared twice: give one of them another name")
        for scope in self._scopes:
            if _SCOPE(scope.name) is None:
                raise ConfigurationError(
                    f"scope {scope.name!r}: expected a name of 1 to 64 letters, digits, '_', '.', ':' and '-'"
                )
            if not scope.permissions or not scope.about.strip():
                raise ConfigurationError(f"scope {scope.name}: expected permissions, and words about it for users")

    @overload
    def __getitem__(self, index: int) -> Scope: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Scope, ...]: ...
    def __getitem__(self, index: int | slice) -> Scope | tuple[Scope, ...]:
        return self._scopes[index]

    def __len__(self) -> int:
        return len(self._scopes)

    def __iter__(self) -> Iterator[Scope]:
        return iter(self._scopes)

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of their declaration."""
        return tuple(self._by_name)

    def named(self, names: Iterable[str]) -> tuple[Scope, ...]:
        """Those of these names that there are, in the order of their declaration."""
        wanted = set(names)
        return tuple(scope for scope in self._scopes if scope.name in wanted)

    def permissions(self, names: Iterable[str]) -> frozenset[str]:
        """All that the scopes of these names stand for; a name that is declared no more stands for nothing."""
        return frozenset(each for scope in self.named(names) for each in scope.permissions)


@dataclass(frozen=True, slots=True)
class OAuthPolicy:
    """How long what a client gets is good, in seconds.

    ``refresh_idle``: a refresh token that is not used. ``grant_lifetime``: all that follows from one consent, however
    often it is refreshed. ``retry_window``: within it a client whose answer was lost may ask again, with the same
    request id. ``keep``: how long rows of what has ended stay. ``max_grants``: how many good grants a client has of one
    user; beyond, the oldest ends.
    """

    access_token_lifetime: float = 600.0
    code_lifetime: float = 60.0
    refresh_idle: float = 30 * DAY
    grant_lifetime: float = 90 * DAY
    retry_window: float = 10.0
    keep: float = 30 * DAY
    max_grants: int = 20

    def __post_init__(self) -> None:
        for name, least, most in (
            ("access_token_lifetime", 1.0, 3600.0),
            ("code_lifetime", 1.0, 600.0),
            ("refresh_idle", 1.0, _YEAR),
            ("grant_lifetime", 1.0, _YEAR),
            ("retry_window", 0.0, 60.0),
            ("keep", 0.0, _YEAR),
        ):
            if not least <= getattr(self, name) <= most:  # NaN is neither
                raise ValueError(f"expected {name} to be {least:g} to {most:g} seconds, got {getattr(self, name)!r}")
        if type(self.max_grants) is not int or not 0 < self.max_grants <= 1000:
            raise ValueError(f"expected max_grants to be a whole number of 1 to 1000, got {self.max_grants!r}")


@dataclass(frozen=True, slots=True)
class ServerTerms:
    """Who the authorization server is: RFC 8414, section 2.

    ``issuer`` is its URL: ``https://``, or ``http://`` of this machine alone, without query, fragment, user or slash at
    its end. ``audience``: what its access tokens are for; left out, the issuer. ``signing_keys``: private keys in PEM,
    of which the first signs; without, they are derived from the key ring. :class:`ConfigurationError` for others.
    """

    issuer: str
    audience: str | None = None
    signing_keys: tuple[str, ...] = field(default=(), repr=False)
    policy: OAuthPolicy = field(default_factory=OAuthPolicy)

    def __post_init__(self) -> None:
        if not is_issuer(self.issuer):
            raise ConfigurationError(
                f"expected as issuer an https:// URL (http:// for 127.0.0.1, [::1] and localhost alone) without query, "
                f"fragment, user and slash at its end, got {self.issuer!r}"
            )
        if self.audience is not None and not 0 < len(self.audience.encode()) <= 190:
            raise ConfigurationError("expected as audience of access tokens a text of 1 to 190 bytes")

    @property
    def resource(self) -> str:
        """What access tokens are for: their ``aud``."""
        return self.issuer if self.audience is None else self.audience


def is_issuer(text: str) -> bool:
    """Whether an authorization server may be known by this URL."""
    if not text.isascii() or not text.isprintable() or len(text) > 190 or set(text) & set(' ?#@\\"<>'):
        return False
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or text.endswith("/"):
        return False
    return text.startswith("https://") or (text.startswith("http://") and host in LOOPBACK)


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """A program that may ask users for access, or ask for itself. ``id`` is no secret.

    ``public``: it has no secret, as an app on a user's device cannot keep one. ``introspects``: it is a resource
    server, which may know of every access token. ``disabled_at``: since when it gets nothing, and nothing it got is
    good.
    """

    id: str
    name: str
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    grant_types: tuple[str, ...]
    public: bool
    introspects: bool
    created_at: datetime
    disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IssuedClient:
    """A client and its new secret, to be shown once, as nothing keeps it and no ``repr`` shows it.

    A public client has none.
    """

    info: ClientInfo
    secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a client asks a user for, checked: what the consent page shows.

    ``redirect_uri`` is where the browser is sent with the answer; ``state`` goes with it unchanged.
    """

    client: ClientInfo
    redirect_uri: str
    scopes: tuple[Scope, ...]
    state: str | None = field(repr=False)
    challenge: str = field(repr=False)
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class GrantInfo:
    """What a user let a client do, and when it last got a token for it."""

    id: str
    client_id: str
    client_name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class VerifiedAccess:
    """An access token that is good: which grant it is of, who acts, and what it is limited to.

    ``user_id`` is ``None`` where the client asks for itself; ``permissions`` are what its ``scopes`` stand for now.
    """

    grant_id: str
    client_id: str
    user_id: str | None
    scopes: frozenset[str]
    permissions: frozenset[str]
    expires_at: datetime

    @property
    def subject(self) -> str:
        """Who acts, as :meth:`Access.identity` takes it: the user's id, or ``client:`` and the client's."""
        return CLIENT + self.client_id if self.user_id is None else self.user_id

    def restrict(self, user: User) -> TokenUser:
        """Who acts, as :meth:`Access.identity` tells of them now, limited to what the token allows.

        Raises :class:`ValueError` for somebody else, and for who is limited already.
        """
        from ..access_tokens.interface import TokenUser

        if user.id != self.subject or user.scopes is not None:
            raise ValueError("expected the token's subject as access.identity(verified.subject) returns them")
        return TokenUser(user.id, user.roles, self.permissions, self.grant_id)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the authorization server is asked: absolute URLs, for its metadata."""

    authorize: str
    token: str
    revoke: str
    introspect: str
    jwks: str

    @classmethod
    def under(cls, issuer: str, base: str = "/oauth") -> Endpoints:
        """``{issuer}{base}/authorize``, ``…/token``, ``…/revoke``, ``…/introspect`` and ``…/jwks.json``."""
        root = issuer + base
        names = ("authorize", "token", "revoke", "introspect", "jwks.json")
        return cls(*(f"{root}/{name}" for name in names))
