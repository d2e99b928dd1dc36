"""Loaded by Schemathesis: who calls, and what no schema can say — a password, a code of now, an id that there is.

What the application begins with stands in the file ``FUZZING_FACTS``; ``FUZZING_CALLER`` says who calls, and how often
each operation was answered with which status goes to the file ``FUZZING_COUNTS``.
"""

from __future__ import annotations

import base64
import hmac
import itertools
import json
import os
import re
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import AcceptedNegativeData

FACTS = json.loads(Path(os.environ["FUZZING_FACTS"]).read_text())
CALLER = os.environ["FUZZING_CALLER"]
COUNTS = Path(os.environ["FUZZING_COUNTS"])
TAKEN = COUNTS.with_name("names.json")  # by this run and those before it
BASE, PASSWORD = FACTS["base"], FACTS["password"]
IMAGES = {kind: [base64.b64decode(one) for one in told] for kind, told in FACTS["images"].items()}
COOKIE, DEVICE = "__Host-session", "__Host-device"
PATIENCE = 30.0
MANY = 20  # access tokens: fewer than an account may have
_OWN = {"Sec-Fetch-Site": "same-origin"}
_LOGGED_IN = {"user": "demo", "administrator": "keeper"}
_numbers = itertools.count(1)


def address() -> str:
    """Another client's address each time: limits by address stay on, and none is met."""
    number = next(_numbers)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


class Visitor:
    """The session of one account, made anew whenever it has ended.

    ``devices`` tells by account what its device is known by: it is no stranger, whose logins are counted together.
    """

    devices: ClassVar[dict[str, str]] = {}

    def __init__(self, name: str) -> None:
        self.name = name
        self.cookie: str | None = None

    def alive(self) -> str:
        """The session's cookie."""
        if self.cookie is None:
            self.send("POST", "/login", {"name": self.name, "password": PASSWORD})
        assert self.cookie is not None
        return self.cookie

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """What a request beside the run is answered with: its data."""
        return self.ask(method, path, body, **options).get("data")

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> dict[str, Any]:
        """The whole answer; empty where there is none."""
        cookies = {COOKIE: self.cookie, DEVICE: self.devices.get(self.name)}
        sent = "; ".join(f"{name}={value}" for name, value in cookies.items() if value)
        headers = {**_OWN, "X-Forwarded-For": address(), "Cookie": sent}
        answer = requests.request(method, BASE + path, json=body, headers=headers, timeout=PATIENCE, **options)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        self.keep(answer.headers.get("set-cookie", ""))
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def keep(self, told: str) -> None:
        """Take the cookie of an answer in the place of the one before."""
        if found := re.search(rf"{COOKIE}=([^;]*)", told):
            self.cookie = found[1] or None
        if found := re.search(rf"{DEVICE}=([^;]*)", told):
            self.devices[self.name] = found[1]


VISITOR = Visitor(_LOGGED_IN.get(CALLER, "demo"))
_token: list[str] = []
_given: set[str] = set()  # what was said of ourselves: other credentials are the run's own tries


def new_token() -> dict[str, Any]:
    """An access token of the visitor's; one of those before makes room where there are many."""
    VISITOR.alive()
    held = VISITOR.send("GET", "/tokens")
    if len(held) >= MANY:
        VISITOR.send("DELETE", f"/tokens/{held[-1]['id']}")
    issued: dict[str, Any] = VISITOR.send("POST", "/tokens", {"name": "fuzzing", "password": PASSWORD})
    return issued


@schemathesis.auth(refresh_interval=None)
class Caller:
    """Says who calls, where the document asks for it."""

    def get(self, case: Any, context: Any) -> str | None:
        """The cookie, or the token; ``None``: nobody."""
        if CALLER == "nobody":
            return None
        if CALLER == "token":
            if not _token:
                _token.append(new_token()["token"])
            return _token[0]
        return VISITOR.alive() if _needs_session(context.operation) else None

    def set(self, case: Any, data: str, context: Any) -> None:
        """Put it where the document says."""
        if CALLER == "token":
            case.headers["Authorization"] = f"Bearer {data}"
        else:
            case.cookies[COOKIE] = data
            _given.add(data)


def _needs_session(operation: Any) -> bool:
    return bool(operation.definition.raw.get("security")) or _name(operation) in {"show_me", "log_out"}


def _name(operation: Any) -> str:
    return str(operation.definition.raw["operationId"])


