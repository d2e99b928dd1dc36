"""The reference tried with a shell and curl alone, as a new user would: every example works and answers as it shows.

The commands are those of the page. A user has a token, a session's cookie, the file that is uploaded, the codes of an
authenticator app and the link of a reset; of a command only ids, tokens and codes are replaced by those that there are.
``log_in_with_code`` and ``confirm_factor`` need a code of the app, ``reset_password`` the token of a link.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pyotp.totp import TOTP

from media_library import tasks
from media_library.posters import POSTERS, draw
from media_library.specification import SPECIFICATION
from postrmagic_core.api.openapi.calls import Shown, calls
from postrmagic_core.settings import Settings
from postrmagic_core.testing.capture import embedded_settings
from postrmagic_core.testing.servers import require
from tests.app.house import House, open_house
from tests.app.programs import Program, answered
from tests.app.served import Served, serving
from tests.app.test_worker_killed import at_rest, wait_until

# Silent, and after the answer's body its status on a line of its own; the commands stay as they are.
_CURLRC = 'silent\nshow-error\nmax-time = 60\ndump-header = "headers.txt"\nwrite-out = "\\n%{http_code}"\n'
_STEP = 30.0


@dataclass(frozen=True)
class Reply:
    """What curl wrote."""

    status: str
    answer: Any
    session: str | None


@dataclass
class Shell:
    """A shell in a directory of its own, with ``$API``, ``$TOKEN`` and ``$SESSION``."""

    directory: Path
    api: str
    session: str = ""

    def __post_init__(self) -> None:
        (self.directory / ".curlrc").write_text(_CURLRC)

    def run(self, command: str, token: str) -> Reply:
        """Run a command; a session that its answer begins is the one of the commands that follow."""
        told = {"API": self.api, "TOKEN": token, "SESSION": self.session}
        around = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        ran = subprocess.run(
            ["/bin/sh", "-euc", command],
            cwd=self.directory,
            env=around | told | {"HOME": str(self.directory), "CURL_HOME": str(self.directory)},
            capture_output=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr.decode(errors="replace")
        body, _, status = ran.stdout.rpartition(b"\n")
        session = None
        for line in (self.directory / "headers.txt").read_text().splitlines():
            name, _, value = line.partition(": ")
            if name.lower() == "set-cookie" and value.startswith("__Host-session="):
                session = value.partition(";")[0].partition("=")[2]
        self.session = session or self.session
        return Reply(status.decode(), json.loads(body) if body.strip() else None, session)


class Otherwise(AssertionError):
    """An example is not answered with the status that it shows."""


@dataclass
class Tour:
    """All examples of the reference, each taken once, in an order in which they work."""

    house: House
    shell: Shell
    tokens: dict[str, str]
    replaced: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        document = SPECIFICATION.openapi()
        self.left: dict[str, list[Shown]] = {}
        self.succeeds: dict[str, set[str]] = {}
        for path, item in document["paths"].items():
            for method, said in item.items():
                self.left[said["operationId"]] = calls(document, path, method, said)
                self.succeeds[said["operationId"]] = {one for one in said["responses"] if one < "4"}

    def take(self, operation: str, *, by: str = "demo") -> Reply:
        """Run the next example of the operation: another status is :class:`Otherwise`, another shape is kept."""
        shown = self.left[operation].pop(0)
        command = shown.command
        for told, there in self.replaced.items():
            command = command.replace(told, there)
        reply = self.shell.run(command, self.tokens[by])
        expected = {shown.status} if shown.status else self.succeeds[operation]
        if reply.status not in expected:
            raise Otherwise(f"{reply.status} instead of {', '.join(expected)}: {reply.answer}\n{command}")
        if shown.status:
            self.wrong += [f"{operation}: {one}" for one in unlike(shown.answer, reply.answer)]
        return reply

    def settle(self) -> None:
        """Let the worker do everything there is to do."""
        stack = self.house.application.stack
        with stack.relay(), stack.worker(threads=2):
            wait_until(lambda: at_rest(self.house))

    def media(self) -> None:
        """Files, lists and figures."""
        other = self.house.add(draw(POSTERS[1], size=(60, 80)))
        self.house.application.library.change(self.house.who(), other.media_id, title="Jazz, too", tag_names=["jazz"])
        added = self.take("add_medium").answer["data"]["id"]
        self.replaced |= {"/media/12": f"/media/{added}", '"id": 12': f'"id": {added}'}
        self.settle()
        for operation in ("change_medium", "show_medium"):
            self.take(operation)
        for operation in ("list_media", "list_tags", "show_stats", "get_file", "get_thumbnail"):
            self.take(operation)
        directory = self.shell.directory
        assert (directory / "answer.jpg").read_bytes() == (directory / "jazz-at-dusk.jpeg").read_bytes()
        for operation in ("change_media", "list_notifications", "read_notifications", "delete_medium"):
            self.take(operation)

    def administrate(self) -> None:
        """By the token of an administrator."""
        guest = self.house.user_id("guest")
        self.replaced["/users/2/"] = f"/users/{guest}/"
        for operation in ("list_users", "grant_role", "list_audit", "show_roles", "explain_permission", "revoke_role"):
            self.take(operation, by="keeper")

    def log_in(self) -> None:
        """By a password; and a token is made with it."""
        for operation in ("show_me", "sign_up", "log_in"):
            self.take(operation)
        self.replaced["b7x2k9qd41hm"] = self.take("issue_token").answer["data"]["about"]["id"]
        for operation in ("list_tokens", "revoke_token", "show_factor"):
            self.take(operation)

    def answer_a_program(self) -> None:
        """That asks as the one of the examples does, which is registered under another id."""
        program = Program(self.house)
        program.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # of the challenge in RFC 7636, appendix B
        self.replaced["wall-of-posters"] = program.id
        self.take("preview_authorization")
        location = self.take("decide_authorization").answer["data"]["location"]
        program.redeem(answered(location)["code"])
        self.take("decide_authorization")
        (connected,) = self.take("list_authorizations").answer["data"]
        self.replaced["01a22380-0000-7000-8000-0000000000a1"] = connected["id"]
        self.take("revoke_authorization")

    def secure(self) -> None:
        """A second factor, the sessions, another password."""
        app = TOTP(self.take("enrol_factor").answer["data"]["secret"].replace(" ", ""))
        # The code before the present one counts still, unless a new half minute began meanwhile.
        confirmations = self.left["confirm_factor"]
        while True:
            began = time.time() // _STEP
            self.replaced["492039"] = app.at(int((began - 1) * _STEP))
            self.left["confirm_factor"] = confirmations[:]
            try:
                self.take("confirm_factor")
                break
            except Otherwise:
                if began == time.time() // _STEP:
                    raise
        self.take("log_in")
        self.replaced["492039"] = app.at(int(time.time()))
        self.take("log_in_with_code")
        self.house.browser().get("/api/v1/me")
        devices = self.take("list_devices").answer["data"]
        self.replaced["h3Yq0mZ2"] = next(one["id"] for one in devices if not one["current"])
        for operation in ("end_device", "end_other_devices", "renew_recovery_codes", "disable_factor"):
            self.take(operation)
        self.take("change_password")
        self.replaced["the-token-of-the-link"] = self.house.application.accounts.reset_token("demo") or ""
        self.take("reset_password")
        self.take("log_out")


def unlike(shown: Any, answer: Any, place: str = "") -> Iterator[str]:
    """Where an answer has other members, or other types, than the example of it; a list by the items of both."""
    if isinstance(shown, dict) and isinstance(answer, dict):
        if set(shown) != set(answer):
            yield f"{place or '/'} shows {sorted(set(shown) ^ set(answer))} otherwise"
        for name in shown.keys() & answer.keys():
            yield from unlike(shown[name], answer[name], f"{place}/{name}")
    elif isinstance(shown, list) and isinstance(answer, list):
        if bool(shown) is not bool(answer):
            yield f"{place} is empty in one of both"
        for index, (one, other) in enumerate(zip(shown, answer, strict=False)):
            yield from unlike(one, other, f"{place}/{index}")
    elif _kind(shown) != _kind(answer):
        yield f"{place} is {_kind(shown)} in the example and {_kind(answer)} in the answer"


def _kind(value: Any) -> str:
    return "number" if type(value) in {int, float} else type(value).__name__


@pytest.fixture
def tour(tmp_path: Path, furnished: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tour]:
    """A server, a worker, and a shell with curl."""
    require(shutil.which("curl"), "curl is not installed")
    monkeypatch.setattr(tasks, "SETTLING", 0.2)
    data, directory = tmp_path / "data", tmp_path / "shell"
    for made in (data, directory):
        made.mkdir()
    settings = embedded_settings(data)
    with _served(data, furnished, settings) as served, open_house(settings) as house:
        keys = house.application.stack.security.access_tokens
        tokens = {name: keys.issue(str(house.user_id(name)), "curl").token for name in ("demo", "keeper")}
        (directory / "jazz-at-dusk.jpeg").write_bytes(draw(POSTERS[0], size=(90, 120)))
        yield Tour(house, Shell(directory, f"{served.origin}/api/v1"), tokens)


def _served(data: Path, furnished: Path, settings: Settings) -> AbstractContextManager[Served]:
    """The web process on the same files, and with the same keys, as the worker in this one."""
    return serving(
        "uvicorn-h11",
        data,
        furnished,
        POSTRMAGIC_DATABASE__URL=settings.database_url(),
        POSTRMAGIC_CACHE__URL=settings.store_url(settings.cache),
        POSTRMAGIC_SESSIONS__URL=settings.store_url(settings.sessions),
        POSTRMAGIC_JOBS__URL=settings.broker_url(),
        POSTRMAGIC_SECURITY__KEYS=json.dumps([key.get_secret_value() for key in settings.security.keys]),
    )


@pytest.mark.soak
def test_every_example_of_the_reference_works_with_curl(tour: Tour) -> None:
    """With the status that it shows, and an answer of the same shape; none is left out."""
    tour.log_in()
    tour.media()
    tour.administrate()
    tour.answer_a_program()
    tour.secure()
    assert tour.wrong == [], "\n" + "\n".join(tour.wrong)
    assert {operation for operation, shown in tour.left.items() if shown} == set()


def test_an_answer_of_another_shape_is_noticed() -> None:
    """The control: members, types, empty lists."""
    assert list(unlike({"data": [{"id": 1}], "next": None}, {"data": [{"id": 2}, {"id": 3}], "next": None})) == []
    assert list(unlike({"id": 1}, {"id": 1, "name": "x"})) == ["/ shows ['name'] otherwise"]
    assert list(unlike({"id": 1}, {"id": "1"})) == ["/id is number in the example and str in the answer"]
    assert list(unlike({"data": [1]}, {"data": []})) == ["/data is empty in one of both"]
