"""A job may do what who enqueued it may do when it runs, not what they could when they asked for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from postrmagic_core.jobs import task
from postrmagic_core.log import bind
from postrmagic_core.security.access import Access, AccessDenied, Role, Roles, requires
from postrmagic_core.stack import Stack
from postrmagic_core.testing.capture import embedded_settings

published: list[int] = []
refused: list[str] = []


@requires("media:publish", obj="media")
def publish(media: dict[str, Any]) -> None:
    """A service function: a request may call it too."""
    published.append(media["id"])


@task(retries=0)
def publish_later(ctx: Any, media_id: int) -> None:
    """The user's id came with the job; their roles are looked up now."""
    who = ctx.access.identity(ctx.carried["user_id"])
    with ctx.access.acting(who):
        try:
            publish({"id": media_id, "owner_id": 7})
        except AccessDenied as error:
            refused.append(f"{who.id} {error.permission}")


def test_a_job_is_refused_what_was_revoked_after_it_was_enqueued(tmp_path: Path) -> None:
    """Of two users who enqueue the same, one loses the role before the worker starts (OWASP ASVS 8.3.3)."""
    published.clear()
    refused.clear()
    with Stack(embedded_settings(tmp_path), configure_logging=False) as stack:
        roles = Roles([Role("editor", allow=["media:publish"])])
        with Access(roles, stack.database) as access:
            stack.provide(access=access)
            stack.jobs.include(publish_later)
            handles = []
            for user_id in ("7", "8"):
                access.grant(user_id, "editor", actor=None)
                with bind(user_id=user_id):
                    handles.append(stack.jobs.enqueue(publish_later.call(int(user_id))))
            access.revoke("8", "editor", actor=None)
            with stack.relay(), stack.worker(threads=1):
                for handle in handles:
                    handle.wait(20)
            assert published == [7]
            assert refused == ["8 media:publish"]
            access.audit.flush()
            (row,) = access.audit.find(action="access.denied")
            assert row.actor == "8"