# What JSON Schema names by a format.
_LETTERS = st.characters(min_codepoint=0x20, max_codepoint=0x24F, categories=["L", "N"])
schemathesis.openapi.format("password", st.just(PASSWORD))
schemathesis.openapi.format("tag", st.text(_LETTERS | st.sampled_from("-_+.#&'"), min_size=1, max_size=20))
schemathesis.openapi.format(
    "printable-text",
    st.text(st.characters(codec="utf-8").filter(str.isprintable), min_size=1, max_size=64).filter(str.strip),
)
for media_type, images in IMAGES.items():
    schemathesis.openapi.media_type(media_type, st.sampled_from(images))
schemathesis.openapi.format("cursor", st.just("the next of an earlier page"))


def code_of(secret: str) -> str:
    """What an authenticator app shows now (RFC 6238)."""
    key = base64.b32decode(secret.replace(" ", ""))
    digest = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30), "sha1")
    start = digest[-1] & 15
    return f"{(struct.unpack_from('>I', digest, start)[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def enrolled() -> str:
    """The first code of a second factor that waits for it."""
    return code_of(VISITOR.send("POST", "/account/factor", {"password": PASSWORD})["secret"])


def _confirm(case: Any) -> None:
    case.body["code"] = enrolled()


def _recover(case: Any) -> None:
    VISITOR.send("POST", "/account/factor/confirm", {"code": enrolled()})


def _second_step(case: Any) -> None:
    if FACTS["recovery_codes"]:
        pending = Visitor("guarded")
        pending.send("POST", "/login", {"name": "guarded", "password": PASSWORD})
        case.cookies[COOKIE] = pending.cookie
        case.body = {"recovery_code": FACTS["recovery_codes"].pop()}


def _device(case: Any) -> None:
    other = Visitor(VISITOR.name)
    other.alive()
    devices = other.send("GET", "/account/devices")
    case.path_parameters["id"] = next(one["id"] for one in devices if one["current"])


def _revoke(case: Any) -> None:
    case.path_parameters["id"] = new_token()["about"]["id"]


def _asks(case: Any) -> None:
    case.body["query"] = urlencode(FACTS["program"]["asks"])
    if case.body.get("scopes") is not None:
        case.body["scopes"] = [FACTS["program"]["asks"]["scope"]]


