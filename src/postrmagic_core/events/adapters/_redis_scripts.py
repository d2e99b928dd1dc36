"""The texts that run inside Redis: ``redis_scripts/*.lua``, each after their prelude."""

from __future__ import annotations

from importlib.resources import files

from ...stores.redis_client import Lua


def _lua(name: str, flags: str = "") -> Lua:
    # With a first line of this kind the server refuses a script that it must not run before the script's first step:
    # https://redis.io/docs/latest/develop/programmability/lua-api/#script-flags
    folder = files("postrmagic_core.events.adapters").joinpath("redis_scripts")
    parts = [folder.joinpath(f"{part}.lua").read_text(encoding="utf-8") for part in ("prelude", name)]
    return Lua("\n".join([f"#!lua {flags}".rstrip(), *parts]))


PUBLISH = _lua("publish")
# Who listens to a full server hears what is there, and what it takes again once there is room.
ATTACH = _lua("attach", "flags=allow-oom")
