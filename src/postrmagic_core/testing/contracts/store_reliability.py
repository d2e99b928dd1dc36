"""The reliability promises of a store on a server."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from postrmagic_core._bridge import Bridge
from postrmagic_core.stores import AsyncStoreFace, Store
from postrmagic_core.stores.scripts import GCRA
from postrmagic_core.testing.contracts.reliability import ReliabilityContract
from postrmagic_core.testing.contracts.rig import Budget
from postrmagic_core.testing.contracts.store_scripts import APPEND


@dataclass(frozen=True)
class Client:
    """A store and its async face."""

    store: Store
    bridge: Bridge
    face: AsyncStoreFace


class StoreReliabilityContract(ReliabilityContract[Client]):
    """The reliability promises for a store on a server: a subclass supplies ``server`` and :meth:`open`."""

    budget: ClassVar[Budget] = Budget(call=1.0)
    effect_bytes: ClassVar[bytes] = b"effect="

    def open(self, url: str) -> Store:
        """Override: a store on the server at ``url``, with a time-out of a quarter of a second."""
        raise NotImplementedError("supply open(url), for example open_store(url, timeout=0.25)")

    def make(self, url: str) -> Client:
        """Open a store."""
        bridge, store = Bridge(4), self.open(url)
        return Client(store, bridge, AsyncStoreFace(store, bridge))

    def close(self, subject: Client) -> None:
        """Close the store."""
        subject.store.close()
        subject.bridge.close()

    def prepare(self, url: str) -> None:
        """Let the server learn the Script and make its tables, so that one request carries out one effect."""
        client = self.make(url)
        client.store.run(APPEND, [b"effects"], [b"effect="])
        self.close(client)

    def operation(self, subject: Client) -> object:
        """Read a key."""
        return subject.store.get([b"effects"])

    def effect(self, subject: Client, token: str) -> object:
        """Append the token to a value."""
        return subject.store.run(APPEND, [b"effects"], [b"effect=" + token.encode()])

    def effects(self, subject: Client) -> Counter[str]:
        """The tokens in the value."""
        lines = (subject.store.get([b"effects"])[0] or b"").decode().split()
        return Counter(line.removeprefix("effect=") for line in lines if line != "effect=")

    def tagged(self, subject: Client, tag: str) -> str:
        """Write the tag under its own name and read it."""
        key = tag.encode()
        subject.store.set({key: key}, 60_000)
        return (subject.store.get([key])[0] or b"").decode()

    async def tagged_async(self, subject: Client, tag: str) -> str:
        """The same, awaited."""
        key = tag.encode()
        await subject.face.set({key: key}, 60_000)
        return ((await subject.face.get([key]))[0] or b"").decode()

    def decide(self, subject: Client) -> bool:
        """Ask for a permit that there is."""
        return subject.store.run(GCRA, [b"bucket"], [1, 1_000_000])[0] == 1
