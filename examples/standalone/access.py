"""Roles alone: declared as data, given to users in a database, and every decision explained."""

from postrmagic_core.database import DatabaseManager
from postrmagic_core.security import Access, Role, Roles

roles = Roles(
    [
        Role("viewer", allow=["poster:read"]),
        Role("editor", inherits=["viewer"], allow=["poster:edit:own"], deny=["poster:delete"]),
    ],
    permissions=["poster:read", "poster:edit", "poster:delete"],
)


class Poster:
    owner_id = "alice"


database = DatabaseManager("sqlite:///app.db")
with database, Access(roles, database) as access:
    database.upgrade()
    access.grant("alice", "editor", actor=None)
    alice, poster = access.identity("alice"), Poster()
    print(access.explain(alice, "poster:edit", poster))
    print(access.explain(alice, "poster:delete", poster))
    access.revoke("alice", "editor", actor=None)
    print(access.check(access.identity("alice"), "poster:edit", poster))
