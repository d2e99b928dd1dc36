"""What it costs to decide who may do what, and how many logins a second the password hash leaves room for."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from postrmagic_core.database import DatabaseManager
from postrmagic_core.sessions import KeyRing, SessionStore
from postrmagic_core.stores import open_store

from .._harness import Bench, Case
from .costs import DATA, USER

# More than any load here makes anybody wait: what is measured is the rate, not who gives up.
_PATIENCE = 60.0
_PASSWORD = "four plain words, typed again"  # noqa: S105  of a user who is nobody


@dataclass(frozen=True)
class _Poster:
    owner_id: str


def authorized(bench: Bench) -> None:
    """``authz_check_us``: the slowest kind of decision; ``authz_identity_us``: with the user's roles looked up before.

    The user has one role of three levels, with an allow, an allow for own objects, and a deny.
    """
    from postrmagic_core.security import Access, Role, Roles, User
    from postrmagic_core.security.tables import metadata

    roles = Roles(
        [
            Role("viewer", allow=["media:read"]),
            Role("editor", inherits=["viewer"], allow=["media:create", "media:edit:own"], deny=["media:delete"]),
            Role("curator", inherits=["editor"], allow=["tags:*"]),
            Role("admin", allow=["*:*"]),
        ]
    )
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        database = opened.enter_context(DatabaseManager(f"sqlite:///{folder / 'app.db'}"))
        with database.write() as tx:
            metadata.create_all(tx.connection)
        # So old that the look-up is measured where it finds the roles in the process, as most requests do.
        access = opened.enter_context(Access(roles, database, max_age=3600.0))
        access.grant(USER, "curator", actor=None)

        @access.policy("tags:rename")
        def early(who: object, poster: object) -> bool | None:
            return True if poster is not None else None

        who, own, other = User(USER, frozenset({"curator"})), _Poster(USER), _Poster("somebody else")
        expected = [
            ("allowed by an inherited role", "media:read", other, True),
            ("allowed as the owner", "media:edit", own, True),
            ("refused: not the owner", "media:edit", other, False),
            ("refused: denied", "media:delete", own, False),
            ("allowed by a policy, too", "tags:rename", other, True),
        ]
        for name, permission, poster, answer in expected:
            if access.check(who, permission, poster) is not answer:
                raise AssertionError(f"{permission} was expected to be {name}")
        cases = [Case(name, partial(access.check, who, permission, poster)) for name, permission, poster, _ in expected]
        looked_up = Case(
            "roles looked up, then as the owner", lambda: access.check(access.identity(USER), "media:edit", own)
        )
        rounds = bench.repeats(60, 10)
        found = bench.pair("whether somebody may", [*cases, looked_up], rounds=rounds, calls=10, batch=200)
        bench.figure("authz_check_us", max(found[case.name].median for case in cases) * 1e6)
        bench.figure("authz_identity_us", found[looked_up.name].median * 1e6)


def logins(bench: Bench) -> None:
    """``login_rate``: logins a second, as many at once as the machine has cores; ``login_rate.one``: one by one.

    The password is verified at the default cost (argon2id), and a session begun in memory. ``login_ms`` is what one
    takes by itself.
    """
    from postrmagic_core.security import Passwords

    concurrency = max(2, os.cpu_count() or 2)
    with ExitStack() as opened:
        store = opened.enter_context(closing(open_store("memory://")))
        sessions = opened.enter_context(SessionStore(store, KeyRing([secrets.token_urlsafe(48)])))
        passwords = opened.enter_context(Passwords(concurrency=concurrency, wait=_PATIENCE))
        stored = passwords.hash(_PASSWORD)

        def login() -> None:
            if not passwords.verify(_PASSWORD, stored).ok:
                raise AssertionError("the right password was expected to be right")
            session = sessions.load(None)
            session.login(USER)
            session.data.update(DATA)
            sessions.save(session)

        for threads, figure in ((1, "login_rate.one"), (concurrency, "login_rate")):
            title, duration = f"a login, {threads} at once", bench.repeats(15, 2)
            found = bench.load(title, [Case("login", login)], duration=duration, rounds=3, threads=threads)
            bench.figure(figure, found["login"].rate)
            if threads == 1:
                bench.figure("login_ms", found["login"].median * 1e3)
