"""The main job, run without a person: start the application, do what a user does and what an attacker tries.

It speaks as the users of the interface do, through the client that is made of its specification: a browser by the
cookie of a session, a script by an access token. Prints what happened as a table; exit status 0 when everything did
what it should. Of a site that runs elsewhere neither files nor log are seen: what looks at them is left out.
"""

from __future__ import annotations

import io
import json
import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
from PIL import Image
from pyotp.totp import TOTP
from rich.console import Console
from rich.table import Table

from .client import (
    ApiError,
    Client,
    ItemFailed,
    Me,
    Medium,
    Notification,
    NotModified,
    SecondStepNeeded,
    UnexpectedAnswer,
)
from .hostile import hostile_files
from .posters import POSTERS, Poster, draw
from .running import LOG, PATIENCE, application
from .seed import DEMO

NEWCOMER = {"name": "newcomer", "password": "seven lanterns over water"}
GUEST = DEMO | {"name": "guest"}


class Broken(Exception):
    """A step did not do what it should; the message says what happened instead."""


class Browser(Client):
    """A browser, as far as a script needs one: ``http`` keeps the cookies, and asks what no client would."""

    def __init__(self, http: httpx.Client) -> None:
        super().__init__(http=http)
        self.http = http
        http.event_hooks["response"].append(self._take_cookies)

    def _take_cookies(self, _: httpx.Response) -> None:
        # Browsers send Secure cookies to this very machine over plain HTTP, too; httpx does not.
        for cookie in self.http.cookies.jar:
            cookie.secure = False


@dataclass(frozen=True)
class Cast:
    """Who takes part, each as a name and a password: whose library it is, a stranger, and somebody who signs up."""

    owner: dict[str, str] = field(default_factory=lambda: DEMO)
    guest: dict[str, str] = field(default_factory=lambda: GUEST)
    newcomer: dict[str, str] = field(default_factory=lambda: NEWCOMER)

    @classmethod
    def fresh(cls) -> Cast:
        """Three whom no site knows yet, with passwords that nobody else does."""
        run = secrets.token_hex(4)
        return cls(*({"name": f"smoke-{who}-{run}", "password": secrets.token_urlsafe(18)} for who in "agn"))


