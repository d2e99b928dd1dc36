"""Which rights a user lacks without which a server hides what there is, or does not take it back."""

from __future__ import annotations

import re
from collections.abc import Callable

from .session import Opened

_HIDDEN = {"TRIGGER": "triggers", "EVENT": "events", "EXECUTE": "routines"}
_GRANTED = """
SELECT privilege_type FROM information_schema.user_privileges WHERE grantee = %s
UNION SELECT privilege_type FROM information_schema.schema_privileges
WHERE grantee = %s AND DATABASE() LIKE table_schema
"""


# With any of these a user may make what a binary log does not trust, or may be trusted to.
_TRUSTED = frozenset({"SUPER", "BINLOG ADMIN", "BINLOG_ADMIN", "SYSTEM_VARIABLES_ADMIN", "SET_ANY_DEFINER"})
_STORED = re.compile(rb"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:AGGREGATE\s+)?(FUNCTION|TRIGGER)\b", re.IGNORECASE)
_SAFE = re.compile(rb"\bDETERMINISTIC\b|\bNO\s+SQL\b|\bREADS\s+SQL\s+DATA\b", re.IGNORECASE)


def distrusting(server: Opened) -> Callable[[bytes], bool]:
    """Whether the server refuses a statement that makes a function or trigger, since it has a binary log.

    https://dev.mysql.com/doc/refman/9.4/en/stored-programs-logging.html
    """
    ((logs, trusts),) = server.rows("SELECT @@log_bin, @@log_bin_trust_function_creators")
    granted = _granted(server)
    trusted = granted is None or not _TRUSTED.isdisjoint(granted)

    def refuses(statement: bytes) -> bool:
        found = _STORED.match(statement) if logs and not trusts else None
        if found is None:
            return False
        return not trusted or (found[1].upper() == b"FUNCTION" and _SAFE.search(statement) is None)

    return refuses


def hidden(server: Opened) -> list[str]:
    """What may be in the database and cannot be seen; nothing is told of who has rights by a role."""
    granted = _granted(server)
    lacking = [] if granted is None else [right for right in _HIDDEN if right not in granted]
    return [f"the user lacks the right {right}, without which no {_HIDDEN[right]} are seen" for right in lacking]


def _granted(server: Opened) -> set[str] | None:
    """The rights in this database; ``None`` of who has some by a role."""
    ((user, role),) = server.rows("SELECT CURRENT_USER(), CURRENT_ROLE()")
    if role not in (None, "", "NONE"):
        return None
    name, _, host = user.rpartition("@")
    grantee = f"'{name}'@'{host}'"
    return {right for (right,) in server.rows(_GRANTED, grantee, grantee)}
