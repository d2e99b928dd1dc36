"""Who may do what: roles and policy functions decide, every decision can be explained, changes and denials are kept.

::

    roles = Roles([
        Role("viewer", allow=["media:read"]),
        Role("editor", inherits=["viewer"], allow=["media:create", "media:edit:own"], deny=["media:delete"]),
        Role("admin", allow=["*:*"], keep_one=True),
    ])
    access = Access(roles, database).open()
    access.grant("7", "editor", actor="1")

    who = access.identity("7")
    access.require(who, "media:edit", poster)         # AccessDenied, unless poster.owner_id is "7"
    print(access.explain(who, "media:edit", poster))

A deny beats every allow, wherever it is inherited from; what nothing allows is denied.
"""

from ...errors import AccessDenied, LastHolder
from .audit import AuditLog
from .interface import AuditEntry, Explanation, Role, Step, User
from .manager import Access
from .present import acting, present, requires
from .roles import Roles

__all__ = [
    "Access",
    "AccessDenied",
    "AuditEntry",
    "AuditLog",
    "Explanation",
    "LastHolder",
    "Role",
    "Roles",
    "Step",
    "User",
    "acting",
    "present",
    "requires",
]
