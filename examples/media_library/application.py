"""The application: accounts and a library on a Stack, whichever Stack that is."""

from __future__ import annotations

from dataclasses import dataclass

from postrmagic_core.stack import Stack

from . import tables, tasks
from .accounts import Accounts
from .library import Library
from .storage import Storage


@dataclass(frozen=True, slots=True)
class Application:
    """What the web process, the worker, the command line and the tests share."""

    stack: Stack
    accounts: Accounts
    library: Library

    def prepare(self) -> None:
        """Create the directories and the tables; what is there stays. The Stack must be open."""
        self.library.storage.prepare()
        with self.stack.database.write() as tx:
            tables.create(tx.connection)


def assemble(stack: Stack) -> Application:
    """The application on ``stack``; opens nothing."""
    storage = Storage(stack.settings.stack.data_dir / "media")
    library = Library(stack.database, stack.cache, stack.events, storage)
    stack.provide(library=library)
    stack.include(tasks)
    return Application(stack, Accounts(stack.database), library)
