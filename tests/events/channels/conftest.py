"""Channels on real servers; in a soak on Valkey too."""

from __future__ import annotations

from tests.redis_kinds import (  # noqa: F401 - pytest looks for fixtures and hooks here
    own_redis_server,
    pytest_generate_tests,
    redis_kind,
    redis_url,
    replicated,
    valkey_server,
    valkey_url,
)
