"""Accounts in a real Chromium: every flow by keyboard alone, every view without a violation that axe would find."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from pyotp.totp import TOTP

from media_library.seed import DEMO
from tests.app.chromium import told_but, violations
from tests.app.served import Served, serving
from tests.chromium import PATIENCE_MS

pytestmark = pytest.mark.browser

PASSWORD, NEW = "seven lanterns over water", "eight paper boats at dawn"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, furnished: Path) -> Iterator[Served]:
    """The running site, with the accounts ``demo``, ``guest`` and ``keeper``."""
    directory = tmp_path_factory.mktemp("accounts")
    # Time enough for requests that cross, and soon over.
    with serving("uvicorn-h11", directory, furnished, POSTRMAGIC_SESSIONS__ROTATION_GRACE="1") as served:
        yield served


@pytest.fixture
def person(chromium: Browser, site: Served) -> Iterator[Callable[[], Page]]:
    """Opens the page in a browser of its own each time; what it is refused is told in the page, and nothing else."""
    complaints: list[str] = []
    opened = []

    def open_page() -> Page:
        context = chromium.new_context(viewport={"width": 1200, "height": 900})
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: complaints.extend(told_but(message, 401, 403, 409, 410, 422, 429)))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(site.origin)
        return page

    yield open_page
    for context in opened:
        context.close()
    assert complaints == []


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus, and see that it shows."""
    for _ in range(60):
        if wanted.evaluate("element => element === document.activeElement"):
            outline = wanted.evaluate("element => getComputedStyle(element).outlineStyle")
            assert outline == "solid", "the focus cannot be seen"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {wanted}")


def press(page: Page, wanted: Locator, key: str = "Enter") -> None:
    """Go to a button or link, and press a key there."""
    tab_to(page, wanted)
    page.keyboard.press(key)


def type_into(page: Page, field: Locator, text: str) -> None:
    """Go to a field and type."""
    tab_to(page, field)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def own_password(page: Page) -> Locator:
    """The field for the password in the form of the second factor that is shown."""
    return page.locator("#begin-factor, #manage-factor").get_by_label("Your password").locator("visible=true")


