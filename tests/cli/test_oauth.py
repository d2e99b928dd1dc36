"""`postrmagic oauth`: clients registered, shown and ended, and what users allowed them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from postrmagic_core.cli.oauth import oauth as command
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.stack import Stack
from tests.cli.in_process import InProcess
from tests.copies import packaged

APPLICATION = """
from postrmagic_core.security import Role, Roles
from postrmagic_core.security.oauth import Scope, Scopes
from postrmagic_core.stack import Stack

stack = Stack.from_env()
stack.security.use_roles(Roles([Role("viewer", allow=["media:read", "media:edit"])]))
stack.security.use_scopes(Scopes([
    Scope("media.read", ["media:read"], "See [your] posters"),
    Scope("media.write", ["media:edit"], "Change your posters"),
]))
"""
BACK = "https://printer.example.com/back"
VERIFIER = "v" * 43


@pytest.fixture
def oauth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """The command, for an application that has an authorization server."""
    (tmp_path / "oauth_application.py").write_text(APPLICATION)
    (tmp_path / "var").mkdir()
    packaged(f"sqlite:///{tmp_path}/var/app.db")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("POSTRMAGIC_OAUTH__ISSUER", "https://app.example.org")
    monkeypatch.chdir(tmp_path)
    here = InProcess(command, "oauth_application:stack")
    yield here
    here.forget()


def allowed(client: str) -> str:
    """The refresh token of a grant of user 7, as the consent page and the client make it."""
    made: dict[str, Stack] = {}
    exec(APPLICATION, made)  # noqa: S102 - our own text, above
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    query = {"response_type": "code", "client_id": client, "redirect_uri": BACK}
    query |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    with made["stack"] as stack:
        server = stack.security.oauth
        back = server.approve(server.ask(urlencode(query)), "7")
        code = parse_qs(urlsplit(back).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
        return str(server.token(form | {"client_id": client})["refresh_token"])


def added(oauth: InProcess, *more: str) -> dict[str, str]:
    """A public client that users come back from, as programs are told of it."""
    found: dict[str, str] = oauth.json("add", "Printer", "--scope", "media.read", "--redirect-uri", BACK, *more)
    return found


def test_a_client_is_added_shown_and_listed(oauth: InProcess) -> None:
    """Its secret is told once; what is listed has none."""
    made = added(oauth)
    assert made["secret"].startswith("pms_")
    shown = oauth.json("show", made["client"])
    assert (shown["name"], shown["redirect_uris"], shown["public"]) == ("Printer", [BACK], False)
    assert shown["grant_types"] == ["authorization_code", "refresh_token"]
    told = oauth.run("show", made["client"]).output + oauth.run("list").output
    assert "Printer" in told
    assert made["secret"] not in told


def test_words_for_people(oauth: InProcess) -> None:
    """The secret stands on a line of its own, whole, with a word that it is told once."""
    assert "there are no clients" in oauth.run("list").output
    told = oauth.run("add", "Report", "--scope", "media.read").output
    [secret] = [line.removeprefix("secret ") for line in told.splitlines() if line.startswith("secret ")]
    assert len(secret) == 53
    assert "never again" in told
    assert "See [your] posters" in oauth.run("scopes").output


def test_a_program_that_acts_for_itself(oauth: InProcess) -> None:
    """Without an address to come back to it is one of client_credentials."""
    made = oauth.json("add", "Report", "--scope", "media.read")
    assert oauth.json("show", made["client"])["grant_types"] == ["client_credentials"]


def test_a_server_that_only_introspects(oauth: InProcess) -> None:
    """It needs no scope and may get no token."""
    made = oauth.json("add", "Printing API", "--introspects")
    shown = oauth.json("show", made["client"])
    assert (shown["introspects"], shown["grant_types"], shown["scopes"]) == (True, [], [])


def test_a_public_client_has_no_secret(oauth: InProcess) -> None:
    """Nor gets another one."""
    made = added(oauth, "--public")
    assert not made["secret"]
    assert oauth.run("secret", made["client"]).exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["add", "X", "--scope", "media.delete"],
        ["add", "X", "--scope", "media.read", "--redirect-uri", "http://evil.example.com/"],
        ["add", "X", "--scope", "media.read", "--grant", "password"],
        ["add", "\x1b[31mred", "--scope", "media.read"],
    ],
)
def test_what_cannot_be_is_refused(oauth: InProcess, arguments: list[str]) -> None:
    """In one sentence that says what was expected, and nothing is written."""
    done = oauth.run(*arguments)
    assert done.exit_code == 1
    assert "expected" in done.output
    assert "\x1b" not in done.output
    assert oauth.json("list") == []


def test_a_new_secret_ends_the_one_before(oauth: InProcess) -> None:
    """Shown once as well."""
    made = added(oauth)
    again = oauth.json("secret", made["client"])
    assert again["client"] == made["client"]
    assert again["secret"] != made["secret"]


def test_what_a_user_allowed_is_listed_and_ended(oauth: InProcess) -> None:
    """One by its id, or all."""
    client = added(oauth, "--public")["client"]
    assert "has allowed nothing" in oauth.run("grants", "7").output
    allowed(client)
    [grant] = oauth.json("grants", "7")
    assert (grant["client_id"], grant["client_name"], grant["scopes"]) == (client, "Printer", ["media.read"])
    assert grant["id"] in oauth.run("grants", "7").output
    assert oauth.json("revoke", "8", grant["id"], status=1)["revoked"] == 0
    assert oauth.json("revoke", "7", grant["id"])["revoked"] == 1
    allowed(client)
    allowed(client)
    assert "2 of user 7 revoked" in oauth.run("revoke", "7").output
    assert oauth.run("revoke", "7").exit_code == 1
    assert oauth.json("grants", "7") == []


def test_a_disabled_client_is_marked_and_what_it_had_ends(oauth: InProcess) -> None:
    """And cannot be disabled twice."""
    client = added(oauth, "--public")["client"]
    allowed(client)
    assert oauth.json("disable", client) == {"client": client, "changed": True}
    assert oauth.json("disable", client, status=1)["changed"] is False
    assert "(disabled)" in oauth.run("list").output
    assert oauth.json("grants", "7") == []


def test_nobody_of_that_name(oauth: InProcess) -> None:
    """One sentence, exit status 1."""
    for words in (["show", "nobody"], ["secret", "nobody"], ["disable", "nobody"]):
        done = oauth.run(*words)
        assert done.exit_code == 1
        assert "no client nobody" in done.output


def test_without_an_issuer_there_is_none(oauth: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the setting."""
    monkeypatch.delenv("POSTRMAGIC_OAUTH__ISSUER")
    done = oauth.run("list")
    assert isinstance(done.exception, ConfigurationError)
    assert "POSTRMAGIC_OAUTH__ISSUER" in str(done.exception)
