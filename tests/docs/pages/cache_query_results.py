"""A database with posters, and a store."""

from __future__ import annotations

from sqlalchemy import select, text

from postrmagic_core.cache import CacheManager, QueryCache
from postrmagic_core.database import DatabaseManager
from postrmagic_core.stores import open_store
from tests.docs.given import Tag, make_tables, media
from tests.docs.playing import Page


def play(page: Page) -> None:
    """Each write that the page shows ends the answers to what it wrote."""
    db = DatabaseManager("sqlite:///var/app.db")
    with db:
        make_tables(db)
    store = open_store("memory://")
    page.names.update(db=db, store=store, select=select, media=media, text=text, Tag=Tag)
    assert page.run(1)["rows"] == []
    db = page.names["db"] = DatabaseManager("sqlite:///var/app.db")  # the page's own is closed with its block
    with db, CacheManager(store, database=db) as cache:
        with db.write() as tx:
            tx.execute(media.insert().values(id=7, user_id=8))
        page.names["queries"] = queries = QueryCache(cache, db)
        newest = page.names["newest"]
        queries.rows(newest, fresh=60)
        page.run(1)
        assert queries.rows(newest, fresh=60) == [(8, "Fair")]
        page.run()
        assert db.rows(select(media.c.views).order_by(media.c.id)) == [(1,), (0,)]
