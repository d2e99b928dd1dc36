"""The dashboard's house: who gets in, where it stands, what its buttons do, and who is told what changes."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from postrmagic_core.errors import BackendTimeout
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.authentication import authentication
from postrmagic_core.middleware.authorization import authorization
from postrmagic_core.middleware.security_headers import security_headers
from postrmagic_core.middleware.time_limits import time_limits
from postrmagic_core.observability.dashboard import Ask, Dashboard, Page, Shown, dashboard, live
from postrmagic_core.observability.dashboard.answers import CSP, FORM_BYTES
from postrmagic_core.observability.dashboard.messages import NAME
from postrmagic_core.security import Role, Roles
from postrmagic_core.security.access import User
from postrmagic_core.stack import Stack
from tests.observability.dashboard.asking import Watcher, ask, asked, pressed, scope_of
from tests.observability.dashboard.made_up import TOKEN, QuickStack, settings, watch

ROOT = Path(__file__).parents[3]
MOUNTS = {
    "beneath nothing": {},
    "as ASGI says": {"root_path": "/ops/my dash"},
    "as servers of before said": {"root_path": "/ops/my dash", "stripped": True},
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One for all: nothing here changes it."""
    with QuickStack(settings(tmp_path_factory.mktemp("house")), configure_logging=False) as opened:
        watch(opened)
        yield opened


class Counted:
    """A page that counts how often it is made; its template is one of the package's, shown with what it is given."""

    def __init__(self) -> None:
        self.made = 0
        self.did: list[tuple[str, dict[str, str]]] = []
        self.failing: Exception | None = None
        self.page = Page("probe", "Probe", "Work", self.view, {"note": self.note, "refuse": self.refuse}, every=0.05)

    def view(self, asking: Ask) -> Shown:
        """How often it was made so far."""
        assert asking.user == ""  # what all who look are shown depends on none of them
        self.made += 1
        if self.failing is not None:
            raise self.failing
        return Shown("of-this-test.html", {"made": self.made})

    def note(self, asking: Ask, form: Mapping[str, str]) -> str:
        """Keep who asked for what."""
        self.did.append((asking.user, dict(form)))
        return f"noted {form['what']}"

    def refuse(self, asking: Ask, form: Mapping[str, str]) -> str:
        """Do nothing of it."""
        raise ValueError("nothing to refuse <b>here</b>")


@pytest.fixture
def probe(house: Dashboard, monkeypatch: pytest.MonkeyPatch) -> Counted:
    """A page of the test's, made anew without delay."""
    from postrmagic_core.observability.dashboard.rendering import environment

    text = '{% call live("made") %}{{ made }}{% endcall %}{% call live("still") %}same{% endcall %}'
    monkeypatch.setitem(environment().loader.__dict__, "load", _with(environment().loader, "of-this-test.html", text))
    monkeypatch.setattr(live, "FRESH", 0.05)
    counted = Counted()
    house.pages["probe"] = counted.page
    return counted


def _with(loader: Any, name: str, text: str) -> Any:
    load = type(loader).load

    def loaded(environment: Any, asked_for: str, names: Any = None) -> Any:
        if asked_for == name:
            return environment.from_string(text)
        return load(loader, environment, asked_for, names)

    return loaded


def test_each_page_opens_with_headers_that_let_nothing_in(house: Dashboard) -> None:
    """Every page of an application in which nothing happened yet: whole, without trouble, for no cache."""
    for path in house.pages:
        answer = asked(house, "GET", f"/{path}")
        assert answer.status == 200, path
        assert 'class="trouble" role' not in answer.text, path
        assert answer.headers["content-security-policy"] == CSP
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"<[^>]+\sstyle=|<style|<script>|\son\w+=", answer.text), path
    whole, head = asked(house, "GET", "/"), asked(house, "HEAD", "/")
    assert head.text == ""
    assert head.status == whole.status
    assert asked(house, "GET", "/nowhere").status == 404
    assert asked(house, "DELETE", "/").status == 405