@dataclass
class Smoke:
    """The steps, in order; each returns what is worth telling. ``data``: the application's directory, if it is here."""

    page: Browser
    guest: Browser
    newcomer: Browser
    elsewhere: Browser
    http: httpx.Client
    data: Path | None
    cast: Cast = field(default_factory=Cast)
    seed: int = field(default_factory=lambda: secrets.randbelow(2**32))  # a site may have seen the smoke before
    script: Client = field(init=False)
    uploaded: dict[str, int] = field(default_factory=dict)
    request_id: str | None = None
    token_id: str = ""

    def log_in(self) -> str:
        """A wrong password is refused; the right one opens a session with careful cookies."""
        _refused("authentication.required", self.page.show_me)
        _refused("login.refused", lambda: self.page.log_in(**self.cast.owner | {"password": "wrong"}))
        answer = self.page.log_in(**self.cast.owner)
        for cookie in answer.headers.get_list("set-cookie"):
            flags = {part.strip().lower() for part in cookie.split(";")[1:]}
            _check({"secure", "httponly", "samesite=lax", "path=/"} <= flags, f"careless cookie: {flags}")
        return self.page.show_me().data.name

    def issue_a_token(self) -> str:
        """Shown once, for a script that may do with media what its owner may, and nothing with the account."""
        made = self.page.issue_token(
            name="smoke",
            password=self.cast.owner["password"],
            permissions=["media:create", "media:read:own", "media:edit:own", "media:delete:own"],
            days=1,
        ).data
        self.script = Client(http=self.http, token=made.token)
        self.token_id = made.about.id
        _check([one.id for one in self.page.list_tokens().data] == [self.token_id], "the token is not listed")
        _refused("access.denied", self.script.list_tokens)
        return f"{made.about.name}, until {made.about.expires_at:%Y-%m-%d}"

    def upload_posters(self) -> str:
        """Real JPEG, PNG and WebP files are taken; the same file again is recognised."""
        for poster in POSTERS:
            made = self.script.add_medium(file=(poster.filename, draw(poster, seed=self.seed)), title=poster.title)
            _check(made.status == 201, f"{poster.filename} was there already")
            self.uploaded[poster.title] = made.data.id
            self.request_id = made.request_id
        again = self.script.add_medium(file=("copy.jpeg", draw(POSTERS[0], seed=self.seed)))
        first = self.uploaded[POSTERS[0].title]
        _check(again.status == 200 and again.data.id == first, "the same file became a second medium")
        return f"{len(self.uploaded)} posters, one of them twice"

    def refuse_hostile_files(self) -> str:
        """Each is answered with a problem document and leaves nothing behind."""
        before = len(self._media())
        own = {"Sec-Fetch-Site": "same-origin"}
        for name, data, why in hostile_files():
            files = {"file": (name, data, "application/octet-stream")}
            answer = self.page.http.post("/api/v1/media", files=files, headers=own)
            _check(answer.status_code in {400, 413, 422}, f"{why}: {answer.status_code} {answer.text[:200]}")
            _check(answer.headers["content-type"] == "application/problem+json", f"{why}: no problem document")
            _check(len(answer.text) < 1000, f"{why}: the answer repeats the input")
        _check(len(self._media()) == before, "a hostile file became a medium")
        if self.data is not None:
            incoming = self.data / "media" / "incoming"  # where thumbnails under way pass through, too
            _wait(lambda: not list(incoming.iterdir()), "a hostile file stayed on disk")
        return f"{len(hostile_files())} refused"

    def wait_for_thumbnails(self) -> str:
        """Every poster gets its thumbnail from the worker, in WebP or JPEG as the client likes."""
        _wait(lambda: all(medium.thumbnail for medium in self._media()), "thumbnails are missing")
        for media_id in self.uploaded.values():
            for accepted, format_ in (("image/jpeg", "JPEG"), ("image/webp", "WEBP")):
                content = self.script.get_thumbnail(media_id, accept=accepted).content
                picture = Image.open(io.BytesIO(content))
                odd = f"odd thumbnail: {picture.size} {picture.format}"
                _check((picture.width, picture.format) == (320, format_), odd)
        return f"{len(self.uploaded)} of 320 px"

    def wait_for_details(self) -> str:
        """Every poster's colours and orientation are told, and the figures come to count every poster."""
        _wait(lambda: all(medium.colours for medium in self._media()), "colours are missing")
        turned = {medium.orientation for medium in self._media()}
        _check(turned == {"portrait"}, f"odd posters: {turned}")
        _wait(lambda: self._counted() == len(self.uploaded), "the figures do not count every poster")
        stats = self.script.show_stats().data
        uploads = [month.uploads for month in stats.activity or []]
        _check(len(uploads) == 12 and sum(uploads) == len(self.uploaded), f"odd months: {uploads}")
        return f"{(stats.colours or [])[0].colour} most often, {sum(uploads)} uploads in a year"

    def _counted(self) -> int:
        return sum(kind.count for kind in self.script.show_stats().data.types or [])

    def be_told(self) -> str:
        """Every poster that became ready is told, and what was seen is not new any more."""
        _wait(
            lambda: any(told.amount == len(self.uploaded) for told in self._told()), "a poster is not told to be ready"
        )
        line = self._told()[0]
        self.page.read_notifications(until=line.changed_at)
        _check(self._told()[0].read, "what was seen is still new")
        return line.message

    def _told(self) -> list[Notification]:
        return [line for line in self.page.list_notifications().data if line.kind == "posters_ready"]

    def follow_a_request(self) -> str:
        """What the worker did for an upload is found in the log under that request's id."""
        if self.data is None:
            return "left out: the log is not here"
        log = self.data / LOG
        wanted = {"request", "thumbnails made", "details extracted"}
        _wait(lambda: wanted <= self._logged(log), f"{self.request_id} is not in the log of {wanted}")
        return f"{len(wanted)} records of one request"

    def _logged(self, log: Path) -> set[str]:
        records = (json.loads(line) for line in log.read_text().splitlines())
        return {record["event"] for record in records if record.get("request_id") == self.request_id}

    def tag_and_search(self) -> str:
        """Words, beginnings, exclusions and tags find what they should; other people's tags and hyphens do no harm."""
        for poster in POSTERS:
            self.script.change_medium(self.uploaded[poster.title], tags=poster.tags)
        cases: dict[str, Callable[[Poster], bool]] = {
            "market": lambda poster: "Market" in poster.title,
            "MARKET -flea": lambda poster: poster.title == "Street Food Market",
            "cont*": lambda poster: poster.title == "Contemporary Dance",
            "repair cafe": lambda poster: poster.title == "Repair Café",
            "the of": lambda poster: poster.title == "Night of the Long Films",
            "tag:night": lambda poster: "night" in poster.tags,
            "tag:outdoor -tag:music": lambda poster: "outdoor" in poster.tags and "music" not in poster.tags,
            "at": lambda poster: poster.title == "Jazz at Dusk",
            "') OR 1=1 --": lambda poster: False,
        }
        for query, wanted in cases.items():
            expected = {poster.title for poster in POSTERS if wanted(poster)}
            found = {medium.title for medium in self.script.list_media_all(q=query)}
            _check(found == expected, f"{query!r} found {sorted(found)} instead of {sorted(expected)}")
        return f"{len(cases)} queries"

    def count(self) -> str:
        """The statistics follow every change at once."""
        stats = self.script.show_stats().data
        _check(stats.media == len(self.uploaded), f"{stats.media} media counted")
        names = [tag.name for tag in stats.tags]
        _check(names[0] == "outdoor", f"most used tag is {names[0]}")
        _check([tag.name for tag in self.script.list_tags().data] == names, "the list of tags is another")
        return f"{stats.media} media, {stats.bytes // 1024} KiB, {len(names)} tags"

    def page_through(self) -> str:
        """Page by page, each medium comes once and in order; and all of them in the other order."""
        pages = [self.script.list_media(sort="title", limit=3)]
        while (after := pages[-1].next) is not None:
            pages.append(self.script.list_media(sort="title", limit=3, after=after))
        titles = [medium.title for page in pages for medium in page.items]
        _check(sorted(titles) == sorted(self.uploaded) and len(pages) > 1, f"{len(pages)} pages hold {titles}")
        _check([medium.title for medium in self.script.list_media_all(sort="-title")] == titles[::-1], "another order")
        return f"{len(pages)} pages"

    def change_what_was_read(self) -> str:
        """A change goes by the version that was read: of two who read the same, the second is told."""
        media_id = self.uploaded[POSTERS[0].title]
        read = self.script.show_medium(media_id)
        changed = self.script.change_medium(media_id, title="Renamed", if_match=read.etag)
        _refused("precondition.failed", lambda: self.page.change_medium(media_id, title="Other", if_match=read.etag))
        try:
            self.page.show_medium(media_id, if_none_match=changed.etag)
        except NotModified:
            pass
        else:
            raise Broken("what did not change was sent again")
        back = self.script.change_medium(media_id, title=POSTERS[0].title, if_match=changed.etag)
        return f"{changed.data.title} and {back.data.title}"

    def change_many(self) -> str:
        """One request, and each item succeeds or fails by itself."""
        first, second, *_ = self.uploaded.values()
        answer = self.script.change_media(
            items=[
                {"action": "change", "id": first, "tags": ["at once"]},
                {"action": "delete", "id": 10**12},
                {"action": "change", "id": second, "tags": ["at once"]},
            ]
        )
        failed = [item.problem.code for item in answer.data if isinstance(item, ItemFailed)]
        _check(failed == ["media.not_found"] and answer.meta.succeeded == 2, f"{answer.meta} and {failed}")
        found = {medium.id for medium in self.script.list_media_all(tag="at once")}
        _check(found == {first, second}, f"{found} have the tag")
        return f"{answer.meta.succeeded} done, {answer.meta.failed} refused"

    def download(self) -> str:
        """The original comes back byte for byte."""
        poster = POSTERS[0]
        with tempfile.TemporaryDirectory(prefix="media-library-") as directory:
            saved = self.script.get_file_to(self.uploaded[poster.title], Path(directory) / "downloaded")
            _check(saved.path.read_bytes() == draw(poster, seed=self.seed), "it is not what was uploaded")
        return f"{saved.size // 1024} KiB of {saved.media_type}"

    def sign_up(self) -> str:
        """A password that is too easy is refused; a new account begins with an empty library and no other rights."""
        easy = _refused("data.invalid", lambda: self.newcomer.sign_up(**self.cast.newcomer | {"password": "short"}))
        _check(easy.errors[0].pointer == "/password", f"told of {easy.errors[0]}")
        who = self.newcomer.sign_up(**self.cast.newcomer).data
        _check(who.roles == ["user"] and not self.newcomer.list_media().items, f"a new account has {who}")
        _refused("access.denied", self.newcomer.list_users)
        return f"{who.name} is a {who.roles[0]}"

    def add_a_second_factor(self) -> str:
        """Enrolled by its first code; from then on the password alone opens nothing, and no code works twice."""
        newcomer = self.cast.newcomer
        shown = self.newcomer.enrol_factor(password=newcomer["password"]).data
        app = TOTP(shown.secret.replace(" ", ""))
        # The code before the present one still counts: so the present one is left for the login.
        first, second = _two_codes(app)
        codes = self.newcomer.confirm_factor(code=first).data.recovery_codes
        self.newcomer.log_out()
        step = self.newcomer.log_in(**newcomer).data
        _check(isinstance(step, SecondStepNeeded), "the password was enough")
        _refused("authentication.required", self.newcomer.list_media)
        _refused("login.code_refused", lambda: self.newcomer.log_in_with_code(code=first))
        self.newcomer.log_in_with_code(code=second)
        self.elsewhere.log_in(**newcomer)
        self.elsewhere.log_in_with_code(recovery_code=codes[0])
        return f"one login by code, one by recovery code of {len(codes)}"

    def end_a_device(self) -> str:
        """Both sessions are listed; the other one is ended and out at once."""
        devices = self.newcomer.list_devices().data
        others = [device for device in devices if not device.current]
        _check(len(devices) == 2 and len(others) == 1, f"{len(devices)} devices, {len(others)} others")
        self.elsewhere.show_me()
        self.newcomer.end_device(others[0].id)
        _refused("authentication.required", self.elsewhere.show_me)
        self.newcomer.show_me()
        return f"one of {len(devices)}"

    def keep_strangers_out(self) -> str:
        """Another user sees none of it, by list, by id or by file."""
        guest, one = self.guest, self.uploaded[POSTERS[0].title]
        who = guest.log_in(**self.cast.guest).data
        _check(isinstance(who, Me) and not guest.list_media().items, "a stranger sees media")
        asks: list[Callable[[int], object]] = [guest.show_medium, guest.get_file, guest.get_thumbnail]
        asks += [guest.delete_medium, partial(guest.change_medium, title="mine")]
        for ask in asks:
            _refused("media.not_found", partial(ask, one))
        return "404 everywhere"

    def delete(self) -> str:
        """A deleted medium is gone from lists, counts and disk."""
        title, media_id = self.uploaded.popitem()
        size = self.script.show_medium(media_id).data.size
        files = len(self._stored())
        self.script.delete_medium(media_id)
        _refused("media.not_found", lambda: self.script.show_medium(media_id))
        _check(title not in {medium.title for medium in self._media()}, "it is still listed")
        _wait(lambda: len(self._stored()) == max(0, files - 1), "its file is still there")
        return f"{title}, {size // 1024} KiB"

    def revoke_the_token(self) -> str:
        """The script is nobody from its next request on."""
        self.page.revoke_token(self.token_id)
        _refused("authentication.required", self.script.list_media)
        return "the script is refused"

    def log_out(self) -> str:
        """The old cookie is worth nothing afterwards."""
        cookie = f"__Host-session={self.page.http.cookies['__Host-session']}"
        self.page.log_out()
        # No client keeps a cookie that it was told to drop.
        status = httpx.get(f"{self.page.http.base_url}/api/v1/me", headers={"Cookie": cookie}).status_code
        _check(status == 401, f"the old cookie is answered with {status}")
        return "old cookie refused"

    def _media(self) -> list[Medium]:
        return list(self.script.list_media_all())

    def _stored(self) -> list[Path]:
        """The files of media; of a site elsewhere none are seen."""
        found = self.data / "media" / "blobs" if self.data is not None else None
        return [path for path in found.rglob("*") if path.is_file()] if found is not None else []

    def steps(self) -> list[Callable[[], str]]:
        """All of them, in order."""
        return [
            self.log_in,
            self.issue_a_token,
            self.upload_posters,
            self.refuse_hostile_files,
            self.wait_for_thumbnails,
            self.wait_for_details,
            self.be_told,
            self.follow_a_request,
            self.tag_and_search,
            self.count,
            self.page_through,
            self.change_what_was_read,
            self.change_many,
            self.download,
            self.sign_up,
            self.add_a_second_factor,
            self.end_a_device,
            self.keep_strangers_out,
            self.delete,
            self.revoke_the_token,
            self.log_out,
        ]


