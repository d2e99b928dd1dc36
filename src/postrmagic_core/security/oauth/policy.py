"""Every decision about a request to the authorization server: what it must say, and whether what it shows is good.

Pure. :class:`OAuthRefused` is raised here without an address: whoever asks knows whether there is one.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Final, NamedTuple, NoReturn
from urllib.parse import parse_qsl, unquote_plus

from ...errors import OAuthRefused
from .interface import AuthorizationRequest, ClientInfo, Scope, Scopes

AUTHORIZATION_CODE: Final = "authorization_code"
REFRESH_TOKEN: Final = "refresh_token"  # noqa: S105 - the name of a grant type
CLIENT_CREDENTIALS: Final = "client_credentials"
GRANT_TYPES: Final = (AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS)

_QUERY, _FIELDS, _STATE = 8192, 50, 2048
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}").fullmatch
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}").fullmatch
_BASIC = re.compile(r"[ \t]*basic +([A-Za-z0-9+/]+={0,2})[ \t]*", re.ASCII | re.IGNORECASE).fullmatch
_CREDENTIALS = 1024


class Refused(NamedTuple):
    """Why a code or a token is not good: for the audit log, never for who sent it. ``told``: it stands there already.

    ``client_id``: whose it is, where that is certain.
    """

    why: str
    told: bool = False
    client_id: str | None = None


class Credentials(NamedTuple):
    """Who a client says it is, and its secret if it shows one."""

    client_id: str
    secret: str | None


def refuse(error: str, description: str) -> NoReturn:
    """Raise :class:`OAuthRefused`."""
    raise OAuthRefused(error, description, status=401 if error == "invalid_client" else 400)


def bad_grant() -> OAuthRefused:
    """The one answer to every code and refresh token that is not good, whatever is wrong with it."""
    return OAuthRefused("invalid_grant", "the code or refresh token is not good for this client")


def bad_client() -> OAuthRefused:
    """The one answer to whoever is not a client that there is."""
    return OAuthRefused("invalid_client", "the client is not known, or this is not how it proves who it is", status=401)


# The authorization request: RFC 6749, section 4.1.1, and RFC 7636, section 4.3.


def parsed(query: object) -> dict[str, list[str]]:
    """The fields of a query, with all their values."""
    if not isinstance(query, str) or len(query) > _QUERY or not query.isascii():
        refuse("invalid_request", f"the query has more than {_QUERY} characters, or one that is not ASCII")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except ValueError:
        refuse("invalid_request", "the query cannot be read")
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def single(fields: Mapping[str, list[str]], name: str) -> str:
    """The one value of a field that must be there."""
    values = fields.get(name, [])
    if len(values) != 1 or not values[0]:
        refuse("invalid_request", f"{name} must be there, once")
    return values[0]


def state(fields: Mapping[str, list[str]]) -> str | None:
    """What is to be sent back unchanged; of what is refused for itself, nothing."""
    values = fields.get("state", [])
    return values[0] if len(values) == 1 and 0 < len(values[0]) <= _STATE else None


def request(
    fields: Mapping[str, list[str]], client: ClientInfo, uri: str, known: Scopes, resource: str
) -> AuthorizationRequest:
    """What a client asks for, once it is known and so is ``uri``, its address."""
    if any(len(values) > 1 for values in fields.values()):
        refuse("invalid_request", "a parameter is there more than once")
    given = {name: values[0] for name, values in fields.items() if values[0]}  # empty is left out: section 3.1
    if len(given.get("state", "")) > _STATE:
        refuse("invalid_request", f"state has more than {_STATE} characters")
    if "request" in given or "request_uri" in given:
        refuse("invalid_request", "request objects are not supported")
    if given.get("response_mode", "query") != "query":
        refuse("invalid_request", "response_mode must be query")
    if required(given, "response_type") != "code":
        refuse("unsupported_response_type", "response_type must be code")
    check_allowed(client, AUTHORIZATION_CODE)
    challenge = given.get("code_challenge", "")
    if given.get("code_challenge_method") != "S256" or _CHALLENGE(challenge) is None:
        refuse("invalid_request", "code_challenge must be there, with code_challenge_method S256")
    check_resource(given, resource)
    scopes = asked(given.get("scope"), client.scopes, known)
    return AuthorizationRequest(client, uri, scopes, given.get("state"), challenge, given.get("resource"))


def asked(text: str | None, allowed: Iterable[str], known: Scopes) -> tuple[Scope, ...]:
    """The scopes of a ``scope``, which are among those allowed; all of those, if it is not there."""
    there = known.named(allowed)
    wanted = {scope.name for scope in there} if text is None else set(text.split(" "))
    if not wanted or not wanted <= {scope.name for scope in there}:
        refuse("invalid_scope", "scope names one that there is not, or that is not allowed here")
    return known.named(wanted)


def left(given: Iterable[str] | None, asked_for: tuple[Scope, ...]) -> tuple[str, ...]:
    """The names of those scopes that the user agrees to; :class:`ValueError` for none, and for others."""
    names = tuple(scope.name for scope in asked_for)
    if given is None:
        return names
    if isinstance(given, str):
        raise ValueError("expected a list of scopes, got a text")
    agreed = set(given)
    if not agreed or not agreed <= set(names):
        raise ValueError("expected at least one of the scopes that were asked for, and no other")
    return tuple(name for name in names if name in agreed)


# The forms of the other endpoints.


def required(form: Mapping[str, str], name: str) -> str:
    """The value of a field that must be there, and not empty."""
    value = form.get(name)
    if not isinstance(value, str) or not value:
        refuse("invalid_request", f"{name} must be there")
    return value


def grant_type(form: Mapping[str, str]) -> str:
    """What the token is asked by."""
    found = required(form, "grant_type")
    if found not in GRANT_TYPES:
        refuse("unsupported_grant_type", "grant_type must be authorization_code, refresh_token or client_credentials")
    return found


def check_allowed(client: ClientInfo, kind: str) -> None:
    """Whether the client may ask in this way."""
    if kind not in client.grant_types:
        refuse("unauthorized_client", f"the client may not use {kind}")


def check_resource(form: Mapping[str, str], resource: str) -> None:
    """Whether the token is asked for what tokens are for here (RFC 8707)."""
    if form.get("resource") not in (None, "", resource):
        refuse("invalid_target", "resource names another one than this server's")


def credentials(form: Mapping[str, str], authorization: str | None) -> Credentials:
    """Who a client says it is, by ``client_secret_basic`` or ``client_secret_post`` (RFC 6749, section 2.3.1).

    Both together are refused. One that has no secret says its ``client_id`` alone, or leaves the secret empty.
    """
    said, secret = form.get("client_id") or None, form.get("client_secret") or None
    if authorization is None:
        if said is None:
            raise bad_client()
        return Credentials(said, secret)
    given = _basic(authorization)
    if secret is not None or (said is not None and said != given.client_id):
        refuse("invalid_request", "the client proves who it is in two ways")
    return given


def is_secret(client_digest: bytes | None, secret_digest: bytes | None) -> bool:
    """Whether a client that has this secret, or none, has shown it, or none; in time that tells nothing."""
    stands, shown = client_digest or bytes(32), secret_digest or bytes(32)
    same = compare_digest(stands, shown)
    return same and (client_digest is None) == (secret_digest is None)


def is_verifier(verifier: str, challenge: str) -> bool:
    """Whether the challenge was made from this verifier (RFC 7636, section 4.6)."""
    if _VERIFIER(verifier) is None:
        return False
    made = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=")
    return compare_digest(made, challenge.encode())


def _basic(authorization: str) -> Credentials:
    found = _BASIC(authorization) if len(authorization) <= _CREDENTIALS else None
    try:
        text = base64.b64decode(found[1], validate=True).decode() if found is not None else ""
        client_id, colon, secret = text.partition(":")
        name, shown = (unquote_plus(each, errors="strict") for each in (client_id, secret))
    except (binascii.Error, ValueError):
        raise bad_client() from None
    if not name or not colon:
        raise bad_client()
    return Credentials(name, shown or None)
