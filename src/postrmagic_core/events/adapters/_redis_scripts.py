"""The texts that run inside Redis: ``redis_scripts/*.lua``, each after their prelude."""

from __future__ import annotations

from ...stores.redis_client import Lua

_HERE = "postrmagic_core.events.adapters"

PUBLISH = Lua.of(_HERE, "publish")
# Who listens to a full server hears what is there, and what it takes again once there is room.
ATTACH = Lua.of(_HERE, "attach", "flags=allow-oom")
