"""AsyncRemoteKeys: the same names for asyncio, awaitable."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .keys import SigningKey
    from .remote import RemoteKeys


class AsyncRemoteKeys:
    """The async face of :class:`RemoteKeys`."""

    def __init__(self, keys: RemoteKeys) -> None:
        self._keys = keys

    async def find(self, kid: str) -> SigningKey | None:
        """See :meth:`RemoteKeys.find`; what is known takes no thread."""
        if not self._keys.waits(kid):
            return self._keys.find(kid)
        return await self._keys.bridge.lift(lambda: self._keys.find(kid))

    def waits(self, kid: str) -> bool:
        """See :meth:`RemoteKeys.waits`."""
        return self._keys.waits(kid)
