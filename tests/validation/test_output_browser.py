"""Hostile texts in a real Chromium, through every encoder: nothing runs, nothing is asked for, every text is shown.

No server: the browser's requests are answered here, and whatever else it asks for is written down and refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, Route

from postrmagic_core.errors import DataError
from postrmagic_core.validation.html import HtmlPolicy, clean_html
from postrmagic_core.validation.output import (
    attribute,
    content_disposition,
    css_string,
    csv_lines,
    escape_html,
    js_string,
    json_for_script,
    json_script,
    url,
    url_component,
)
from postrmagic_core.validation.responses import Data, Responses
from tests.chromium import PATIENCE_MS, launched
from tests.validation.xss_payloads import ALL, PAYLOADS, at_home

pytestmark = pytest.mark.browser

SITE = "https://app.test"
# Installed into every frame before anything of it runs. In the control the frame says which text it was.
ALARM = """(() => {
    const told = () => {
        let frame = window;
        try {
            while (frame.parent !== top) frame = frame.parent;
            return frame.frameElement.dataset.number;
        } catch { return "" }
    };
    window.alert = window.prompt = window.confirm = () => console.log(`ran ${told()}`);
    window.shown = [];
})()"""
# What a person might do, on each element; links that lead to another page are not followed.
POKE = """(document) => {
    document.addEventListener("click", (event) => {
        const link = event.target.closest("a");
        if (link && /^(https?|mailto|tel):$/.test(link.protocol)) event.preventDefault();
    }, true);
    const events = ["mouseover", "pointerenter", "focus", "focusin", "copy", "toggle", "error", "animationstart",
        "load"];
    for (const element of document.querySelectorAll("*")) {
        for (const kind of events) element.dispatchEvent(new Event(kind));
        const click = new (document.defaultView ?? window).MouseEvent("click", { bubbles: true, cancelable: true });
        element.dispatchEvent(click);
    }
}"""
# Whatever the browser was told to load has been asked for before this, and a script of it had its turn.
SETTLE = """() => new Promise((resolve) => {
    const image = new Image();
    image.onload = image.onerror = () => requestAnimationFrame(() => setTimeout(resolve));
    image.src = "/settled.gif";
})"""


@dataclass
class Watch:
    """What the browser did besides showing the page."""

    page: Page
    answers: dict[str, tuple[str, str, dict[str, str]]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def answer(self, route: Route) -> None:
        """Give what is there, refuse the rest."""
        path = route.request.url.removeprefix(SITE)
        if path in self.answers:
            kind, body, headers = self.answers[path]
            route.fulfill(body=body.encode(), headers={"Content-Type": kind} | headers)
            return
        if path != "/settled.gif":
            self.asked.append(route.request.url)
        route.abort()

    def refuse(self, dialog: Dialog) -> None:
        """A dialog, too, means that something ran."""
        self.ran.append("dialog")
        dialog.dismiss()

    def show(self, body: str, kind: str = "text/html; charset=utf-8", **headers: str) -> None:
        """Open a page that consists of ``body``, do everything to it, and wait until all is quiet."""
        if kind.startswith("text/html"):
            body = f"<!doctype html><title>page</title><body>{body}"
        self.answers["/page"] = (kind, body, headers)
        self.page.goto(f"{SITE}/page")
        self.page.evaluate(f"() => ({POKE})(document)")
        self.page.evaluate(SETTLE)

    @property
    def quiet(self) -> bool:
        """Whether nothing ran, nothing was asked for, and the page is where and what it was."""
        return (self.ran, self.asked, self.page.url, len(self.page.frames)) == ([], [], f"{SITE}/page", 1)


@pytest.fixture(scope="module")
def window() -> Iterator[Watch]:
    """One window of one browser for all: each page that is opened in it has nothing of the one before."""
    with launched() as browser, browser.new_context() as context:
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(ALARM)
        page = context.new_page()
        watched = Watch(page)
        context.route("**/*", watched.answer)
        page.on("console", lambda message: watched.ran.extend(re.findall("^ran (.*)", message.text)))
        page.on("dialog", watched.refuse)
        yield watched


@pytest.fixture
def watch(window: Watch) -> Watch:
    """The window, in which every script that runs is heard, and every request."""
    window.page.goto("about:blank")
    for told in (window.answers, window.ran, window.asked):
        told.clear()
    return window


def fit(text: str) -> str:
    """What is to be shown: NUL and lone surrogates replaced."""
    return re.sub("[\0\ud800-\udfff]", "\ufffd", text)


def line(text: str) -> str:
    """The same, as HTML reads line ends."""
    return fit(text).replace("\r\n", "\n").replace("\r", "\n")


def without_surrogates(text: str) -> str:
    """What JSON can say, NUL included."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