@pytest.mark.parametrize("mount", MOUNTS.values(), ids=MOUNTS)
def test_it_can_be_mounted_anywhere(house: Dashboard, probe: Counted, mount: dict[str, Any]) -> None:
    """Each link, asset, form, redirect and cookie stays beneath the mount."""
    root = mount.get("root_path", "")
    base = root.replace(" ", "%20")
    at = "" if mount.get("stripped") else root
    how: dict[str, Any] = {"root_path": root} if root else {}
    answer = asked(house, "GET", f"{at}/requests", **how)
    links = re.findall(r'(?:href|src|action|data-live-from)="([^"]+)"', answer.text)
    assert len(links) > 15
    assert [link for link in links if not link.startswith((f"{base}/", "#"))] == []
    style = next(link for link in links if link.endswith("style.css"))
    found = asked(house, "GET", at + style.removeprefix(base), **how)
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    done = asyncio.run(
        ask(
            house,
            "POST",
            f"{at}/probe?sort=-a",
            headers={"x-user": "anna", "sec-fetch-site": "same-origin"},
            body=b"do=note&what=x",
            **how,
        )
    )
    assert done.headers["location"] == f"{base}/probe?sort=-a"
    assert f"Path={base}/; " in done.headers["set-cookie"]
    if at:
        assert asked(house, "GET", at, **how).headers["location"] == f"{base}/"


def test_a_query_is_kept_whatever_it_is_called(house: Dashboard, probe: Counted) -> None:
    """Names that the templates' own functions have for something else, names twice, and what is no query."""
    names = "page=2&self=1&caller=3&name=4&key=5&here=6&a%20b=7&page=8"
    answer = asked(house, "GET", f"/probe?{names}")
    assert answer.status == 200
    assert 'data-live-from="/live/probe?page=2&amp;self=1&amp;caller=3&amp;name=4' in answer.text
    assert asked(house, "GET", "/probe?a=%ff").status == 200
    assert asked(house, "GET", "/probe?" + "a=1&" * 5000).status == 200


def test_a_part_that_fails_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """However often it is asked: and again once it was well meanwhile, or fails with something else."""
    watched: Any = None
    asking, errors = Ask(watched), iter([KeyError("a"), KeyError("b"), None, KeyError("c"), BackendTimeout("d")])

    def read() -> int:
        if (error := next(errors)) is not None:
            raise error
        return 1

    parts = [asking.part("of this test", read) for _ in range(5)]
    assert [part.trouble for part in parts] == ["KeyError", "KeyError", "", "KeyError", "backend.timeout"]
    assert [part.off for part in parts] == [False] * 5
    told = [record for record in caplog.records if getattr(record, "part", "") == "of this test"]
    assert len(told) == 3


def test_nothing_is_told_to_who_may_not_look(stack: Stack) -> None:
    """Pages, streams and buttons are refused alike; not even a page's name or the service's is in the answer."""
    house = Dashboard(stack, allows=lambda _: None)
    stack.add(house)
    for method, path in (("GET", "/"), ("GET", "/requests"), ("GET", "/nowhere"), ("GET", "/live/"), ("POST", "/jobs")):
        answer = asked(house, method, path, body=b"do=replay")
        assert answer.status == 403
        assert "www-authenticate" not in answer.headers
        assert not re.search(r"posters|1\.4\.2|requests</a>|<nav", answer.text, re.IGNORECASE)
        assert answer.headers["content-security-policy"] == CSP


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("", 401),
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN} ", 200),
        (f"Bearer {TOKEN}x", 401),
        ("Bearer ", 401),
        ("Basic " + base64.b64encode(f"anna:{TOKEN}".encode()).decode(), 200),
        ("Basic " + base64.b64encode(b"anna:wrong-wrong-wrong-wrong").decode(), 401),
        ("Basic " + base64.b64encode(TOKEN.encode()).decode(), 401),
        ("Basic !!!", 401),
        ("Basic " + base64.b64encode("anna:sch\xf6n".encode("latin-1")).decode(), 401),
        (f"Digest {TOKEN}", 401),
    ],
)
def test_where_nobody_logs_in_the_token_opens(stack: Stack, authorization: str, status: int) -> None:
    """As the password of HTTP Basic, or as a bearer token; what is wrong is asked for again."""
    house = dashboard(stack)
    answer = asked(house, "GET", "/requests", headers={"authorization": authorization})
    assert answer.status == status
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert ("anna</span>" in answer.text) == (status == 200 and authorization.startswith("Basic"))