def run(urls: str) -> int:
    """Run every step against the backends named in ``urls`` (``embedded`` or ``mysql+redis``); the exit status."""
    with application(urls) as (address, directory):
        status = _tell(f"media library on {urls}", address, directory, Cast())
        if status and (directory / LOG).exists():
            print((directory / LOG).read_text(errors="replace")[-4000:])
        return status


def run_at(url: str) -> int:
    """Run the steps against a site that runs already, with new accounts that stay there; the exit status."""
    url, cast = url.rstrip("/"), Cast.fresh()
    for account in (cast.owner, cast.guest):
        with httpx.Client(base_url=url, timeout=30) as http:
            try:
                Browser(http).sign_up(**account)
            except (ApiError, UnexpectedAnswer, httpx.HTTPError) as error:
                Console().print(f"nobody can sign up at {url}: {error}", markup=False)
                return 1
    return _tell(f"media library at {url}", url, None, cast)


def _tell(title: str, address: str, data: Path | None, cast: Cast) -> int:
    console, table, colour = Console(), Table("step", "what happened", "ms", title=title), "green"
    with ExitStack() as resources:
        *others, http = [resources.enter_context(httpx.Client(base_url=address, timeout=30)) for _ in range(5)]
        page, guest, newcomer, elsewhere = map(Browser, others)
        for step in Smoke(page, guest, newcomer, elsewhere, http, data, cast).steps():
            started = time.monotonic()
            try:
                outcome = step()
            except (Broken, ApiError, UnexpectedAnswer, httpx.HTTPError) as error:
                outcome, colour = str(error) or type(error).__name__, "red"
            elapsed = f"{(time.monotonic() - started) * 1000:.0f}"
            table.add_row(step.__name__.replace("_", " "), f"[{colour}]{outcome}[/{colour}]", elapsed)
            if colour == "red":
                break
    console.print(table)
    return int(colour == "red")


def _two_codes(app: TOTP) -> tuple[str, str]:
    """The code before the present one and the present one, with a few seconds left to use both."""
    while time.time() % app.interval > app.interval - 5:
        time.sleep(0.2)
    now = int(time.time())
    return app.at(now - app.interval), app.at(now)


def _wait(until: Callable[[], bool], otherwise: str) -> None:
    started = time.monotonic()
    while not until():
        _check(time.monotonic() - started < PATIENCE, otherwise)
        time.sleep(0.05)


def _refused(code: str, ask: Callable[[], object]) -> ApiError:
    """What the server says as it refuses; it is :class:`Broken` not to, or to do it with another code."""
    try:
        ask()
    except ApiError as error:
        _check(error.code == code, f"expected {code}, got {error}")
        return error
    raise Broken(f"expected {code}, and it was done")


def _check(fine: bool, otherwise: str) -> None:
    if not fine:
        raise Broken(otherwise)
