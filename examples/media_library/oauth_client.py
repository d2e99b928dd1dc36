"""A program of somebody else's: it asks a user to let it see their posters, lists them, and ends its access again.

    python -m media_library.oauth_client --issuer http://127.0.0.1:8000 --client-id ID

It runs on the user's own device, so it has no secret (RFC 8252): the client is registered as a public one, with the
redirect URI ``http://127.0.0.1/back`` and the grant types ``authorization_code`` and ``refresh_token``. The protocol is
Authlib's; nothing of the media library is imported. It needs ``pip install authlib requests``.
"""

from __future__ import annotations

import argparse
import hmac
import sys
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from authlib.common.security import generate_token  # type: ignore[import-untyped]  # ships no types
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]  # ships no types
from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]  # ships no types

_PATIENCE = 30.0  # seconds for each answer of the server
_LOOPBACK = {"127.0.0.1", "::1"}
_PAGE = b"<!doctype html><title>Done</title><p>You can close this window and go back to the program."


class Stopped(Exception):
    """What went wrong, as the user is told."""


@dataclass
class Redirect:
    """A port of this device, to which the browser brings the answer."""

    port: int
    wait: float
    answer: dict[str, str] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        """Where the browser is to go: any port does of a loopback address (RFC 8252, section 7.3)."""
        return f"http://127.0.0.1:{self.port}/back"


@contextmanager
def listening(port: int, wait: float) -> Iterator[tuple[Redirect, HTTPServer]]:
    """A server for that one request; ``port`` 0 takes a free one, and ``wait`` is in seconds."""
    redirect = Redirect(port, wait)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            known = parts.path == "/back"
            if known:
                redirect.answer = dict(parse_qsl(parts.query))
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            # The code stands in the address: it goes nowhere from here.
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()
            self.wfile.write(_PAGE if known else b"")

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: a request's line holds the code."""

    with HTTPServer(("127.0.0.1", port), Handler) as server:
        redirect.port = server.server_port
        server.timeout = 1.0
        yield redirect, server


def discover(issuer: str) -> dict[str, Any]:
    """Where the server's endpoints are (RFC 8414); :class:`Stopped` where it speaks for somebody else."""
    parts = urlsplit(issuer)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise Stopped(f"{issuer} is no https:// address")
    url = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path}"
    answer = requests.get(url, timeout=_PATIENCE)
    if answer.status_code != 200:
        raise Stopped(f"{issuer} is no authorization server: {answer.status_code} at {url}")
    metadata: dict[str, Any] = answer.json()
    if metadata.get("issuer") != issuer:
        raise Stopped(f"expected the issuer {issuer}, and {url} says {metadata.get('issuer')}")
    return metadata


def authorize(session: Any, metadata: Mapping[str, Any], redirect: Redirect, server: HTTPServer, browser: bool) -> str:
    """Ask the user; the code verifier that belongs to the answer."""
    session.redirect_uri = redirect.uri
    verifier: str = generate_token(64)
    url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
    print(f"Open this address, and allow it:\n\n  {url}\n", flush=True)
    if browser:
        webbrowser.open(url)
    left = redirect.wait
    while not redirect.answer and left > 0:
        server.handle_request()
        left -= server.timeout or 0
    answer = redirect.answer
    if not answer:
        raise Stopped("nobody answered")
    # Whoever made the browser come here without having been asked to, or another server in the place of this one.
    if not hmac.compare_digest(answer.get("state", "").encode(), state.encode()):
        raise Stopped("the answer is to no question of ours: its state is another")
    if answer.get("iss") != metadata["issuer"]:
        raise Stopped("the answer is of another server: see its iss (RFC 9207)")
    if "error" in answer:
        raise Stopped(f"it was not allowed: {answer['error']}")
    return verifier


def posters(session: Any, api: str) -> Iterator[str]:
    """The titles, page by page."""
    after: str | None = None
    while True:
        answer = session.get(f"{api}/media", params={"after": after} if after else {}, timeout=_PATIENCE)
        if answer.status_code != 200:
            raise Stopped(f"{answer.status_code}: {answer.json().get('title')}")
        page = answer.json()
        yield from (medium["title"] for medium in page["data"])
        after = page["next"]
        if not after:
            return


def use(session: Any, metadata: Mapping[str, Any], api: str) -> None:
    """List what there is, with the first access token and with the next."""
    titles = list(posters(session, api))
    print(f"{len(titles)} posters:", *titles, sep="\n  ")
    # It would come by itself, once the access token is about to end.
    session.refresh_token(metadata["token_endpoint"], timeout=_PATIENCE)
    print(f"With a new access token: {len(list(posters(session, api)))} posters.")


def run(options: argparse.Namespace) -> None:
    """All of it; :class:`Stopped` says why not."""
    metadata = discover(options.issuer)
    # Without a secret it authenticates by none, and PKCE is what binds the code to it.
    session = OAuth2Session(options.client_id, scope=options.scope, code_challenge_method="S256")
    with listening(options.port, options.wait) as (redirect, server):
        verifier = authorize(session, metadata, redirect, server, options.browser)
    token = session.fetch_token(
        metadata["token_endpoint"], code=redirect.answer["code"], code_verifier=verifier, timeout=_PATIENCE
    )
    # The user may have left some out: what is asked for later must not be more.
    session.scope = token["scope"]
    print(f"Allowed: {token['scope']}")
    try:
        use(session, metadata, options.api or f"{options.issuer}/api/v1")
    finally:
        # Of the whole access: with the refresh token all access tokens end.
        last = session.token["refresh_token"]
        session.revoke_token(metadata["revocation_endpoint"], last, "refresh_token", timeout=_PATIENCE)
    print("Its access is ended.")


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 when all went well."""
    about = "List the posters of a user who allows it. The client must be registered as a public one."
    parser = argparse.ArgumentParser("oauth_client", description=about)
    parser.add_argument("--issuer", required=True, help="the authorization server, such as http://127.0.0.1:8000")
    parser.add_argument("--client-id", required=True, help="as its operator registered it")
    parser.add_argument("--scope", default="media.read", help="what is asked for (default: %(default)s)")
    parser.add_argument("--api", help="the interface (default: /api/v1 of the issuer)")
    parser.add_argument("--port", type=int, default=0, help="on which the answer is awaited (default: a free one)")
    parser.add_argument("--wait", type=float, default=300.0, help="seconds for the user (default: %(default)g)")
    parser.add_argument(
        "--browser", action=argparse.BooleanOptionalAction, default=True, help="open a browser at the address"
    )
    try:
        run(parser.parse_args(arguments))
    except (Stopped, OAuthError, requests.RequestException) as error:
        print(f"oauth_client: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