def test_without_a_token_there_is_nobody_to_be(tmp_path: Path) -> None:
    """An empty password is no password; there is nothing to ask a browser for."""
    with QuickStack(settings(tmp_path, token=None), configure_logging=False) as stack:
        house = dashboard(stack)
        nothing = "Basic " + base64.b64encode(b"anna:").decode()
        for header in ("", "Bearer ", nothing):
            answer = asked(house, "GET", "/", headers={"authorization": header})
            assert answer.status == 403
            assert "www-authenticate" not in answer.headers


def test_an_identity_needs_the_permission(tmp_path: Path) -> None:
    """One to look, another to act; whoever is known and lacks it is noted, and no token helps them."""
    with QuickStack(settings(tmp_path), configure_logging=False) as stack:
        _may(stack)


def _may(stack: Stack) -> None:
    stack.security.use_roles(
        Roles([Role("reader", allow=["observability:read"]), Role("operator", allow=["observability:*"])])
    )
    house = dashboard(stack)
    own = {"sec-fetch-site": "same-origin", "authorization": f"Bearer {TOKEN}"}

    def status(method: str, *roles: str) -> int:
        state = {"identity": User("u1", frozenset(roles))}
        return asked(house, method, "/jobs", headers=own, state=state, body=b"do=nothing").status

    assert [status("GET"), status("GET", "reader"), status("GET", "operator")] == [403, 200, 200]
    assert [status("POST", "reader"), status("POST", "operator")] == [403, 400]  # 400: there is no such button
    denied = [entry.action for entry in stack.security.audit.find(limit=5)]
    assert len(denied) >= 1


def test_beneath_a_pipeline_its_own_headers_and_rules_hold(tmp_path: Path) -> None:
    """The layers' policy does not loosen the dashboard's; streams pass; who may not is stopped before it, too."""
    people = {name: User(name, frozenset({name})) for name in ("reader", "guest")}
    with QuickStack(settings(tmp_path), configure_logging=False) as stack:
        stack.security.use_roles(Roles([Role("reader", allow=["observability:read"]), Role("guest")]))
        layers = [
            security_headers(),
            time_limits(),
            authentication(lambda request: people.get(request.headers.get("x-user") or "")),
            authorization(stack.security.access, {"/ops/*": "observability:read"}),
        ]
        house = dashboard(stack)
        app = Pipeline(layers).asgi(lambda scope, receive, send: house({**scope, "root_path": "/ops"}, receive, send))

        def status(user: str, method: str = "GET", path: str = "/ops/") -> int:
            return asked(app, method, path, headers={"x-user": user, "sec-fetch-site": "same-origin"}).status

        assert [status("reader"), status("guest"), status("nobody")] == [200, 403, 401]
        assert [status("reader", "POST", "/ops/jobs"), status("reader", "GET", "/ops/requests")] == [403, 200]
        answer = asked(app, "GET", "/ops/", headers={"x-user": "reader"})
        assert answer.headers["content-security-policy"] == CSP

        async def look() -> None:
            watcher = Watcher(app, "/ops/live/", "reader")
            assert (await watcher.event())["trouble"] == ""
            await watcher.leave()

        asyncio.run(look())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": "https://dash.example"}, 303),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "https://dash.example.evil.example"}, 403),
        ({"origin": "https://dash.example:8443"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "https://dash.example"}, 403),
        ({}, 403),
    ],
)
def test_only_the_dashboards_own_pages_press_buttons(
    house: Dashboard, probe: Counted, headers: dict[str, str], status: int
) -> None:
    """What a browser sends for another origin, or what does not say where it is from, does nothing."""
    sent = {"x-user": "anna", **headers}
    answer = asyncio.run(ask(house, "POST", "/probe", headers=sent, body=b"do=note&what=x"))
    assert answer.status == status
    assert probe.did == ([("anna", {"what": "x"})] if status == 303 else [])


