"""Tables, mail, and a server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sqlalchemy import func, select

from postrmagic_core.errors import UniqueViolation
from tests.docs.given import Tag, make_tables, posters, tags
from tests.docs.playing import Page


def play(page: Page) -> None:
    """Rows are written, read and renamed; a message is sent once."""
    page.instead["mysql://app:secret@db/media"] = "sqlite:///var/app.db"
    sent: list[str] = []
    page.names.update(posters=posters, tags=tags, Tag=Tag, select=select, UniqueViolation=UniqueViolation)
    page.names.update(count=select(func.count()).select_from(posters), first_page=select(posters).limit(20))
    page.names.update(statement=select(posters.c.name), serve=lambda: None)
    page.names["smtp"] = SimpleNamespace(send=lambda body, message_id: sent.append(message_id))

    def rename_in_tx(tx: Any, poster_id: int, name: str) -> None:
        tx.execute(posters.update().where(posters.c.id == poster_id).values(name=name))

    page.names["rename_in_tx"] = rename_in_tx
    db = page.run(1)["db"]
    with db:
        make_tables(db)
        page.run()
        assert db.outbox_counts() == {}
    assert len(sent) == 1
