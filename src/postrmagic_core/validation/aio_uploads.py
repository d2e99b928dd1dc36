"""The async face of :mod:`.uploads`: the same names, with their blocking steps on threads of their own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .._bridge import Bridge
from .._lifecycle import Lifecycle
from . import uploads
from .interface import ImageInfo, ImagePolicy
from .uploads import ReceivedUpload, Receiving

if TYPE_CHECKING:
    from .multipart import FormReader

_CHUNK = 256 * 1024


class AsyncUploads(Lifecycle):
    """``async with AsyncUploads() as uploads: await uploads.receive(request.stream(), policy, directory)``.

    ``threads`` bounds how many files are written, and how many images are decoded, at once: each has that many.
    Raises :class:`NotOpen` outside ``async with``.
    """

    def __init__(self, threads: int = 2) -> None:
        super().__init__()
        self._disk = Bridge(threads, "postrmagic-uploads")
        self._decoders = Bridge(threads, "postrmagic-decoders")

    async def receive(self, source: AsyncIterable[bytes], policy: ImagePolicy, directory: Path | str) -> ReceivedUpload:
        """:func:`.uploads.receive` from an async iterator: cancelled, or cut off by the client, it leaves no file."""
        self.ensure_open()
        receiving = await self._disk.lift(partial(Receiving, policy, Path(directory)), undo=Receiving.abandon)
        try:
            async with aclosing(_gathered(source)) as pieces:
                async for piece in pieces:
                    await self._disk.lift(partial(receiving.write, piece))
            return await self._disk.lift(receiving.finish)
        except BaseException:
            receiving.abandon()  # at once: nothing may be awaited in a task that is being cancelled
            raise

    async def read_form(self, source: AsyncIterable[bytes], reader: FormReader) -> list[tuple[str, object]]:
        """Feed ``reader`` from an async iterator; the pairs that :meth:`.FormReader.judge` gives.

        On any error, and cancelled, the caller lets the reader abandon what it holds.
        """
        self.ensure_open()
        async with aclosing(_gathered(source)) as pieces:
            async for piece in pieces:
                await self._disk.lift(partial(reader.feed, piece))
        await self._disk.lift(reader.end)
        return await self._decoders.lift(reader.judge)

    async def inspect(self, path: Path | str, policy: ImagePolicy, *, name: str | None = None) -> ImageInfo:
        """:func:`.uploads.inspect`."""
        self.ensure_open()
        return await self._decoders.lift(partial(uploads.inspect, path, policy, name=name))

    async def render(
        self,
        path: Path | str,
        *,
        width: int,
        height: int | None = None,
        format: Literal["WEBP", "JPEG", "PNG"] = "WEBP",
        quality: int = 80,
        policy: ImagePolicy | None = None,
    ) -> bytes:
        """:func:`.uploads.render`."""
        self.ensure_open()
        return await self._decoders.lift(
            partial(uploads.render, path, width=width, height=height, format=format, quality=quality, policy=policy)
        )

    def _open(self) -> None:
        """Nothing to do: threads start with their first work."""

    def _close(self) -> None:
        self._disk.close()
        self._decoders.close()


async def _gathered(source: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """What comes, in pieces that are worth a change of threads."""
    waiting = bytearray()
    async for chunk in source:
        waiting += chunk
        if len(waiting) >= _CHUNK:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)
