"""The texts that run inside Redis: ``redis_scripts/*.lua``, each after the shared prelude."""

from __future__ import annotations

from importlib.resources import files

from ...stores.redis_client import Lua


def _lua(name: str, flags: str = "") -> Lua:
    # With a first line of this kind the server refuses a script that it must not run (out of memory, a replica, a disk
    # that is full) before the script's first step, never halfway: https://redis.io/docs/latest/develop/programmability/
    folder = files("postrmagic_core.jobs.adapters").joinpath("redis_scripts")
    parts = [folder.joinpath(f"{part}.lua").read_text(encoding="utf-8") for part in ("prelude", name)]
    return Lua("\n".join([f"#!lua {flags}".rstrip(), *parts]))


PUT = _lua("put")
# A full server takes no new jobs, but those that it has are run, end and make room.
TURN = _lua("turn", "flags=allow-oom")
RENEW = _lua("renew", "flags=allow-oom")
ALTER = _lua("alter", "flags=allow-oom")
RING = _lua("ring", "flags=allow-oom")
COUNTS = _lua("counts", "flags=no-writes")
