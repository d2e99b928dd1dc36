"""Nothing secret reaches a line, whichever way it came."""

from __future__ import annotations

import copy
import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pymysql
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretBytes, SecretStr
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.engine import Connection as Connected

from postrmagic_core.jobs import task
from postrmagic_core.log import bind, configure, get_logger
from postrmagic_core.log.logger import carried
from postrmagic_core.log.looks import MASK, STEPS
from postrmagic_core.log.policy import TEXT, Redactor, is_secret_name, scrub
from postrmagic_core.log.render import console, render_json
from postrmagic_core.stack import Stack
from postrmagic_core.testing import until
from postrmagic_core.testing.capture import embedded_settings
from postrmagic_core.testing.growth import growth

CANARY = "c4n4ry-Xy7"
NOTHING: dict[str, str] = {}
LONG = "c4n4ryXy7" * 5 + "zzzz"
log = get_logger("tests.redaction")
plain = logging.getLogger("tests.plain")


@dataclass
class Config:
    """A careless class: its repr shows everything."""

    password: str
    url: str
    pin: str = CANARY


class Model(BaseModel):
    """A careless model."""

    api_key: str


class Pair(NamedTuple):
    """A tuple with names."""

    name: str
    password: str


class Text(str):
    """Text that is no plain text."""


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
    "words of any text, assigned": lambda: log.info(
        f'sid={CANARY}&otp={CANARY} pass=\'{CANARY} x\' {{"pin": "{CANARY}"}}'
    ),
    "headers as ASGI lists them": lambda: log.info(
        "x", headers=[(b"host", b"h"), (b"authorization", f"Basic {CANARY}".encode()), (b"Cookie", CANARY.encode())]
    ),
    "pairs": lambda: log.info("x", form=[["password", CANARY], ("api_key", [CANARY])]),
    "our tokens": lambda: log.info(
        f"pm_{'a' * 16}_{LONG} pmc_{LONG} pmr_{LONG}", ours=f"pms_{LONG}", cut=f"pms_{LONG[:30]}"
    ),
    "redis pool": lambda: log.info("x", pool=redis.ConnectionPool.from_url(f"redis://u:{CANARY}@h/0")),
    "engine": lambda: log.info("x", engine=create_engine(f"mysql+pymysql://u:{CANARY}@h/d", module=pymysql)),
    "url object": lambda: plain.info("%s %r", make_url(f"mysql://u:{CANARY}@h/d"), make_url(f"mysql://u:{CANARY}@h/d")),
    "tuple with names": lambda: log.info("x", pair=Pair("a", CANARY)),
    "row": lambda: plain.info("%s", _row()),
    "row as a field": lambda: log.info("x", rows=[_row()]),
    "SQL bindings": lambda: _logged(_statement),
    "SQL bindings of the driver": lambda: log.info(f"(1062, \"Duplicate entry '{CANARY}' for key 'users.email'\")"),
    "warning": lambda: warnings.warn(f"token={CANARY}", UserWarning, stacklevel=1),
    "level": lambda: plain.log(25, "x %s", f"token={CANARY}"),
    "logger's name": lambda: get_logger(f"token={CANARY}").info("x"),
    "args and a clean message": lambda: plain.info("%s", f"Bearer {CANARY}"),
    "subclass of str": lambda: log.info(
        Text(f"token={CANARY}"), value=Text(f"token={CANARY}"), **{Text("password"): CANARY}
    ),
    "exception with notes as argument": lambda: plain.info("%s", ValueError(f"session_id={CANARY}")),
    "key error": lambda: _logged(lambda: NOTHING[f"password={CANARY}"]),
}


@contextmanager
def _connected() -> Iterator[Connected]:
    engine = create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()  # else Python 3.13 complains of it, in whichever test comes next


def _row() -> object:
    with _connected() as connection:
        return connection.execute(text("SELECT :a AS password_hash"), {"a": CANARY}).one()


def _statement() -> None:
    with _connected() as connection:
        connection.execute(text("INSERT INTO nowhere VALUES (:a, :b)"), {"a": CANARY, "b": f"]\n(Background {CANARY}"})


def _in_context() -> None:
    with bind(csrf_token=CANARY):
        plain.info("x")


def _logged(action: Callable[[], object]) -> None:
    try:
        action()
    except Exception:
        log.exception("failed")


@pytest.mark.parametrize("shape", ["json", "console"])
@pytest.mark.parametrize("way", WAYS)
def test_a_canary_never_reaches_a_line(way: str, shape: str, configured: Callable[..., Any]) -> None:
    """Given a secret in an argument, a field, an exception, a URL or a repr, it is masked in every format."""
    written, _ = configured(format=shape)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        WAYS[way]()
    assert written.text
    assert CANARY not in written.text
    assert LONG[:20] not in written.text
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