# The text in its place, where the page then has it, and what it is to be there.
CONTEXTS: dict[str, tuple[Callable[[str], str], str, Callable[[str], str]]] = {
    "element": (lambda text: f"<p class=it>{escape_html(text)}</p>", "it.textContent", line),
    "double quotes": (lambda text: f'<p class=it title="{escape_html(text)}">x</p>', "it.title", line),
    "single quotes": (lambda text: f"<p class=it title='{escape_html(text)}'>x</p>", "it.title", line),
    "attribute": (lambda text: f"<p class=it {attribute('data-x', text)}>x</p>", "it.dataset.x", line),
    "raw text": (lambda text: f"<textarea class=it>\n{escape_html(text)}</textarea>", "it.value", line),
    "script": (lambda text: f"<script class=it>shown.push({js_string(text)})</script>", "shown[number]", fit),
    "handler": (
        lambda text: f'<b class=it onclick="this.said = {js_string(text)}">x</b>',
        "it.said",
        fit,
    ),
    "json in a script": (
        lambda text: f"<script class=it>shown.push({json_for_script({text: [text]})})</script>",
        "Object.entries(shown[number])[0][1][0]",
        without_surrogates,
    ),
    "json script": (
        lambda text: json_script(text, id="x").replace("<script", "<script class=it", 1),
        "JSON.parse(it.textContent)",
        without_surrogates,
    ),
    "query": (
        lambda text: f'<a class=it href="/look?q={url_component(text)}">x</a>',
        "new URL(it.href).searchParams.get('q')",
        fit,
    ),
    "address": (
        lambda text: f"<a class=it {attribute('href', url(SITE, path=[text], query={text: text}))}>x</a>",
        "decodeURIComponent(new URL(it.href).pathname.slice(1))",
        fit,
    ),
    "style element": (
        lambda text: f"<style>p::before {{ content: {css_string(text)} }}</style><p class=it>x</p>",
        "told(it.previousElementSibling.sheet.cssRules[0].style.content)",
        fit,
    ),
    "style attribute": (
        lambda text: f'<p class=it style="content: {css_string(text)}">x</p>',
        "told(it.style.content)",
        fit,
    ),
}
# CSS serializes a string in double quotes, with escapes of its own (CSSOM, section 2.1).
READ = """(read) => {
    const told = (css) => css.slice(1, -1).replace(/\\\\(?:([0-9a-f]{1,6}) |(.))/g,
        (_, hex, plain) => plain ?? String.fromCodePoint(parseInt(hex, 16)));
    const get = new Function("it", "number", "told", `return ${read}`);
    return [...document.querySelectorAll(".it")].map((it, number) => get(it, number, told));
}"""


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_text_is_shown_and_none_runs(context: str, watch: Watch) -> None:
    """Given hundreds of hostile texts in one page, each is read back as it was, and Chromium does nothing else."""
    place, read, shown = CONTEXTS[context]
    watch.show("\n".join(place(text) for text in ALL))
    assert watch.quiet, (watch.ran, watch.asked, watch.page.url)
    assert watch.page.evaluate(READ, read) == [shown(text) for text in ALL]


def test_a_link_from_outside_runs_nothing(watch: Watch) -> None:
    """Each text as an address: what ``attribute`` does not refuse leads to a page, when it is clicked, or nowhere."""
    links = []
    for text in ALL:
        try:
            links.append(f"<a class=it {attribute('href', text)}>x</a>")
        except DataError:
            continue
    watch.show("\n".join(links))
    assert watch.quiet, (watch.ran, watch.asked)
    schemes = watch.page.evaluate(READ, "it.protocol")
    assert len(schemes) == len(links)
    assert set(schemes) <= {"https:", "http:", "mailto:", "tel:"}
    assert len(links) < len(ALL)