def _connected(case: Any) -> None:
    asks = FACTS["program"]["asks"]
    allowed = VISITOR.send("POST", "/authorizations", {"query": urlencode(asks), "allow": True})
    code = parse_qs(urlsplit(allowed["location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": FACTS["program"]["verifier"]}
    form |= {name: asks[name] for name in ("client_id", "redirect_uri")}
    answer = requests.post(BASE.partition("/api/")[0] + "/oauth/token", data=form, timeout=PATIENCE)
    assert answer.ok, answer.text
    case.path_parameters["id"] = VISITOR.send("GET", "/authorizations")[0]["id"]


def _reset(case: Any) -> None:
    if FACTS["resets"]:
        case.body["token"] = FACTS["resets"].pop()


def _medium(case: Any) -> None:
    found = VISITOR.send("GET", "/media?limit=1")
    files = {"file": ("poster.jpeg", IMAGES["image/jpeg"][0])}
    case.path_parameters["id"] = (found[0] if found else VISITOR.send("POST", "/media", files=files))["id"]


def _thumbnail(case: Any) -> None:
    _medium(case)
    until = time.monotonic() + PATIENCE
    while VISITOR.send("GET", f"/media/{case.path_parameters['id']}")["thumbnail"] is None:
        assert time.monotonic() < until, "no worker makes thumbnails"
        time.sleep(0.05)


def _account(case: Any) -> None:
    case.path_parameters["id"] = FACTS["guest"]
    if "role" in case.path_parameters:
        case.path_parameters["role"] = "admin"


# By operation: what makes a valid call find what it is about.
ARRANGED: dict[str, Callable[[Any], None]] = {
    "confirm_factor": _confirm,
    "renew_recovery_codes": _recover,
    "log_in_with_code": _second_step,
    "end_device": _device,
    "revoke_token": _revoke,
    "preview_authorization": _asks,
    "decide_authorization": _asks,
    "revoke_authorization": _connected,
    "reset_password": _reset,
    "show_medium": _medium,
    "change_medium": _medium,
    "delete_medium": _medium,
    "get_file": _medium,
    "get_thumbnail": _thumbnail,
}
OF_ADMINISTRATORS: dict[str, Callable[[Any], None]] = dict.fromkeys(
    ("show_roles", "grant_role", "revoke_role", "explain_permission"), _account
)
if CALLER == "administrator":
    ARRANGED |= OF_ADMINISTRATORS
# A code that is wrong is told as a field's error, and what asks for nothing that there is as a bad request.
ALWAYS = {"confirm_factor", "preview_authorization", "decide_authorization"}
WITH_FACTOR = {"confirm_factor", "renew_recovery_codes"}
counts: dict[str, dict[str, int]] = {}
_turns: dict[str, int] = {}
_taken: set[str] = set(json.loads(TAKEN.read_text()) if TAKEN.exists() else FACTS["names"])


def _is_valid(case: Any) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive and _is_declared(case)


def _is_declared(case: Any) -> bool:
    return bool(case.method.upper() == case.operation.method.upper())


def _follows(case: Any) -> bool:
    """Whether it is a step of a sequence, which knows what was made and deleted before."""
    return bool(case.meta.phase.name.value == "stateful")


def _written_whole(value: Any) -> Any:
    """``value`` with 12 for 12.0: an integer to JSON Schema, and to the application only where no point is written."""
    if isinstance(value, dict):
        return {name: _written_whole(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_written_whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _make_true(case: Any, name: str) -> None:
    """Say what a schema cannot: the password, a name that is free; a cursor is only good for the page it came with."""
    query = case.query
    if case.media_type == "application/json":
        case.body = _written_whole(case.body)
    body = case.body
    if isinstance(body, dict):
        body |= dict.fromkeys(body.keys() & {"password", "current", "new"}, PASSWORD)
    if name == "sign_up" and isinstance(body, dict) and "name" in body:
        while body["name"] in _taken:
            body["name"] = f"newcomer-{CALLER}-{next(_numbers)}"
        _taken.add(body["name"])
        TAKEN.write_text(json.dumps(sorted(_taken)))
    if query and "after" in query:
        del query["after"]
        if CALLER == "administrator" or (CALLER == "user" and name == "list_media"):
            VISITOR.alive()
            told = VISITOR.ask("GET", case.path, params={**query, "limit": 1})
            query |= {"after": told["next"]} if told["next"] else {}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """From an address of its own, by a session that is alive; valid calls find what they are about every other time."""
    name = _name(case.operation)
    case.headers["X-Forwarded-For"] = address()
    if name in OF_ADMINISTRATORS and str(case.path_parameters.get("id")) in map(str, FACTS["kept"]):
        case.path_parameters["id"] = FACTS["guest"]  # or a run takes away its own rights
    if _is_valid(case):
        _make_true(case, name)
        _turns[name] = _turns.get(name, 0) + 1
        if CALLER in _LOGGED_IN and name in ARRANGED and (name in ALWAYS or (_turns[name] % 2 and not _follows(case))):
            VISITOR.alive()
            ARRANGED[name](case)
    if _is_ours(case):
        _given.add(VISITOR.alive())
        case.cookies[COOKIE] = VISITOR.alive()  # a case is made before the calls that end or renew a session
    owner = VISITOR.name if _needs_session(case.operation) else _account_of(case.body)
    if CALLER in _LOGGED_IN and owner in Visitor.devices:
        case.cookies[DEVICE] = Visitor.devices[owner]


def _is_ours(case: Any) -> bool:
    return CALLER in _LOGGED_IN and _needs_session(case.operation) and (case.cookies or {}).get(COOKIE) in _given


def _account_of(body: Any) -> Any:
    name = body.get("name") if isinstance(body, dict) else None
    return name if isinstance(name, str) else None


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Count, go on with the session there is, and put back what was arranged."""
    name = _name(case.operation)
    if _is_declared(case):
        told = counts.setdefault(name, {})
        told[str(response.status_code)] = told.get(str(response.status_code), 0) + 1
        COUNTS.write_text(json.dumps(counts))
    if _is_ours(case):
        VISITOR.keep(", ".join(response.headers.get("set-cookie", [])))
        if response.status_code == 401 or name == "log_out":
            VISITOR.cookie = None
        if name in WITH_FACTOR:
            VISITOR.alive()
            VISITOR.send("POST", "/account/factor/disable", {"password": PASSWORD})


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Without ``default``, so that a status that is not written down is found; without examples that are no bodies."""
    for path in raw_schema["paths"].values():
        for operation in path.values():
            operation["responses"].pop("default", None)
            # An example of a form shows the name of a file in its place, which is no image.
            operation.get("requestBody", {}).get("content", {}).get("multipart/form-data", {}).pop("examples", None)


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a finding is one. A form has texts only: a title that is ``false`` there is the text of it, and valid."""
    title = case.body.get("title", "") if _name(case.operation) == "add_medium" and isinstance(case.body, dict) else ""
    return not (isinstance(failure, AcceptedNegativeData) and isinstance(title, bool | int | float | None))
