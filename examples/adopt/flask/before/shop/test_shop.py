"""What the shop promises."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from . import create_app

QUICK = "pbkdf2:sha256:1"  # no secret is kept by it here
ANN = {"name": "ann", "password": "a long password"}


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    client = create_app(tmp_path, "only for tests", hashing=QUICK).test_client()
    client.post("/users", data=ANN)
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


def test_but_a_copied_cookie_outlives_it(client: FlaskClient) -> None:
    client.post("/login", data=ANN)
    copied = client.get_cookie("session")
    assert copied is not None
    client.post("/logout")
    client.set_cookie("session", copied.value)
    assert client.get("/cart").json == {"user": "ann", "cart": []}
