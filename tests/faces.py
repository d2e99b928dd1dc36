"""Both faces of a manager, called alike."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any


class Caller:
    """One face of ``manager``, waited for: with a ``runner`` the async one, which lacks the names ``own``."""

    def __init__(self, manager: Any, runner: asyncio.Runner | None, own: Collection[str] = ()) -> None:
        self.manager = manager
        self._runner = runner
        self._own = own

    def __getattr__(self, name: str) -> Any:
        if self._runner is None or name in self._own:
            return getattr(self.manager, name)
        runner, method = self._runner, getattr(self.manager.aio, name)
        return lambda *args, **options: runner.run(method(*args, **options))