LOOKS = [
    f"password={CANARY}&page=1",
    f"{{'pin': '{CANARY}'}}",
    json.dumps({"body": json.dumps({"password": f"two {CANARY}", "user": "bob"})}),
    json.dumps({"a": json.dumps({"b": json.dumps({"api_key": CANARY})})}),
    json.dumps({"body": json.dumps({"token": ["a", CANARY], "n": 1})}),
    repr({"password": ["a", CANARY]}),
    repr({"password": {"v": ["a]", [CANARY]], "w": CANARY}}),
    f"password=[a, {CANARY}]",
    f"token='a\\\n{CANARY}'",
    f'passwd="""a"{CANARY}"""',
    f"password=f'{CANARY}'",
    f"password=abc,{CANARY}",
    f"password=>'{CANARY}'",
    f"password == '{CANARY}'",
    f"secret:          {CANARY}",
    f"api key: {CANARY}",
    f"run --db-password {CANARY} --verbose",
    f"run --token '{CANARY} {CANARY}'",
    f"['run', '--api-key', '{CANARY}']",
    f"<Password>{CANARY}</Password>",
    f'<wsse:Password Type="x">two {CANARY}</wsse:Password>',
    f"<secret><![CDATA[{CANARY}]]></secret>",
    f'("password", "{CANARY}")',
    f"[(b'authorization', b'Basic {CANARY}')]",
    f"bearer={CANARY}",
    f"mysql://u:123/{CANARY}@h/db",
    f"http://localhost:80/x,mysql://u:{CANARY}@h/db",
    f"-eyJhbGciOiJIUzI1NiJ9.{CANARY}",
]


@pytest.mark.parametrize("text", LOOKS)
def test_a_secret_in_a_text_is_masked_however_it_is_written(text: str) -> None:
    """JSON inside JSON, lists, options, elements, pairs; and once masked it stays as it is."""
    masked = scrub(text)
    assert MASK in masked
    assert CANARY not in masked
    assert scrub(masked) == masked


def test_what_surrounds_a_secret_stays() -> None:
    """A value ends where it is closed, not where the text ends."""
    body = json.dumps({"body": json.dumps({"password": "x", "user": "bob"})})
    assert scrub(body) == body.replace('\\"x\\"', MASK)
    assert scrub("{'token': ['a', ['b']], 'user': 'bob'}") == f"{{'token': {MASK}, 'user': 'bob'}}"
    assert scrub("host=h,password=x,db=0") == f"host=h,password={MASK},db=0"
    assert scrub("redis://u:p@h/0 http://localhost:80/@me") == f"redis://{MASK}@h/0 http://localhost:80/@me"


