"""What is wrong with an input is told in the client's language, and the answer says so."""

from __future__ import annotations

import pytest

from postrmagic_core.validation.messages_de import GERMAN
from tests.app.house import House


@pytest.mark.parametrize(
    ("asked", "language", "message"),
    [
        (None, "en", "is required"),
        ("de-AT, en;q=0.5", "de", "fehlt"),
        ("fr", "en", "is required"),
        ("junk;;q=x", "en", "is required"),
    ],
)
def test_errors_are_told_in_the_client_s_language(house: House, asked: str | None, language: str, message: str) -> None:
    """By ``Accept-Language``; codes and pointers stay the same."""
    headers = {} if asked is None else {"Accept-Language": asked}
    answer = house.browser(None).post("/api/v1/login", json={"name": "ann"}, headers=headers)
    assert (answer.status_code, answer.headers["content-language"]) == (422, language)
    assert "accept-language" in answer.headers["vary"].lower()
    assert answer.json()["errors"] == [{"pointer": "/password", "code": "missing", "message": message}]


def test_a_name_that_is_taken_is_told_in_the_client_s_language(house: House) -> None:
    """The database was asked; the words are the form's."""
    sent = {"name": "demo", "password": "correct horse battery staple"}
    answer = house.browser(None).post("/api/v1/signup", json=sent, headers={"Accept-Language": "de"})
    assert (answer.status_code, answer.headers["content-language"]) == (422, "de")
    assert answer.json()["errors"] == [{"pointer": "/name", "code": "unique.taken", "message": GERMAN["unique.taken"]}]


def test_what_has_one_language_only_is_not_labelled(house: House) -> None:
    """Why a password is too easy is told in English, whoever asks."""
    sent = {"name": "ann", "password": "passwordpassword"}
    answer = house.browser(None).post("/api/v1/signup", json=sent, headers={"Accept-Language": "de"})
    assert answer.json()["errors"][0]["code"] == "password.common"
    assert "content-language" not in answer.headers
