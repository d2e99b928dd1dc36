"""Which new passwords are refused: too short, too long, common, one's own name, leaked; and no others."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.errors import BackendUnavailable, ConfigurationError, MissingExtra, ValidationFailed
from postrmagic_core.security.passwords import PasswordRules, Passwords
from postrmagic_core.security.passwords.common import COMMON, CommonPasswords
from postrmagic_core.security.passwords.policy import FLOOR

EIGHT = PasswordRules(min_length=8)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    """Open, at the floor's cost, with the default rules."""
    with Passwords(FLOOR) as opened:
        yield opened


@pytest.mark.parametrize(
    ("length", "rules", "codes"),
    [
        (7, EIGHT, ["password.too_short"]),
        (8, EIGHT, []),
        (14, PasswordRules(), ["password.too_short"]),
        (15, PasswordRules(), []),
        (64, PasswordRules(), []),
        (65, PasswordRules(), []),
        (256, PasswordRules(), []),
        (1024, PasswordRules(), []),
        (1025, PasswordRules(), ["password.too_long"]),
        (0, PasswordRules(), ["password.too_short"]),
    ],
)
def test_length_is_what_counts(length: int, rules: PasswordRules, codes: list[str]) -> None:
    """From the least length up to the cap in bytes everything is long enough and not too long."""
    text = ("Tr7 mossy-lantern drift; " * 50)[:length]
    assert rules.problems(text) == codes


@pytest.mark.parametrize("length", [7, 0, -1, 65])
def test_fewer_than_eight_characters_cannot_be_allowed(length: int) -> None:
    """Nor can more than 64 be demanded, or fewer than 64 be allowed."""
    with pytest.raises(ConfigurationError, match="8 to 64"):
        PasswordRules(min_length=length)
    with pytest.raises(ConfigurationError, match="256"):
        PasswordRules(max_bytes=255)


@pytest.mark.parametrize(
    "password",
    [
        " " * 20,
        "all lower case words",
        "ALL UPPER CASE WORDS",
        "38492710583920175834",
        "\U0001f40e\U0001f50b\U0001f4ce\U0001f33f\U0001f30b" * 3,
        "пароль из нескольких слов",
        "密码由几个不同的词组成而且足够长吧",
        "tab\tnul\x00bell\x07newline\n....",
        "<script>'\";--${7*7}%s",
        "\U00020000" * 64,
    ],
    ids=ascii,
)
def test_no_character_is_demanded_or_forbidden(password: str) -> None:
    """Spaces, emoji, digits alone, letters of any script and control characters: all may be used, none must be."""
    assert PasswordRules().problems(password) == []


def test_at_least_the_three_thousand_most_frequent_passwords_are_refused() -> None:
    """Of those that are long enough for the shortest length allowed; the list is offline."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]  # it ships no types

    listed = FREQUENCY_LISTS["passwords"]
    words = listed.split(",") if isinstance(listed, str) else listed
    fitting = [word for word in words if len(word) >= 8]
    assert len(fitting) >= 3000
    assert [word for word in fitting if "password.common" not in EIGHT.problems(word)] == []


@pytest.mark.parametrize(
    "password",
    [
        "PASSWORD1234567",
        "Password1234567",
        "\uff30\uff41\uff53\uff53\uff57\uff4f\uff52\uff441234567",
        "passwordpassword",
        "qwertyuiop123456",
        "1234567890123456",
        "masturbation2026",
        "2026counterstrike",
        "!!counterstrike",
    ],
    ids=ascii,
)
def test_a_common_password_made_longer_is_refused(password: str) -> None:
    """Whatever the case or width of its letters, doubled, after another, or with a year behind it."""
    assert PasswordRules().problems(password) == ["password.common"]


@pytest.mark.parametrize("password", ["counterstrike-mossy", "password of the lantern keeper", "mossy lantern drift"])
def test_a_common_word_within_a_longer_one_is_no_reason(password: str) -> None:
    """A passphrase may hold common words."""
    assert PasswordRules().problems(password) == []


CONTEXT = ["Alexandrine", "alexandrine.moreau@example.org", "PostrMagic"]


@pytest.mark.parametrize(
    "password",
    [
        "alexandrine.moreau@example.org",
        "Alexandrine2026",
        "ALEXANDRINEalexandrine",
        "alexandrine.moreau1!",
        "postrmagic2026!",
        "PostrMagicExample.org",
        "\uff30ostrMagic\u20002026",
    ],
    ids=ascii,
)
def test_a_password_that_is_essentially_a_name_is_refused(password: str) -> None:
    """The user's name, the address, its parts and the service's name leave fewer than eight characters."""
    assert PasswordRules().problems(password, CONTEXT) == ["password.context"]
    assert PasswordRules().problems(password) == []


@pytest.mark.parametrize("context", [[], [""], ["@"], ["  "], ["al", "x"], ["mossy", "other"], CONTEXT], ids=repr)
def test_names_do_not_get_in_the_way_of_other_passwords(context: list[str]) -> None:
    """A name that is empty, very short, absent or a small part of it is no reason."""
    assert PasswordRules().problems("mossy lantern drift", context) == []


def test_every_problem_is_listed_and_none_repeats_the_password(passwords: Passwords) -> None:
    """Codes that stay, the pointer that was asked for, and no trace of the input."""
    with pytest.raises(ValidationFailed) as refused:
        passwords.require("Trustno1", ["trustno1"], pointer="/account/secret")
    assert [(error["pointer"], error["code"]) for error in refused.value.errors] == [
        ("/account/secret", "password.too_short"),
        ("/account/secret", "password.common"),
        ("/account/secret", "password.context"),
    ]
    assert "at least 15 characters" in refused.value.errors[0]["message"]
    assert "rustno1" not in f"{refused.value}{refused.value.errors!r}"


def test_a_leaked_password_is_refused_on_both_faces() -> None:
    """The application's own list is asked for what passed the rest, and only for that."""
    asked: list[str] = []

    def breached(password: str) -> bool:
        asked.append(password)
        return password == "mossy lantern drift"

    with Passwords(FLOOR, breached=breached) as passwords:
        passwords.require("another lantern drift")
        asyncio.run(passwords.aio.require("another lantern drift"))
        with pytest.raises(ValidationFailed, match="leak"):
            passwords.require("mossy lantern drift")
        with pytest.raises(ValidationFailed, match="leak"):
            asyncio.run(passwords.aio.require("mossy lantern drift"))
        with pytest.raises(ValidationFailed, match="15"):
            passwords.require("short")
    assert asked == ["another lantern drift"] * 2 + ["mossy lantern drift"] * 2