@pytest.mark.parametrize(
    "text",
    [
        "GET http://localhost:8000/users/@me",
        "listening on http://0.0.0.0:8080",
        "wrote 3 rows in 4.2 ms",
        "the author is Basic",
        "mailto a@example.org",
        "http://cdn.example.org:443/react@18/index.js",
        "usage: login <user> <password> now",
        "--password is required",
        "missing: ['email', 'password', 'name']",
        "loc: ('body', 'password')",
        "eyJust-a-name: x",
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


def test_a_secret_cut_in_half_is_not_shown_without_blanks_either() -> None:
    """Given a compact text, it ends behind a comma or a quote; a URL in which it would end goes as a whole."""
    for login in (f"svc:{CANARY}{CANARY}", f"svc:{CANARY},{CANARY}"):
        url = f"mysql://{login}@db/app"
        for shift in range(len(url) + 60):
            text = "x," * (TEXT // 2) + "y" * 100
            text = text[: TEXT - shift] + "," + url + text
            masked = scrub(text)
            assert CANARY[:4] not in masked
            assert len(masked) <= TEXT
            assert scrub(masked) == masked


def test_no_secret_of_the_context_goes_along() -> None:
    """What jobs and events carry is stored: secret names are left out, what looks like a secret is masked."""
    with bind(session_id=CANARY, api_key=CANARY, note=f"Bearer {CANARY}", plain="x", number=1, long="x" * 201):
        assert carried() == {"note": f"Bearer {MASK}", "plain": "x"}


def test_size_and_depth_are_bounded() -> None:
    """A record is never larger than what its limits multiply to, and a circle in it ends."""
    circle: dict[str, Any] = {}
    circle["self"] = circle
    wide = {str(n): list(range(1000)) for n in range(1000)}
    cleaned = Redactor().clean({"circle": circle, "wide": wide})
    assert "[too deep]" in str(cleaned["circle"])
    assert len(str(cleaned)) < 200_000


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_what_an_engine_echoes_has_no_values(level: int, configured: Callable[..., Any]) -> None:
    """Given SQLAlchemy's own loggers at INFO or DEBUG, statements are shown, bindings and rows are not."""
    written, _ = configured(levels={"sqlalchemy.engine": level})
    with _connected() as connection:
        connection.execute(text("SELECT :a, :b"), {"a": CANARY, "b": CANARY}).all()
    assert "SELECT" in written.text
    assert CANARY not in written.text


def test_a_job_s_arguments_are_not_logged(configured: Callable[..., Any], tmp_path: Path) -> None:
    """Given everything at DEBUG, dramatiq's loggers too: whether the job is done or fails."""
    written, _ = configured(levels={"dramatiq": "DEBUG", "sqlalchemy": "DEBUG"})

    @task(name="canary.run", retries=0)
    def run(ctx: Any, number: int, text: str) -> None:
        if number:
            raise ValueError("failed")

    with Stack(embedded_settings(tmp_path), configure_logging=False) as stack:
        stack.jobs.include(run)
        with stack.worker(threads=1):
            jobs = [stack.jobs.enqueue(run.call(number, CANARY)) for number in (0, 1)]
            until(lambda: {"succeeded", "failed"} == {getattr(stack.jobs.status(job.id), "state", "") for job in jobs})
    assert "canary.run" in written.text
    assert CANARY not in written.text


SECRET_NAMES = st.sampled_from(["password", "X-Api-Key", "accessToken", "set_cookie", "SESSION_ID", "pin", "csrf"])
LEAVES = st.none() | st.integers() | st.text(max_size=8) | st.binary(max_size=8) | st.floats()


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A container of these: secrets under names that say so, and anything under others."""
    secret = st.just(CANARY) | inner.map(lambda value: [CANARY, value])
    return (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=6), inner, max_size=3)
        | st.builds(
            lambda name, value, rest: {**rest, name: value},
            SECRET_NAMES,
            secret,
            st.dictionaries(st.text(max_size=6), inner, max_size=2),
        )
        | st.builds(lambda name, value: (name.encode(), value), SECRET_NAMES, secret)
        | secret.map(lambda value: SecretStr(str(value)))
        | st.builds(lambda name: f"before {name}={CANARY}&after=1", st.sampled_from(["password", "sid", "token"]))
    )


@given(st.recursive(LEAVES, nested, max_leaves=12))
def test_a_canary_planted_anywhere_is_masked(value: Any) -> None:
    """Under a secret name, beside one, in a secret's type or look, however deep: no line has it, nothing changed."""
    before = repr(value)
    cleaned = Redactor().clean({"event": "x", "value": value})
    for render in (render_json, console(colour=True)):
        assert CANARY.encode() not in render(cleaned)
    assert repr(value) == before


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


PUMPS = {
    "schemes": "://",
    "users": "://a:",
    "ports": "http://a:1/",
    "web tokens": "eyJ-------",
    "web tokens' dots": "eyJaaaaaaaa.",
    "quotes": 'token="',
    "escaped quotes": 'token=\\"',
    "lists": "token=['",
    "brackets": "token=[[a",
    "commas": "token=a,",
    "names": "token-",
    "options": "--a",
    "elements": "<token>",
    "pairs": """("token",'""",
    "headers": "cookie:\n",
    "basic": "basic aaa ",
}


@pytest.mark.parametrize("pump", PUMPS)
def test_looking_for_secrets_takes_linear_time(pump: str) -> None:
    """Twice the hostile text takes less than three times as long, also without the cap on its length."""

    def look(size: int) -> None:
        text = PUMPS[pump] * (size // len(PUMPS[pump]))
        for _, step in STEPS:
            text = step(text)

    assert growth(look, 20_000) < 3


@pytest.mark.parametrize("pump", PUMPS)
def test_a_hostile_text_costs_little_more_than_an_honest_one(pump: str) -> None:
    """Of the length that is looked at: what a client sends must not hold up the others."""

    def least(text: str) -> float:
        def once() -> float:
            started = time.thread_time()
            scrub(text)
            return time.thread_time() - started

        return min(once() for _ in range(5))

    hostile = (PUMPS[pump] * TEXT)[:TEXT]
    assert least(hostile) < 5 * least(("key: value, " * TEXT)[:TEXT])


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