def test_cleaned_html_runs_nothing(watch: Watch) -> None:
    """Each text as HTML that is to stay HTML: what the sanitizer leaves is put into the page as it is."""
    kept = []
    for text in ALL:
        try:
            kept.append(f"<div>{clean_html(text, HtmlPolicy())}</div>")
        except DataError:
            continue
    assert len(kept) > len(ALL) // 2
    watch.show("\n".join(kept))
    assert watch.quiet, (watch.ran, watch.asked)


def test_a_response_is_no_page(watch: Watch) -> None:
    """Each text in a JSON response that somebody opens as a page: it is text."""
    answer = Responses(Data[list[str]]).render({"data": ALL})
    watch.show(answer.body.decode(), **dict(answer.headers), kind=answer.headers["content-type"])
    assert watch.quiet, (watch.ran, watch.asked)
    assert json.loads(watch.page.locator("pre").text_content() or "") == {
        "data": [without_surrogates(text) for text in ALL]
    }


def test_a_download_has_one_header_and_is_no_page(watch: Watch) -> None:
    """Texts as names of a file, and all as cells: the browser reads one header, and takes the file for a download."""
    watch.show("<p>x</p>")
    names = ALL[::3]  # each is a request of its own
    for number, text in enumerate(names):
        watch.answers[f"/{number}"] = ("text/csv", "x", {"Content-Disposition": content_disposition(text)})
    found: list[Any] = watch.page.evaluate(
        """(count) => Promise.all(Array.from({ length: count }, (_, number) =>
            fetch(`/${number}`).then((answer) => [...answer.headers.keys()])))""",
        len(names),
    )
    assert {tuple(sorted(keys)) for keys in found} == {("content-disposition", "content-length", "content-type")}
    assert watch.quiet, (watch.ran, watch.asked)

    rows = "".join(csv_lines([[text] for text in ALL]))
    watch.answers["/rows"] = ("text/csv", rows, {"Content-Disposition": content_disposition(ALL[0] + ".csv")})
    with watch.page.expect_download() as download:
        watch.page.evaluate("() => { location = '/rows' }")
    assert download.value.path().read_bytes() == rows.encode()
    assert watch.quiet, (watch.ran, watch.asked)


FRAMES = """async (texts) => {
    const loads = texts.map((text, number) => new Promise((resolve) => {
        const frame = document.createElement("iframe");
        frame.dataset.number = number;
        frame.onload = resolve;
        frame.srcdoc = text;
        document.body.append(frame);
    }));
    await Promise.all(loads);
    for (const frame of document.querySelectorAll("iframe")) {
        if (frame.contentDocument) (POKE)(frame.contentDocument);
    }
}""".replace("POKE", POKE)


def test_as_they_are_they_would_run(watch: Watch) -> None:
    """The control: put into the same browser without an encoder, most of them run or ask for something."""
    watch.show("<p>x</p>")
    # A frame for each takes its time: the first of each kind will do, and all that lead elsewhere.
    chosen = [
        (kind, text)
        for kind, payloads in PAYLOADS.items()
        for number, text in enumerate(payloads)
        if number < 6 or "evil.test/" in text
    ]
    raw = [at_home(kind, text) for kind, text in chosen]
    watch.page.evaluate(FRAMES, [text.encode(errors="replace").decode() for text in raw])
    watch.page.evaluate(SETTLE)
    ran = {int(number) for number in watch.ran if number.isdigit()}
    assert {chosen[number][0] for number in ran} >= PAYLOADS.keys() - {"going elsewhere"}
    assert len(ran) > len(chosen) // 2
    elsewhere = {address.rpartition("/")[2] for address in watch.asked if "evil.test/" in address}
    assert elsewhere >= {"refresh", "location", "beacon", "fetch", "image", "pixel.gif", "quote.gif", "frame", "x.js"}


def test_there_are_enough_of_them() -> None:
    """At least two hundred, each once."""
    assert len(set(ALL)) == len(ALL) >= 200
