"""What the shop promises."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from . import create_app

QUICK = "pbkdf2:sha256:1"  # no secret is kept by it here
ANN = {"name": "ann", "password": "a long password"}
COOKIE = "__Host-session"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(tmp_path, "only for tests, and 32 characters long", "memory://", hashing=QUICK)
    yield app
    app.extensions["visits"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    client = browser(app)
    client.post("/users", data=ANN)
    return client


def browser(app: Flask) -> FlaskClient:
    """A browser of its own: the session's cookie is sent over HTTPS alone."""
    client = app.test_client()
    client.environ_base["wsgi.url_scheme"] = "https"
    return client


def test_a_cart_is_kept(client: FlaskClient) -> None:
    client.post("/cart", data={"poster": "Gala"})
    client.post("/login", data=ANN)
    assert client.get("/cart").json == {"user": "ann", "cart": ["Gala"]}


def test_a_wrong_password_is_refused(client: FlaskClient) -> None:
    assert client.post("/login", data=ANN | {"password": "guessed"}).status_code == 403


def test_a_logout_forgets(client: FlaskClient) -> None:
    client.post("/login", data=ANN)
    client.post("/logout")
    assert client.get("/cart").json == {"user": None, "cart": []}


def test_and_a_copied_cookie_is_worth_nothing(client: FlaskClient) -> None:
    client.post("/login", data=ANN)
    copied = client.get_cookie(COOKIE)
    assert copied is not None
    client.post("/logout")
    client.set_cookie(COOKIE, copied.value)
    assert client.get("/cart").json == {"user": None, "cart": []}


def test_a_login_has_a_new_cookie(client: FlaskClient) -> None:
    client.post("/cart", data={"poster": "Gala"})
    before = client.get_cookie(COOKIE)
    client.post("/login", data=ANN)
    assert before is not None
    assert client.get_cookie(COOKIE) != before


def test_every_device_can_be_logged_out(app: Flask, client: FlaskClient) -> None:
    other = browser(app)
    for each in (client, other):
        each.post("/login", data=ANN)
    client.post("/logout-everywhere")
    assert [each.get("/cart").json["user"] for each in (client, other)] == [None, None]  # type: ignore[index]  # JSON


def test_passwords_cannot_be_tried_for_long(client: FlaskClient) -> None:
    answers = [client.post("/login", data=ANN | {"password": f"guess {n}"}).status_code for n in range(7)]
    assert answers == [403] * 5 + [429] * 2