def sign_up(page: Page, name: str) -> None:
    """By keyboard, from the login."""
    press(page, page.get_by_role("link", name="Sign up"))
    expect(page.locator("#new-name")).to_be_focused()
    page.keyboard.type(name)
    type_into(page, page.locator("#first-password"), PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """By keyboard."""
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type(name)
    type_into(page, page.locator("#password"), password)
    page.keyboard.press("Enter")


def open_account(page: Page) -> None:
    """By keyboard."""
    press(page, page.get_by_role("link", name="Account", exact=True))
    expect(page.get_by_role("heading", name="Your account")).to_be_focused()
    expect(page.locator("#devices li")).not_to_have_count(0)


def two_codes(secret: str) -> tuple[str, str]:
    """The code before the present one, which still counts, and the present one; with a while left to type both."""
    app = TOTP(secret.replace(" ", ""))
    while time.time() % app.interval > app.interval - 12:
        time.sleep(0.2)
    now = int(time.time())
    return app.at(now - app.interval), app.at(now)


def set_up_factor(page: Page) -> tuple[str, list[str]]:
    """By keyboard, from the account's page: the code that is left for a login, and the recovery codes."""
    type_into(page, own_password(page), PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#first-code")).to_be_focused()
    shown = page.locator("#qr")
    expect(shown).to_have_attribute("src", re.compile("^data:image/svg"))
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    first, second = two_codes(page.locator("#secret").inner_text())
    page.keyboard.type(first)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Keep these recovery codes")).to_be_focused()
    return second, page.locator("#recovery-list code").all_inner_texts()


def log_out(page: Page) -> None:
    """By keyboard."""
    press(page, page.get_by_role("button", name="Log out"))
    expect(page.locator("#name")).to_be_focused()


@pytest.mark.soak
def test_a_person_without_a_mouse_signs_up_and_is_told_what_is_wrong(person: Callable[[], Page]) -> None:
    """At each field, which then has the focus; put right, they are in."""
    page = person()
    press(page, page.get_by_role("link", name="Sign up"))
    name, password = page.locator("#new-name"), page.locator("#first-password")
    expect(name).to_be_focused()
    page.keyboard.type("demo")
    type_into(page, password, "short")
    page.keyboard.press("Enter")
    expect(name).to_be_focused()
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_have_accessible_description(re.compile("Is taken already"))
    page.keyboard.press("Control+A")
    page.keyboard.type("newcomer")
    page.keyboard.press("Enter")
    expect(password).to_be_focused()
    expect(name).not_to_have_attribute("aria-invalid", "true")
    expect(password).to_have_accessible_description(re.compile("15 characters or more.*Use at least 15 characters"))
    page.keyboard.press("Control+A")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Posters")).to_be_focused()
    expect(page.get_by_role("status").first).to_have_text("Welcome, newcomer.")


def test_a_person_without_a_mouse_logs_in_in_two_steps(person: Callable[[], Page]) -> None:
    """Sets a second factor up, logs in by its code, then by a recovery code, and turns it off."""
    page = person()
    sign_up(page, "careful")
    open_account(page)
    code, spare = set_up_factor(page)
    assert len(spare) == 10
    press(page, page.get_by_role("button", name="I have kept them"), "Space")
    expect(page.get_by_role("heading", name="Second factor")).to_be_focused()
    expect(page.locator("#recovery-list li")).to_have_count(0)
    assert page.locator("#secret").inner_text() == ""
    log_out(page)

    log_in(page, "careful")
    expect(page.get_by_label("Code of your authenticator app")).to_be_focused()
    page.keyboard.type("000000")
    page.keyboard.press("Enter")
    expect(page.locator("#second-factor").get_by_role("alert")).to_have_text(re.compile("wrong or was used"))
    expect(page.locator("#code")).to_be_focused()
    page.keyboard.type(code)  # in place of the wrong one, which is selected
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Posters")).to_be_focused()
    log_out(page)

    log_in(page, "careful")
    expect(page.locator("#code")).to_be_focused()
    press(page, page.get_by_role("button", name="Use a recovery code instead"))
    expect(page.get_by_label("Recovery code", exact=True)).to_be_focused()
    page.keyboard.type(spare[0].lower())
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    open_account(page)
    expect(page.locator("#factor-status")).to_contain_text("9 recovery codes are left.")
    type_into(page, own_password(page), "wrong")
    press(page, page.get_by_role("button", name="Turn it off"))
    expect(own_password(page)).to_be_focused()
    expect(own_password(page)).to_have_accessible_description("This is not your password.")
    page.keyboard.press("Control+A")
    page.keyboard.type(PASSWORD)
    press(page, page.get_by_role("button", name="Turn it off"))
    expect(page.locator("#factor-status")).to_contain_text("Off.")
    expect(page.get_by_role("status").first).to_have_text("Your second factor is off.")


def test_a_person_without_a_mouse_ends_a_device_and_changes_the_password(person: Callable[[], Page]) -> None:
    """The other browser is out at its next step, and told so."""
    here, there = person(), person()
    sign_up(here, "roaming")
    log_in(there, "roaming")
    expect(there.get_by_role("button", name="Log out")).to_be_visible()
    open_account(here)
    devices = here.locator("#devices li")
    expect(devices).to_have_count(2)
    expect(devices.filter(has_text="this device")).to_have_count(1)
    expect(devices.first).to_contain_text("Chrome on Linux")
    press(here, here.get_by_role("button", name=re.compile("End the session of Chrome on Linux, last seen")))
    expect(devices).to_have_count(1)
    expect(here.get_by_role("heading", name="Devices")).to_be_focused()
    expect(here.get_by_role("status").first).to_have_text("The session of Chrome on Linux is ended.")
    there.keyboard.press("Escape")
    press(there, there.get_by_role("link", name="Account", exact=True))
    expect(there.locator("#name")).to_be_focused()
    expect(there.get_by_role("status").first).to_have_text("You are logged out.")

    log_in(there, "roaming")
    expect(there.get_by_role("heading", name="Your account")).to_be_visible()
    type_into(here, here.get_by_label("Present password"), PASSWORD)
    type_into(here, here.locator("#next"), NEW)
    here.keyboard.press("Enter")
    expect(here.get_by_role("status").first).to_have_text(re.compile("Your password is changed"))
    there.reload()
    expect(there.get_by_role("heading", name="Log in")).to_be_visible()
    here.reload()
    expect(here.get_by_role("heading", name="Your account")).to_be_visible()


@pytest.mark.soak
def test_a_person_without_a_mouse_makes_a_token_and_revokes_it(person: Callable[[], Page], site: Served) -> None:
    """What is wrong is told at its field; the token is shown once, works, and is out once it is revoked."""
    page = person()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_up(page, "scripting")
    open_account(page)
    name, password = page.locator("#token-name"), page.locator("#token-password")
    type_into(page, name, "backup at night")
    press(page, page.get_by_label("See your posters"), "Space")
    type_into(page, page.get_by_label("For how many days"), "7")
    type_into(page, password, "wrong")
    page.keyboard.press("Enter")
    everything, may = page.get_by_label("All that you may"), page.get_by_label("See your posters")
    expect(everything).to_be_focused()
    expect(page.get_by_role("group", name="What it may do")).to_have_accessible_description("Choose what it may do.")
    press(page, may, "Space")
    press(page, page.get_by_role("button", name="Make a token"))
    expect(password).to_be_focused()
    expect(password).to_have_accessible_description("This is not your password.")
    expect(everything).not_to_have_attribute("aria-invalid", "true")
    page.keyboard.press("Control+A")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Copy this token now")).to_be_focused()
    token = page.locator("#token-text").inner_text()
    press(page, page.get_by_role("button", name="Copy"))
    expect(page.get_by_role("status").first).to_have_text("The token is copied.")
    assert page.evaluate("navigator.clipboard.readText()") == token
    with site.client(headers={"Authorization": f"Bearer {token}"}) as script:
        assert script.get("/api/v1/media").status_code == 200
        assert script.get("/api/v1/notifications").status_code == 403
    (made,) = page.locator("#tokens li").all()
    expect(made).to_contain_text("backup at night")
    expect(made).to_contain_text("See your posters")
    expect(made).to_contain_text("never used")
    press(page, page.get_by_role("button", name="I have kept it"))
    expect(page.get_by_role("heading", name="API tokens")).to_be_focused()
    assert token not in page.content()
    press(page, page.get_by_role("button", name=re.compile("Revoke the token backup at night, made")))
    expect(page.locator("#tokens li")).to_have_count(0)
    expect(page.get_by_role("heading", name="API tokens")).to_be_focused()
    expect(page.get_by_role("status").first).to_have_text("The token backup at night is revoked.")
    with site.client(headers={"Authorization": f"Bearer {token}"}) as script:
        assert script.get("/api/v1/media").status_code == 401


@pytest.mark.soak
def test_a_token_is_offered_what_its_owner_may(person: Callable[[], Page]) -> None:
    """An administrator's may administrate; of others that is not asked. To see is what is chosen at first."""
    page = person()
    for name, extra in (("keeper", 3), ("guest", 0)):
        log_in(page, name, DEMO["password"])
        expect(page.get_by_role("button", name="Log out")).to_be_visible()
        open_account(page)
        expect(page.get_by_label("See your posters")).to_be_checked()
        expect(page.locator("#token-permissions :checked")).to_have_count(1)
        expect(page.locator("#token-permissions .some label:visible")).to_have_count(5 + extra)
        page.get_by_label("All that you may").check()
        expect(page.get_by_label("See your posters")).to_be_hidden()
        page.locator("#token-name").fill("everything")
        page.locator("#token-password").fill(DEMO["password"])
        page.get_by_role("button", name="Make a token").click()
        expect(page.locator("#tokens li")).to_contain_text("All that you may")
        log_out(page)
        page.goto(page.url.partition("#")[0])


@pytest.mark.soak
def test_a_link_of_the_operator_s_sets_a_password(person: Callable[[], Page], site: Served) -> None:
    """Its token leaves the address at once and is sent to nobody but the site; a used link says so."""
    page = person()
    sign_up(page, "forgetful")
    log_out(page)
    link = _reset_link(site, "forgetful")
    page.goto(link)
    expect(page.locator("#reset-password")).to_be_focused()
    assert page.evaluate("location.href") == f"{site.origin}/"
    page.keyboard.type(NEW)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_have_text("Your password is set. Log in with it.")
    log_in(page, "forgetful", NEW)
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    again = person()
    again.goto(link)
    expect(again.locator("#reset-password")).to_be_focused()
    again.keyboard.type(NEW)
    again.keyboard.press("Enter")
    expect(again.get_by_role("alert").filter(has_text="This link was used")).to_be_visible()
    token = link.partition("#reset=")[2]
    assert token not in (site.directory / "site.log").read_text()


def _reset_link(site: Served, name: str) -> str:
    import os
    import subprocess
    import sys

    from tests.app.served import ROOT

    environment = {key: value for key, value in os.environ.items() if not key.startswith("POSTRMAGIC_")}
    environment |= {"POSTRMAGIC_STACK__DATA_DIR": str(site.directory), "POSTRMAGIC_STACK__ENVIRONMENT": "test"}
    run = [sys.executable, "-m", "media_library", "reset-link", name, "--url", site.origin]
    done = subprocess.run(run, cwd=ROOT / "examples", env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


@pytest.mark.soak
def test_a_person_without_a_mouse_gives_and_takes_roles(person: Callable[[], Page]) -> None:
    """And asks why, and sees it in the audit log; for others there is no such page."""
    page = person()
    log_in(page, "keeper", DEMO["password"])
    press(page, page.get_by_role("link", name="Admin"))
    expect(page.get_by_role("heading", name="Administration")).to_be_focused()
    role = page.get_by_role("button", name="admin, role of guest")
    expect(role).to_have_attribute("aria-pressed", "false")
    press(page, role, "Space")
    expect(role).to_have_attribute("aria-pressed", "true")
    expect(role).to_be_focused()
    expect(page.locator("#audit tr").first).to_contain_text("role.granted")
    page.keyboard.press("Space")
    expect(role).to_have_attribute("aria-pressed", "false")
    own = page.get_by_role("button", name="admin, role of keeper")
    press(page, own)
    expect(page.get_by_role("status").first).to_contain_text("Somebody must have the role admin")
    press(page, page.get_by_role("button", name="Explain"))
    expect(page.get_by_label("Explanation")).to_contain_text("may media:read:own: allowed by")
    log_out(page)

    log_in(page, "guest", DEMO["password"])
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    expect(page.get_by_role("link", name="Admin")).to_be_hidden()
    page.goto(f"{page.url.partition('#')[0]}#admin")
    expect(page.get_by_role("heading", name="Administration")).to_be_hidden()


@pytest.mark.soak
def test_whoever_was_robbed_is_told_at_the_login(person: Callable[[], Page], site: Served) -> None:
    """Given an id that was replaced and is used after its grace: the page says why everybody is out."""
    page = person()
    sign_up(page, "robbed")
    cookies = {each.get("name"): each.get("value") for each in page.context.cookies()}
    with site.client(headers={"Cookie": f"__Host-session={cookies['__Host-session']}"}) as owner:
        change = {"current": PASSWORD, "new": NEW}
        changed = owner.post("/api/v1/account/password", json=change)
    assert changed.status_code == 204
    time.sleep(1.2)  # the site's grace is a second here
    page.reload()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    expect(page.get_by_role("status").first).to_contain_text("somebody used an old key to your session")


@pytest.mark.soak
def test_axe_finds_nothing(person: Callable[[], Page]) -> None:
    """Contrast, names, roles and order on each view of accounts, with errors shown too."""
    page = person()
    page.emulate_media(reduced_motion="reduce")
    found = {"login": violations(page)}
    press(page, page.get_by_role("link", name="Sign up"))
    found["sign-up"] = violations(page)
    page.locator("#new-name").fill("demo")
    page.locator("#first-password").fill("short")
    page.keyboard.press("Enter")
    expect(page.locator("#new-name-error")).not_to_be_empty()
    found["sign-up with errors"] = violations(page)
    page.locator("#new-name").fill("axe")
    page.locator("#first-password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    open_account(page)
    found["account, password and devices"] = violations(page)
    own_password(page).fill(PASSWORD)
    page.get_by_role("button", name="Set up a second factor").click()
    expect(page.locator("#first-code")).to_be_focused()
    found["enrolment"] = violations(page)
    first, _ = two_codes(page.locator("#secret").inner_text())
    page.locator("#first-code").fill(first)
    page.keyboard.press("Enter")
    expect(page.locator("#recovery-list li")).to_have_count(10)
    found["recovery codes"] = violations(page)
    page.get_by_role("button", name="Log out").click()
    log_in(page, "axe")
    expect(page.locator("#code")).to_be_focused()
    found["second step"] = violations(page)
    page.get_by_role("button", name="Use a recovery code instead").click()
    found["second step by recovery code"] = violations(page)
    page.goto(f"{page.url.partition('#')[0]}#reset=none")
    expect(page.locator("#reset-password")).to_be_focused()
    found["new password"] = violations(page)
    page.goto(page.url.partition("#")[0])
    page.reload()
    log_in(page, "keeper", DEMO["password"])
    page.get_by_role("link", name="Admin").click()
    expect(page.locator("#audit tr")).not_to_have_count(0)
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_label("Explanation")).to_be_visible()
    found["administration"] = violations(page)
    assert {view: each for view, each in found.items() if each} == {}
    assert len(found) == 10


@pytest.mark.soak
def test_axe_finds_nothing_about_tokens(person: Callable[[], Page]) -> None:
    """With an error at the choices, with a token that was just made, and with what it may listed."""
    page = person()
    log_in(page, "guest", DEMO["password"])
    open_account(page)
    page.locator("#token-name").fill("backup at night")
    page.get_by_label("See your posters").uncheck()
    page.locator("#token-password").fill(DEMO["password"])
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#token-permissions-error")).to_have_text("Choose what it may do.")
    found = {"a token that may nothing": violations(page)}
    page.get_by_label("See your posters").check()
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#token-text")).not_to_be_empty()
    found["a new token"] = violations(page)
    assert found == {"a token that may nothing": [], "a new token": []}


@pytest.mark.soak
def test_a_narrow_screen_never_scrolls_sideways(person: Callable[[], Page]) -> None:
    """The account's page and the administrators' (WCAG 1.4.10)."""
    page = person()
    log_in(page, "keeper", DEMO["password"])
    for link, there in (("Account", "#devices li"), ("Admin", "#audit tr")):
        page.get_by_role("link", name=link, exact=True).click()
        expect(page.locator(there)).not_to_have_count(0)
        for width in (320, 768):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (link, width)
