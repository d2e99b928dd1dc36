"""The authorization server's endpoints for programs: token, revocation, introspection, keys and metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

from ..errors import BackendError, ConfigurationError, OAuthRefused
from ..log import get_logger
from ..security.checks import TOKEN_LENGTH
from .idempotency import HEADER, key_of
from .interface import AsyncLayer, Middleware, Request, Response
from .order import middleware
from .pipeline_request import of_pipeline

if TYPE_CHECKING:
    from ..security.oauth import AuthorizationServer, Endpoints

log = get_logger("postrmagic_core.middleware.oauth_endpoints")

MAX_BYTES: Final = 16_384
_PAIRS = 32
_NAME, _VALUE = 64, TOKEN_LENGTH  # characters; the longest value is a token
_CREDENTIALS = 4096  # characters of Authorization
_FORM = "application/x-www-form-urlencoded"
_WELL_KNOWN = "/.well-known/oauth-authorization-server"  # RFC 8414, section 3
_BASE = re.compile(r"(?:/[A-Za-z0-9._~-]+)*").fullmatch
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})").search
_UNFIT = re.compile(r"[^ !#-\[\]-~]")  # for error_description: RFC 6749, section 5.2

_JSON = {"content-type": "application/json"}
_NEVER = _JSON | {"cache-control": "no-store", "pragma": "no-cache"}  # RFC 6749, section 5.1
_SHORTLY = _JSON | {"cache-control": "public, max-age=300"}
_BASIC = {"www-authenticate": 'Basic realm="oauth", charset="UTF-8"'}

_Answer: TypeAlias = Callable[[Request], Awaitable[Response]]


class _Route(NamedTuple):
    methods: tuple[str, ...]
    answer: _Answer


def oauth_endpoints(
    server: AuthorizationServer,
    *,
    base: str = "/oauth",
    endpoints: Endpoints | None = None,
    inside: Collection[str] = ("rate_limit", "concurrency_limit"),
) -> Middleware:
    """Answer what programs ask the authorization server.

    POST ``{base}/token`` (RFC 6749, section 3.2), ``{base}/revoke`` (RFC 7009) and ``{base}/introspect`` (RFC 7662),
    GET ``{base}/jwks.json`` (RFC 7517) and the metadata of RFC 8414, at its well-known path. ``{base}/authorize`` is
    for people: a page of the application, with its session. ``base`` is the path as requests have it here; the metadata
    says ``{issuer}{base}/…`` unless ``endpoints`` say otherwise.

    Forms alone are read: UTF-8, at most 16 KiB and 32 parameters, none twice and none in the URL; whatever else is
    ``invalid_request``, as JSON (RFC 6749, section 5.2). An ``Idempotency-Key`` is the request's id by which a client
    whose answer was lost may refresh again. A backend that is away is 503, ``temporarily_unavailable``.

    It stands outside ``sessions``, ``csrf`` and ``authentication``, whose business a client's credentials are not, and
    inside ``errors`` and the limits that ``inside`` names: by their names, those of which ``by`` needs no identity. Let
    one limit the token endpoint by address. Pages of other origins, such as public clients that run in a browser, may
    read the answers if ``cors`` lets them: its ``methods`` are GET and POST, and ``idempotency-key`` is among its
    ``headers`` where they send one. Without, no page may.
    """
    if _BASE(base) is None:
        raise ConfigurationError(f"oauth_endpoints: expected base to be a path such as /oauth, got {base!r}")
    routes = _routes(server, base, endpoints)

    @middleware(
        name="oauth_endpoints",
        after=["errors", "cors", "header_limits", "body_limit", "time_limits", *inside],
        before=["sessions", "csrf", "authentication", "authorization", "idempotency"],
    )
    async def layer(request: Request) -> AsyncLayer:
        route = routes.get(request.path)
        if route is None:
            return
        if request.method not in route.methods:
            refused = OAuthRefused("invalid_request", "this endpoint is not asked by this method", status=405)
            yield _refusal(refused, {"allow": ", ".join(route.methods)})
            return
        yield await _answered(route, request)

    return layer


async def _answered(route: _Route, request: Request) -> Response:
    try:
        return await route.answer(request)
    except OAuthRefused as error:
        return _refusal(error)
    except BackendError as error:
        log.warning("the authorization server cannot answer", error=type(error).__qualname__, code=error.code)
        told = OAuthRefused("temporarily_unavailable", "try again shortly", status=503)
        return _refusal(told, {"retry-after": "1"})


def _routes(server: AuthorizationServer, base: str, endpoints: Endpoints | None) -> dict[str, _Route]:
    async def token(request: Request) -> Response:
        form, who = await _form(request), _authorization(request)
        given = request.headers.get_all(HEADER)
        request_id = key_of(given) if given else None
        if given and request_id is None:
            raise OAuthRefused("invalid_request", "expected one Idempotency-Key of 1 to 255 visible ASCII characters")
        told = await request.face(server).token(form, authorization=who, request_id=request_id)
        return _told(told, _NEVER)

    async def revoke(request: Request) -> Response:
        form, who = await _form(request), _authorization(request)
        await request.face(server).revoke(form, authorization=who)
        return Response(200, headers={"cache-control": "no-store", "pragma": "no-cache"})

    async def introspect(request: Request) -> Response:
        form, who = await _form(request), _authorization(request)
        return _told(await request.face(server).introspect(form, authorization=who), _NEVER)

    async def jwks(request: Request) -> Response:
        return _told(server.jwks(), _SHORTLY)

    async def metadata(request: Request) -> Response:
        return _told(server.metadata(endpoints or _default(server, base)), _SHORTLY)

    post, get = ("POST",), ("GET", "HEAD")
    return {
        f"{base}/token": _Route(post, token),
        f"{base}/revoke": _Route(post, revoke),
        f"{base}/introspect": _Route(post, introspect),
        f"{base}/jwks.json": _Route(get, jwks),
        _WELL_KNOWN + urlsplit(server.terms.issuer).path: _Route(get, metadata),
    }


def _default(server: AuthorizationServer, base: str) -> Endpoints:
    from ..security.oauth import Endpoints

    return Endpoints.under(server.terms.issuer, base)


def _told(document: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    return Response(200, json.dumps(document, separators=(",", ":")).encode(), headers)


def _refusal(error: OAuthRefused, headers: Mapping[str, str] | None = None) -> Response:
    told = {"error": error.error, "error_description": _UNFIT.sub("?", error.description)}
    # For whichever way the client came: Basic is one of those that the endpoint takes (RFC 6749, section 5.2).
    own = _NEVER | (_BASIC if error.status == 401 else {})
    return Response(error.status, json.dumps(told, separators=(",", ":")).encode(), own | dict(headers or {}))


def _authorization(request: Request) -> str | None:
    given = request.headers.get_all("authorization")
    if len(given) > 1 or any(len(each) > _CREDENTIALS for each in given):
        raise OAuthRefused("invalid_request", "expected one Authorization header at most, and no longer than need be")
    return given[0] if given else None


async def _form(request: Request) -> dict[str, str]:
    """The parameters of the body; :class:`OAuthRefused` for whatever could be read in two ways, or is too much."""
    kinds = request.headers.get_all("content-type")
    kind, _, options = (kinds[0] if len(kinds) == 1 else "").partition(";")
    charset = options.strip().lower().replace('"', "")
    if kind.strip().lower() != _FORM or charset not in ("", "charset=utf-8"):
        raise OAuthRefused("invalid_request", f"expected a body of {_FORM} in UTF-8")
    if request.query:
        raise OAuthRefused("invalid_request", "parameters go into the body: a URL ends up in logs")
    too_large = OAuthRefused("invalid_request", f"expected a body of at most {MAX_BYTES} bytes", status=413)
    if request.content_length > MAX_BYTES:
        raise too_large
    body = await request.read_body(MAX_BYTES)
    if body is None:
        if of_pipeline(request).ahead[-1]["type"] != "http.request":
            raise OAuthRefused("invalid_request", "the body did not arrive whole")
        raise too_large
    return parsed_form(body)


def parsed_form(body: bytes) -> dict[str, str]:
    """The parameters of a form, each once; those without a value are left out (RFC 6749, section 3.2).

    :class:`OAuthRefused` for one that stands twice, too many or too long ones, and what is no UTF-8.
    """
    pairs = body.split(b"&") if body else []
    if len(pairs) > _PAIRS:
        raise OAuthRefused("invalid_request", f"expected at most {_PAIRS} parameters")
    found: dict[str, str] = {}
    for pair in pairs:
        if not pair:
            continue
        raw_name, _, raw_value = pair.partition(b"=")
        name, value = _decoded(raw_name), _decoded(raw_value)
        if not 0 < len(name) <= _NAME or len(value) > _VALUE:
            raise OAuthRefused("invalid_request", "a parameter is too long, or has no name")
        if name in found:
            raise OAuthRefused("invalid_request", "a parameter stands twice")
        found[name] = value
    return {name: value for name, value in found.items() if value}


def _decoded(raw: bytes) -> str:
    plain = raw.replace(b"+", b" ")
    try:
        text = unquote_to_bytes(plain).decode() if _BROKEN_ESCAPE(plain) is None else "\0"
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise OAuthRefused("invalid_request", "a parameter is no text in UTF-8, or holds NUL")
    return text
