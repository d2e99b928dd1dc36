"""Which rights a user lacks without which a server hides what there is, and says nothing."""

from __future__ import annotations

from .session import Opened

_HIDDEN = {"TRIGGER": "triggers", "EVENT": "events", "EXECUTE": "routines"}
_GRANTED = """
SELECT privilege_type FROM information_schema.user_privileges WHERE grantee = %s
UNION SELECT privilege_type FROM information_schema.schema_privileges
WHERE grantee = %s AND DATABASE() LIKE table_schema
"""


def hidden(server: Opened) -> list[str]:
    """What may be in the database and cannot be seen; nothing is told of who has rights by a role."""
    ((user, role),) = server.rows("SELECT CURRENT_USER(), CURRENT_ROLE()")
    if role not in (None, "", "NONE"):
        return []
    name, _, host = user.rpartition("@")
    grantee = f"'{name}'@'{host}'"
    granted = {right for (right,) in server.rows(_GRANTED, grantee, grantee)}
    lacking = [right for right in _HIDDEN if right not in granted]
    return [f"the user lacks the right {right}, without which no {_HIDDEN[right]} are seen" for right in lacking]
