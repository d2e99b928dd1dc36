"""The texts that run inside Redis: ``redis_scripts/*.lua``, each after the shared prelude."""

from __future__ import annotations

from ...stores.redis_client import Lua

_HERE = "postrmagic_core.jobs.adapters"

PUT = Lua.of(_HERE, "put")
# A full server takes no new jobs, but those that it has are run, end and make room.
TURN = Lua.of(_HERE, "turn", "flags=allow-oom")
RENEW = Lua.of(_HERE, "renew", "flags=allow-oom")
ALTER = Lua.of(_HERE, "alter", "flags=allow-oom")
RING = Lua.of(_HERE, "ring", "flags=allow-oom")
COUNTS = Lua.of(_HERE, "counts", "flags=no-writes")