def test_a_list_of_leaks_that_is_away_accepts_nothing() -> None:
    """What could not be checked is an error, not a good password."""

    def away(password: str) -> bool:
        raise BackendUnavailable("the list does not answer")

    with Passwords(FLOOR, breached=away) as passwords, pytest.raises(BackendUnavailable):
        passwords.require("mossy lantern drift")


def test_another_list_takes_the_place_of_the_shipped_one() -> None:
    """Any container of folded passwords."""
    rules = PasswordRules(common={"mossylanterndrift"})
    assert rules.problems("MossyLanternDrift") == ["password.common"]
    assert rules.problems("passwordpassword") == []


def test_the_list_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wiring fails at once, with the extra to install; no password is accepted unseen."""
    monkeypatch.setitem(sys.modules, "zxcvbn", None)
    monkeypatch.setattr("postrmagic_core.security.passwords.common.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"postrmagic-core\[security\]"):
        Passwords(FLOOR)
    with pytest.raises(MissingExtra):
        PasswordRules(common=CommonPasswords()).problems("mossy lantern drift")
    Passwords(FLOOR, rules=PasswordRules(common=frozenset()))


@pytest.mark.parametrize("missing", ["argon2", "pwdlib.hashers.argon2"])
def test_the_hasher_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Wiring fails at once, with the extra to install."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtra, match=r"postrmagic-core\[security\]"):
        Passwords(FLOOR)


def test_nothing_is_loaded_before_it_is_needed() -> None:
    """Importing the rules loads neither the list nor the hasher."""
    import subprocess

    code = (
        "import sys, postrmagic_core.security.passwords as p; p.PasswordRules();"
        "sys.exit(any(m in sys.modules for m in ('zxcvbn', 'argon2', 'pwdlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@given(st.text(max_size=1100), st.lists(st.text(max_size=40), max_size=4))
def test_rules_answer_whatever_the_text(password: str, context: list[str]) -> None:
    """No text makes them fail, and every code has its message."""
    rules = PasswordRules()
    described = rules.described(rules.problems(password, context), "/password")
    assert all(error["message"] and "{" not in error["message"] for error in described)


@pytest.mark.parametrize("password", [None, 1, b"x"], ids=repr)
def test_only_text_has_rules(passwords: Passwords, password: Any) -> None:
    """Another type is an error of the caller's."""
    with pytest.raises(TypeError):
        passwords.require(password)


def test_the_list_does_not_show_itself() -> None:
    """A repr of the rules is short."""
    assert repr(PasswordRules()) == "PasswordRules(min_length=15, max_bytes=1024, common=COMMON)"
    assert "123456" in COMMON
    assert "mossy lantern drift" not in COMMON
