"""What a signed token costs to verify beside other libraries, to issue, and to ask another server about.

Each library verifies the same token with the same key, loaded before, and is asked for the same claims. A token is
issued to a client for itself, by an authorization server on an SQLite file: the client is proved, the grant written.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.security.access import Access, Role, Roles
from postrmagic_core.security.oauth import AuthorizationServer, Introspector, Scope, Scopes, ServerTerms
from postrmagic_core.security.signed_tokens import SigningKey, SigningKeys, TokenVerifier
from postrmagic_core.security.tables import metadata

from . import _tokens_peers as peers
from ._harness import Bench, Case
from ._tokens_peers import AUDIENCE, ISSUER

TAKES: frozenset[str] = frozenset()
HEADLINE: Final = "EdDSA"
ALGORITHMS: Final = (HEADLINE, "ES256", "RS256", "HS256")
_OURS, _PYJWT, _JOSERFC, _AUTHLIB = "verifier", "PyJWT", "joserfc", "Authlib"
_MASTER = base64.b64encode(bytes(range(40))).decode()


def run(bench: Bench) -> None:
    """Report every figure."""
    for algorithm in ALGORITHMS:
        validated(bench, algorithm)
    issued(bench)
    introspected(bench)


def validated(bench: Bench, algorithm: str) -> None:
    """``validate_time_ratio``: the verifier's time over PyJWT's, of an EdDSA token; of others behind a dot."""
    key, public = made(algorithm)
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "7", "client_id": "reader", "jti": "01J0", "iat": now}
    token = SigningKeys([key]).sign(claims | {"exp": now + 86_400, "scope": "media.read media.write", "grant": "g1"})
    ours = TokenVerifier(SigningKeys([key]), issuer=ISSUER, audience=AUDIENCE, algorithms=[algorithm])
    cases = [
        Case(_OURS, partial(_good, partial(ours.verify, token))),
        Case(_PYJWT, partial(_good, peers.pyjwt(token, algorithm, public))),
    ]
    jwk = key.jwk() or {"kty": "oct", "kid": key.id, "k": base64.urlsafe_b64encode(public).decode().rstrip("=")}
    theirs: dict[str, Callable[..., Callable[[], object]]] = {_JOSERFC: peers.joserfc, _AUTHLIB: peers.authlib}
    for name, load in theirs.items():
        if name == _AUTHLIB and algorithm == HEADLINE:
            continue  # it refuses them
        verified = bench.peer(name, partial(load, token, algorithm, jwk))
        if verified is not None:
            cases.append(Case(name, partial(_good, verified)))
    found = bench.pair(f"a token of {algorithm}", cases, rounds=bench.repeats(60, 10), calls=5, batch=100)
    ending = "" if algorithm == HEADLINE else f".{algorithm.lower()}"
    bench.figure(f"validate_time_ratio{ending}", found.time_ratio(_OURS, _PYJWT))
    bench.figure(f"validate_us{ending}", found[_OURS].median * 1e6)


def issued(bench: Bench) -> None:
    """``token_issue_ms``: an answer of the token endpoint's to ``client_credentials``, committed."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        database = opened.enter_context(DatabaseManager(f"sqlite:///{folder / 'app.db'}"))
        with database.write() as tx:
            metadata.create_all(tx.connection)
        access = opened.enter_context(Access(Roles([Role("editor", allow=["media:*"])]), database))
        scopes = Scopes([Scope("media.read", ["media:read"], "See your posters")])
        server = opened.enter_context(
            AuthorizationServer(database, access, KeyRing([_MASTER]), terms=ServerTerms(ISSUER), scopes=scopes)
        )
        client = server.clients.add("nightly", scopes=["media.read"], grant_types=["client_credentials"])
        told = base64.b64encode(f"{client.info.id}:{client.secret}".encode()).decode()
        ask = partial(server.token, {"grant_type": "client_credentials"}, authorization=f"Basic {told}")
        token = ask()["access_token"]
        cases = [
            Case("issue", ask),
            Case("verify, the grant looked up", partial(_good, partial(server.verify, token))),
        ]
        found = bench.pair("at the authorization server", cases, rounds=bench.repeats(40, 5), calls=20)
        bench.figure("token_issue_ms", found["issue"].median * 1e3)


def introspected(bench: Bench) -> None:
    """``introspect_cached_us``: what another server said of a token before; in the table, one that is asked about."""
    with ExitStack() as opened:
        url = opened.enter_context(answering({"active": True, "iss": ISSUER, "sub": "7", "scope": "media.read"}))
        known, asking = (
            opened.enter_context(Introspector(url, issuer=ISSUER, client_id="api", secret="x" * 40, max_age=age))
            for age in (30.0, 0.0)
        )
        token = "A" * 400
        cases = [Case("cached", partial(_good, partial(known.verify, token)))]
        found = bench.pair("what another server said", cases, rounds=bench.repeats(60, 10), calls=5, batch=200)
        bench.figure("introspect_cached_us", found["cached"].median * 1e6)
        cases = [Case("asked over HTTP on this machine", partial(_good, partial(asking.verify, token)))]
        bench.pair("what another server says", cases, rounds=bench.repeats(20, 3), calls=20)


def made(algorithm: str) -> tuple[SigningKey, Any]:
    """A new key, and what other libraries verify its tokens with: a public key of `cryptography`, or a secret."""
    if algorithm == "HS256":
        return SigningKey.from_secret(_MASTER), _MASTER.encode()
    private: Any
    if algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
    elif algorithm == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
    else:
        private = rsa.generate_private_key(65537, 3072)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKey.from_pem(pem), private.public_key()


@contextmanager
def answering(document: dict[str, Any]) -> Iterator[str]:
    """The URL of a server on this machine that answers each POST with this."""
    body = json.dumps(document).encode()

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/introspect"
        finally:
            server.shutdown()
            thread.join()


def _good(verify: Callable[[], object]) -> None:
    if verify() is None:
        raise AssertionError("the token was expected to be good")


if __name__ == "__main__":
    from .__main__ import main

    raise SystemExit(main(["run", "tokens", *sys.argv[1:]]))
