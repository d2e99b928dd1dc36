"""Nothing secret reaches a line, whichever way it came."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretBytes, SecretStr

from postrmagic_core.log import bind, configure, get_logger
from postrmagic_core.log.policy import MASK, TEXT, Redactor, is_secret_name, scrub

CANARY = "c4n4ry-Xy7"
log = get_logger("tests.redaction")
plain = logging.getLogger("tests.plain")


@dataclass
class Config:
    """A careless class: its repr shows everything."""

    password: str
    url: str


class Model(BaseModel):
    """A careless model."""

    api_key: str


class Connection:
    """As drivers once printed their pools."""

    def __repr__(self) -> str:
        return f"<Connection(host=localhost,port=6379,password={CANARY})>"


def _raise(message: str) -> None:
    hunter = CANARY  # noqa: F841 - a local that a traceback must not show
    raise RuntimeError(message)


def _chained() -> None:
    try:
        _raise(f"first: Authorization: Basic {CANARY}Z")
    except RuntimeError as error:
        error.add_note(f"token={CANARY}")
        raise ValueError(f"cannot reach redis://:{CANARY}@db/0") from error


def _grouped() -> None:
    raise ExceptionGroup("all failed", [ValueError(f"secret: {CANARY}"), OSError(f"mysql://root:{CANARY}@h/db")])


WAYS: dict[str, Callable[[], object]] = {
    "field": lambda: log.info("x", password=CANARY),
    "bound": lambda: log.bind(api_key=CANARY).info("x"),
    "nested field": lambda: log.info("x", request={"headers": [{"Set-Cookie": CANARY}, {"X-Api-Key": CANARY}]}),
    "camel case": lambda: log.info("x", accessToken=CANARY, privateKey=CANARY),
    "typed": lambda: log.info("x", value=SecretStr(CANARY), other=[SecretBytes(CANARY.encode())]),
    "number": lambda: log.info("x", pin=int.from_bytes(CANARY.encode())),
    "url": lambda: log.info("x", url=f"https://user:{CANARY}@example.org/"),
    "url with a slash in the password": lambda: log.info("x", url=f"redis://:a/{CANARY}@example.org/0"),
    "url with only a token": lambda: log.info(f"cloning https://{CANARY}@example.org/x.git"),
    "query": lambda: log.info(f"GET /x?page=1&token={CANARY}&y=2"),
    "bearer": lambda: log.info(f"sent Bearer {CANARY}"),
    "basic": lambda: log.info(f"sent Basic {CANARY}="),
    "header in a text": lambda: log.info(f"Cookie: a=1; session={CANARY}"),
    "quoted": lambda: log.info(f'{{"password": "two words {CANARY}", "n": 1}}'),
    "escaped quote": lambda: log.info(f'password="a\\"{CANARY}"'),
    "jwt": lambda: log.info(f"got eyJhbGciOiJIUzI1NiJ9.{CANARY}.{CANARY}"),
    "private key": lambda: log.info(f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----"),
    "bytes": lambda: log.info("x", raw=f"password={CANARY}".encode()),
    "dataclass": lambda: log.info("x", config=Config(CANARY, f"amqp://u:{CANARY}@q")),
    "model": lambda: log.info("x", model=Model(api_key=CANARY)),
    "driver repr": lambda: log.info("x", pool=Connection()),
    "key of a mapping": lambda: log.info("x", table={f"token={CANARY}": 1}),
    "context": lambda: _in_context(),
    "stdlib argument": lambda: plain.info("pool %r", Connection()),
    "stdlib named argument": lambda: plain.info("%(user)s %(password)s", {"user": "bob", "password": CANARY}),
    "stdlib container argument": lambda: plain.info("got %s", {"authorization": CANARY}),
    "stdlib extra": lambda: plain.info("x", extra={"session_id": CANARY, "deep": {"cookie": CANARY}}),
    "stdlib message": lambda: plain.info(f"connecting to mysql://root:{CANARY}@db/app"),
    "stack": lambda: plain.info("x", stack_info=True, extra={"cookie": CANARY}),
    "exception": lambda: _logged(_chained),
    "exception group": lambda: _logged(_grouped),
    "exception as a field": lambda: log.info("x", error=ValueError(f"password={CANARY}")),
    "forgotten quote": lambda: log.info(f"password='{CANARY} and more\\"),
}


def _in_context() -> None:
    with bind(csrf_token=CANARY):
        plain.info("x")


def _logged(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception:
        log.exception("failed")


@pytest.mark.parametrize("shape", ["json", "console"])
@pytest.mark.parametrize("way", WAYS)
def test_a_canary_never_reaches_a_line(way: str, shape: str, configured: Callable[..., Any]) -> None:
    """Given a secret in an argument, a field, an exception, a URL or a repr, it is masked in every format."""
    written, _ = configured(format=shape)
    WAYS[way]()
    assert written.text
    assert CANARY not in written.text
    assert str(int.from_bytes(CANARY.encode())) not in written.text


def test_the_mask_says_that_something_was_there(written: Any) -> None:
    """A masked value is told apart from a missing one: None and booleans are no secrets."""
    log.info("x", password="x", token=None, cookie=False)
    assert (written.last["password"], written.last["token"], written.last["cookie"]) == (MASK, None, False)


def test_further_names_can_be_masked(configured: Callable[..., Any]) -> None:
    """What `redact` names is masked at any depth, whatever its case and punctuation."""
    written, _ = configured(redact=["e-mail"])
    log.info("x", people=[{"Email": "a@example.org", "name": "a"}])
    assert written.last["people"] == [{"Email": MASK, "name": "a"}]


def test_the_callers_objects_stay_as_they_are(written: Any) -> None:
    """Redaction copies: the application goes on with its secrets."""
    value = {"password": CANARY, "list": [{"token": CANARY}], "set": {1}}
    before = copy.deepcopy(value)
    log.info("x", value=value)
    plain.info("%s", value)
    assert value == before


def test_no_local_variable_is_told(written: Any) -> None:
    """A traceback is types, messages, files, lines and functions."""
    _logged(_chained)
    error = written.last["exception"]
    assert error["type"] == "ValueError"
    assert error["cause"]["type"] == "RuntimeError"
    assert set(error["frames"][0]) == {"file", "line", "function"}
    assert error["frames"][-1]["function"] == "_chained"


@pytest.mark.parametrize(
    "text",
    [
        "GET http://localhost:8000/users/@me",
        "listening on http://0.0.0.0:8080",
        "wrote 3 rows in 4.2 ms",
        "the author is Basic",
        "mailto a@example.org",
    ],
)
def test_ordinary_texts_stay_readable(text: str) -> None:
    """What only resembles a secret is left alone."""
    assert scrub(text) == text


@pytest.mark.parametrize("name", ["author", "monkey", "name", "page", "key", "position", "spinner", "compass"])
def test_ordinary_names_stay_readable(name: str) -> None:
    """Names that contain no secret word are shown."""
    assert not is_secret_name(name)


def test_a_secret_cut_in_half_is_not_shown() -> None:
    """A text too long is ended between words, so that half a URL with credentials does not remain."""
    text = "x " * (TEXT // 2 - 10) + f"redis://:{CANARY}{CANARY}@host/0"
    assert CANARY[:4] not in scrub(text)
    assert len(scrub("y" * 100_000)) < TEXT + 100


def test_size_and_depth_are_bounded() -> None:
    """A record is never larger than what its limits multiply to, and a circle in it ends."""
    circle: dict[str, Any] = {}
    circle["self"] = circle
    wide = {str(n): list(range(1000)) for n in range(1000)}
    cleaned = Redactor().clean({"circle": circle, "wide": wide})
    assert "[too deep]" in str(cleaned["circle"])
    assert len(str(cleaned)) < 200_000


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=15,
    ),
    st.sampled_from(["password", "API-Key", "setCookie", "x-access-token"]),
)
def test_any_value_under_a_secret_name_is_masked(value: object, name: str) -> None:
    """Whatever the value, only None and booleans survive under a secret name."""
    cleaned = Redactor().clean({"outer": [{name: value}]})
    (inner,) = cleaned["outer"]
    assert inner == {name: value if value is None or isinstance(value, bool) else MASK}


def test_time_grows_with_the_text_and_not_faster() -> None:
    """Hostile texts cost no more than honest ones of the length (no catastrophic backtracking)."""
    import time

    for hostile in ("://" * 2700, "://a:" * 1600, 'token="' * 1100, "eyJ" * 2700, "password" * 1000, "cookie:" * 1100):
        started = time.thread_time()
        scrub(hostile)
        assert time.thread_time() - started < 1.0, hostile[:10]


def test_redaction_cannot_be_passed_by_an_own_handler(configured: Callable[..., Any], capsys: Any) -> None:
    """A handler that prints is set aside while the configuration holds, and comes back after it."""
    handler = logging.StreamHandler()
    logger = logging.getLogger("tests.own")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        with configure(format="json"):
            logger.warning("password=%s", CANARY)
        assert CANARY not in capsys.readouterr().err
        assert logger.handlers == [handler]
        assert logger.propagate is False
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