def test_what_a_button_did_is_told_once_and_logged(
    house: Dashboard, probe: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    """The page that follows says it, escaped, to who pressed it; the log says who it was."""
    caplog.set_level(logging.INFO, "postrmagic_core.observability")
    for do, text, good in (
        ("note", "noted &lt;i&gt;it&lt;/i&gt;", True),
        ("refuse", "nothing to refuse &lt;b&gt;here&lt;/b&gt;", False),
    ):
        done = pressed(house, "/probe", do, {"what": "<i>it</i>"})
        assert done.status == 303
        assert "HttpOnly; SameSite=Strict; Secure" in done.headers["set-cookie"]
        cookie = done.headers["set-cookie"].split(";")[0]
        after = asked(house, "GET", "/probe", headers={"cookie": cookie})
        assert f'<p class="message {"good" if good else "bad"}" role="status">{text}</p>' in after.text
        assert after.headers["set-cookie"].startswith(f"{NAME}=; ")
        other = asked(house, "GET", "/probe", headers={"cookie": cookie, "x-user": "berta"})
        assert "class=message" not in other.text
        assert text not in other.text
        forged = asked(house, "GET", "/probe", headers={"cookie": f"{NAME}={base64.b64encode(b'forged').decode()}"})
        assert "forged" not in forged.text
    told = [
        (record.getMessage(), getattr(record, "by", ""), getattr(record, "action", "")) for record in caplog.records
    ]
    assert ("an action of the dashboard was done", "anna", "note") in told
    assert ("an action of the dashboard was refused", "anna", "refuse") in told


def test_a_button_that_is_not_there_does_nothing(house: Dashboard, probe: Counted) -> None:
    """Another name, no name, a form that is too long or no form: 400."""
    for body in (b"do=view", b"", b"what=x", b"do=note&what=" + b"x" * FORM_BYTES, b"do=note&what=\xff", b"&=" * 200):
        sent = {"x-user": "anna", "sec-fetch-site": "same-origin"}
        assert asyncio.run(ask(house, "POST", "/probe", headers=sent, body=body)).status == 400
    assert probe.did == []


@pytest.mark.parametrize(
    "path",
    ["/assets/x/style.css", "/assets/style.css", "/assets/{}/../house.py", "/assets/{}/%2e%2e/house.py", "/assets/"],
)
def test_assets_are_those_that_there_are(house: Dashboard, path: str) -> None:
    """No other version, no other folder."""
    version = re.findall(r'/assets/(\w+)/style\.css"', asked(house, "GET", "/").text)[0]
    assert asked(house, "GET", path.format(version)).status == 404


def test_fifty_watchers_cost_one(house: Dashboard, probe: Counted) -> None:
    """One page is made for all who look at it; each hears what changed, and nothing is made once all have left."""

    async def look() -> None:
        watchers = [Watcher(house, "/live/probe", f"u{n}") for n in range(50)]
        firsts = [await watcher.event() for watcher in watchers]
        assert firsts[0] == {"parts": {"made": firsts[0]["parts"]["made"], "still": "same"}, "trouble": ""}
        seconds = [await watcher.event() for watcher in watchers]
        assert {frozenset(second["parts"]) for second in seconds} == {
            frozenset({"made"})
        }  # what is the same is not told
        made = probe.made
        assert made < 50
        assert house.watching == 50
        await asyncio.gather(*(watcher.leave() for watcher in watchers))
        assert house.watching == 0
        await asyncio.sleep(0.05)
        made = probe.made
        await asyncio.sleep(0.3)
        assert probe.made == made
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(look())


def test_a_page_is_made_once_for_all_who_ask_at_once(house: Dashboard, probe: Counted) -> None:
    """Twenty requests within two seconds read the application once; one with another query is another page."""

    async def look() -> None:
        live.FRESH = 60.0
        await asyncio.gather(*(ask(house, "GET", "/probe", headers={"x-user": f"u{n}"}) for n in range(20)))
        assert probe.made == 1
        await ask(house, "GET", "/probe?q=1", headers={"x-user": "anna"})
        assert probe.made == 2

    asyncio.run(look())


def test_a_page_that_fails_says_so_in_its_place(
    house: Dashboard, probe: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    """Its frame is there, nothing of the error's text; who looks is told, and sees it again once it is well."""
    probe.failing = RuntimeError("secret of the error")
    answer = asked(house, "GET", "/probe")
    assert answer.status == 503
    assert "RuntimeError" in answer.text
    assert "<nav" in answer.text
    assert "secret" not in answer.text
    assert "secret of the error" in caplog.text
    probe.failing = BackendTimeout("secret")

    async def look() -> None:
        watcher = Watcher(house, "/live/probe")
        while (told := await watcher.event())["trouble"] == "RuntimeError":
            pass
        assert told == {"parts": {}, "trouble": "backend.timeout"}
        probe.failing = None
        while (told := await watcher.event())["trouble"]:
            pass
        assert told["parts"]["still"] == "same"
        await watcher.leave()

    asyncio.run(look())


def test_streams_are_bounded(house: Dashboard, probe: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is told to come again later; once one has left there is room."""
    monkeypatch.setattr(live, "MOST_STREAMS", 2)

    async def look() -> None:
        first, second = Watcher(house, "/live/probe"), Watcher(house, "/live/probe")
        await first.event()
        refused = await ask(house, "GET", "/live/probe", headers={"x-user": "anna"})
        assert (refused.status, refused.headers["retry-after"]) == (503, "10")
        await first.leave()
        third = Watcher(house, "/live/probe")
        await third.event()
        assert third.status == 200
        await asyncio.gather(second.leave(), third.leave())

    asyncio.run(look())


def test_streams_end_with_the_stack(house: Dashboard, probe: Counted, stack: Stack) -> None:
    """Who still looks is let go within a second or so, and no thread is left."""

    async def look() -> None:
        watcher = Watcher(house, "/live/probe")
        await watcher.event()
        await asyncio.to_thread(house.close)
        await asyncio.wait_for(watcher.ended.wait(), 5)
        await watcher.task

    asyncio.run(look())


SERVER = """
import sys, pathlib, uvicorn
from tests.observability.dashboard.made_up import QuickStack, settings
from postrmagic_core.observability.dashboard import dashboard
with QuickStack(settings(pathlib.Path(sys.argv[1])), configure_logging=False) as stack:
    config = uvicorn.Config(dashboard(stack, allows=lambda request: "anna"), port=0, log_level="critical")
    server = uvicorn.Server(config)
    startup = server.startup
    async def started(**how):
        await startup(**how)
        print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    server.startup = started
    server.run()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """uvicorn in a process of its own, as it comes, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SERVER, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        try:
            yield process, f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def test_a_server_that_is_told_to_stop_does_not_wait_for_who_looks(server: tuple[subprocess.Popen[str], str]) -> None:
    """uvicorn waits for every response: the streams end by themselves."""
    process, address = server
    with httpx.stream("GET", f"{address}/live/", timeout=20) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 2000"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        for _ in lines:
            pass
        process.wait(20)
        assert time.monotonic() - began < 10


def test_what_is_no_origin_is_refused(house: Dashboard, probe: Counted) -> None:
    """An origin that cannot even be read is somebody else's, and breaks nothing."""
    for origin in ("http://[evil", "https://dash.example@evil.example", "https://evil.example#dash.example"):
        answer = asked(house, "POST", "/probe", headers={"origin": origin}, body=b"do=note&what=x")
        assert answer.status == 403
    assert probe.did == []


def test_a_long_message_is_told_too(house: Dashboard, probe: Counted) -> None:
    """Its cookie stays within what browsers keep, whatever the signs are."""
    text = "\N{PILE OF POO}" * 600
    cookie = pressed(house, "/probe", "note", {"what": text}).headers["set-cookie"].split(";")[0]
    assert len(cookie) < 4000
    after = asked(house, "GET", "/probe", headers={"cookie": cookie})
    assert text[:400] in after.text


def test_a_view_that_hangs_holds_up_nobody(house: Dashboard, probe: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages come in bounded time and say so, who looks is told, who may not is told that; nothing piles up."""
    monkeypatch.setattr(live, "PATIENCE", 0.2)
    monkeypatch.setattr(live, "_MAKING", 3)
    hang, still = threading.Event(), probe.page.view

    def view(asking: Ask) -> Shown:
        hang.wait(10)
        return still(asking)

    house.pages["probe"] = replace(probe.page, view=view)

    async def look() -> None:
        watcher = Watcher(house, "/live/probe")
        began = time.monotonic()
        answers = await asyncio.gather(
            *(ask(house, "GET", f"/probe?n={n}", headers={"x-user": "anna"}) for n in range(8)),
            ask(house, "GET", "/probe"),
        )
        assert [answer.status for answer in answers] == [503] * 8 + [403]
        assert all("backend.timeout" in answer.text and "<nav" in answer.text for answer in answers[:8])
        assert await watcher.event() == {"parts": {}, "trouble": "backend.timeout"}
        assert time.monotonic() - began < 8  # nobody waited for the view
        assert len(house._kept._making) == 3
        hang.set()
        while (told := await watcher.event())["trouble"]:
            pass
        assert told["parts"]["still"] == "same"
        await watcher.leave()

    try:
        asyncio.run(look())
    finally:
        hang.set()


def test_who_takes_nothing_is_let_go(house: Dashboard, probe: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not read holds no stream for good."""
    monkeypatch.setattr(live, "SLOWEST", 0.1)

    async def look() -> None:
        never = asyncio.Event()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                await never.wait()

        async def receive() -> dict[str, Any]:
            await never.wait()
            return {"type": "http.disconnect"}

        await asyncio.wait_for(house(scope_of("GET", "/live/probe", {"x-user": "anna"}), receive, send), 5)
        assert house.watching == 0

    asyncio.run(look())


def test_nobody_takes_all_streams(house: Dashboard, probe: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    """One user has so many at once, and there is room for others."""
    monkeypatch.setattr(live, "MOST_OF_ONE", 2)
    monkeypatch.setattr(live, "LIFE", 5.0)

    async def look() -> None:
        mine = [Watcher(house, "/live/probe") for _ in range(2)]
        await mine[0].event()
        assert (await ask(house, "GET", "/live/probe", headers={"x-user": "anna"})).status == 503
        other = Watcher(house, "/live/probe", "berta")
        await other.event()
        await mine[0].leave()
        again = Watcher(house, "/live/probe")
        await again.event()
        await asyncio.gather(*(watcher.leave() for watcher in (mine[1], other, again)))

    asyncio.run(look())


def test_a_stream_ends_so_that_its_owner_is_asked_for_anew(
    house: Dashboard, probe: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a logout, or once the permission is gone, nobody looks on for longer than a minute."""
    assert live.LIFE <= 60
    monkeypatch.setattr(live, "LIFE", 0.2)

    async def look() -> None:
        watcher = Watcher(house, "/live/probe")
        await watcher.event()
        await asyncio.wait_for(watcher.ended.wait(), 5)
        await watcher.task

    asyncio.run(look())


def test_signs_that_nobody_sees_are_told_by_number(
    house: Dashboard, probe: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What turns text around, rules a terminal or is no Unicode at all stands there as text, in links too."""
    from postrmagic_core.observability.dashboard.rendering import environment

    signs = '<b>{{ made }}</b><a href="{{ url("logs", q=made) }}">\n</a>'
    monkeypatch.setitem(environment().loader.__dict__, "load", _with(environment().loader, "signs.html", signs))
    text = "a\u202eb\x1b[31m\x00\ud800<i>\u2066\N{PILE OF POO}"
    house.pages["probe"] = replace(probe.page, view=lambda _: Shown("signs.html", {"made": text}))
    answer = asked(house, "GET", "/probe?visit=1")
    assert answer.status == 200
    assert r"<b>a\u202eb\x1b[31m\x00\ud800&lt;i&gt;\u2066" + "\N{PILE OF POO}</b>" in answer.text
    assert 'href="/logs?q=a%E2%80%AEb%1B%5B31m%00%3F%3Ci%3E' in answer.text
