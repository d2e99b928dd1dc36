"""What a program does that was written against version 1: every operation once, through the generated client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import pytest

from media_library.client import (
    Client,
    ClientError,
    Deletion,
    ItemFailed,
    Me,
    MediumItemDone,
    NotModified,
    Revision,
    SecondStepNeeded,
)
from media_library.seed import DEMO
from media_library.smoke import NEWCOMER
from tests.app.exchanges import Around

# Two pictures of 3 x 4 and 4 x 3 pixels, as they were sent when the exchanges were recorded.
PORTRAIT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000003000000040802000000c44f12500000001049444154789c6390d50e862006"
    "bc2c008ef007455267031a0000000049454e44ae426082"
)
LANDSCAPE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000040000000308020000003b9639910000001049444154789c63f8bf98018e18"
    "7072008a3e13993c7f24870000000049454e44ae426082"
)
NEXT = "nine boats at low tide"


class Programs(Around, Protocol):
    """What stands around a program that uses the generated client."""

    def client(self, agent: str, token: str | None = None) -> Client:
        """The client of ``agent``, who keeps the cookies of a session, or sends ``token``."""
        ...


@dataclass(frozen=True)
class Program:
    """The calls, in their order; what is asserted is what such a program relies on."""

    around: Programs

    def run(self) -> None:
        """All of them."""
        page = self.log_in()
        script, token_id = self.issue_a_token(page)
        first, second = self.upload(script)
        self.around.settle()
        self.read(script, first, second)
        self.change(script, first, second)
        self.be_told(page)
        self.answer_a_program(page)
        self.administrate()
        self.be_a_newcomer()
        script.delete_medium(first)
        self.is_refused("media.not_found", lambda: script.show_medium(first))
        page.revoke_token(token_id)
        self.is_refused("authentication.required", script.list_media)
        page.log_out()

    def log_in(self) -> Client:
        """By a password; a wrong one is refused."""
        page = self.around.client("page")
        self.is_refused("authentication.required", page.show_me)
        self.is_refused("login.refused", lambda: page.log_in(name="demo", password="wrong"))
        me = page.log_in(**DEMO).data
        assert isinstance(me, Me)
        assert (me.name, me.roles, me.admin) == ("demo", ["user"], False)
        assert page.show_me().data == me
        return page

    def issue_a_token(self, page: Client) -> tuple[Client, str]:
        """For a script, which asks for nothing but media."""
        made = page.issue_token(
            name="backup",
            permissions=["media:create", "media:delete:own", "media:edit:own", "media:read:own"],
            days=7,
            password=DEMO["password"],
        ).data
        (listed,) = page.list_tokens().data
        assert listed == made.about
        assert listed.permissions == ["media:create", "media:delete:own", "media:edit:own", "media:read:own"]
        script = self.around.client("script", made.token)
        self.is_refused("access.denied", script.list_tokens)
        return script, listed.id

    def upload(self, script: Client) -> tuple[int, int]:
        """Two pictures, the first one twice; what is no picture is refused."""
        first = script.add_medium(file=("jazz.png", PORTRAIT), title="Jazz at Dusk", idempotency_key="attempt-1")
        again = script.add_medium(file=("again.png", PORTRAIT))
        second = script.add_medium(file=("slam.png", LANDSCAPE))
        assert (first.status, again.status, second.status) == (201, 200, 201)
        assert again.data.id == first.data.id
        assert first.location is not None
        assert (second.data.title, second.data.thumbnail) == ("slam", None)
        refused = self.is_refused("data.invalid", lambda: script.add_medium(file=("no.png", b"no picture")))
        assert [error.pointer for error in refused.errors] == ["/file"]
        return first.data.id, second.data.id

    def read(self, script: Client, first: int, second: int) -> None:
        """Lists, pages, searches, files and figures."""
        page = script.list_media(limit=1, sort="title")
        assert page.next is not None
        rest = script.list_media(limit=1, sort="title", after=page.next)
        assert ([one.id for one in [*page.items, *rest.items]], rest.next) == ([first, second], None)
        assert [one.id for one in script.list_media_all(q="jazz", orientation=["portrait"])] == [first]
        self.is_refused("data.invalid", lambda: script.list_media(sort="colour"))
        medium = script.show_medium(first)
        assert (medium.data.type, medium.data.width, medium.data.height) == ("image/png", 3, 4)
        assert medium.data.colours
        with pytest.raises(NotModified):
            script.show_medium(first, if_none_match=medium.etag)
        assert script.get_file(first).content == PORTRAIT
        assert script.get_thumbnail(first, accept="image/jpeg").media_type == "image/jpeg"
        stats = script.show_stats()
        assert (stats.data.media, stats.data.bytes) == (2, len(PORTRAIT) + len(LANDSCAPE))
        assert stats.meta.cache_hit_rate >= 0

    def change(self, script: Client, first: int, second: int) -> None:
        """One by the version that was read, and several at once."""
        read = script.show_medium(first)
        changed = script.change_medium(first, tags=["jazz", "outdoor"], if_match=read.etag)
        assert (changed.data.title, changed.data.tags) == ("Jazz at Dusk", ["jazz", "outdoor"])
        self.is_refused("precondition.failed", lambda: script.change_medium(first, title="Mine", if_match=read.etag))
        assert [(tag.name, tag.count) for tag in script.list_tags().data] == [("jazz", 1), ("outdoor", 1)]
        items: list[Revision | Deletion] = [
            {"action": "change", "id": first, "title": "Jazz"},
            {"action": "delete", "id": second},
        ]
        many = script.change_media(items=[*items, *items])
        assert [type(item) for item in many.data] == [MediumItemDone, MediumItemDone, MediumItemDone, ItemFailed]
        assert (many.meta.succeeded, many.meta.failed) == (3, 1)

    def be_told(self, page: Client) -> None:
        """Notifications, read up to the last that was shown."""
        told = page.list_notifications()
        assert (told.data[0].kind, told.data[0].amount, told.meta.unread) == ("posters_ready", 2, 1)
        page.read_notifications(until=told.data[0].changed_at)
        assert page.list_notifications().meta.unread == 0

    def answer_a_program(self, page: Client) -> None:
        """One that asks is shown, allowed, denied; one that was allowed is ended."""
        asked = self.around.asked()
        shown = page.preview_authorization(query=asked).data
        assert (shown.client.name, shown.host, [scope.name for scope in shown.scopes]) == (
            "Wall of Posters",
            "127.0.0.1:8401",
            ["media.read"],
        )
        allowed = page.decide_authorization(query=asked, allow=True, scopes=["media.read"]).data.location
        denied = page.decide_authorization(query=asked, allow=False).data.location
        assert "code=" in allowed
        assert "error=access_denied" in denied
        refused = self.is_refused("authorization.refused", lambda: page.preview_authorization(query="client_id=none"))
        assert refused.status == 400
        (connected,) = page.list_authorizations().data
        assert connected.client == shown.client
        page.revoke_authorization(connected.id)
        self.is_refused("authorization.not_found", lambda: page.revoke_authorization(connected.id))

    def administrate(self) -> None:
        """Accounts, roles and why, and the audit log."""
        keeper = self.around.client("keeper")
        keeper.log_in(name="keeper", password=DEMO["password"])
        first = keeper.list_users(limit=2)
        users = {user.name: user.id for user in [*first.items, *keeper.list_users(limit=2, after=first.next).items]}
        assert sorted(users) == ["demo", "guest", "keeper"]
        assert "admin" in [role.name for role in first.meta.roles]
        guest = users["guest"]
        assert keeper.grant_role(guest, "admin").data.roles == ["admin", "user"]
        assert keeper.show_roles(guest).data.roles == ["admin", "user"]
        assert keeper.revoke_role(guest, "admin").data.roles == ["user"]
        assert not keeper.explain_permission(guest, permission="audit:read").data.allowed
        assert keeper.list_audit(limit=1, action="role.granted").data[0].detail == {"role": "admin"}

    def be_a_newcomer(self) -> None:
        """An account of one's own: passwords, a second factor, sessions."""
        newcomer, elsewhere = self.around.client("newcomer"), self.around.client("elsewhere")
        assert newcomer.sign_up(**NEWCOMER).data.name == "newcomer"
        newcomer.change_password(current=NEWCOMER["password"], new=NEXT)
        assert not newcomer.show_factor().data.enabled
        secret = newcomer.enrol_factor(password=NEXT).data.secret
        newcomer.confirm_factor(code=self.around.code(secret))
        codes = newcomer.renew_recovery_codes(password=NEXT).data.recovery_codes
        step = elsewhere.log_in(name="newcomer", password=NEXT).data
        assert isinstance(step, SecondStepNeeded)
        elsewhere.log_in_with_code(code=self.around.code(secret))
        (other,) = [device for device in newcomer.list_devices().data if not device.current]
        newcomer.end_device(other.id)
        self.is_refused("authentication.required", elsewhere.show_me)
        elsewhere.log_in(name="newcomer", password=NEXT)
        elsewhere.log_in_with_code(recovery_code=codes[0])
        newcomer.end_other_devices()
        assert len(newcomer.list_devices().data) == 1
        newcomer.disable_factor(password=NEXT)
        elsewhere.reset_password(token=self.around.reset("newcomer"), password=NEWCOMER["password"])
        elsewhere.log_in(**NEWCOMER)

    @staticmethod
    def is_refused(code: str, ask: Callable[[], object]) -> ClientError:
        """What is told; programs decide by the code."""
        with pytest.raises(ClientError) as refused:
            ask()
        assert refused.value.code == code
        return refused.value
