"""The application's Stack, and what it adds to it."""

from __future__ import annotations

from postrmagic_core.stack import Stack

from .accounts import Accounts
from .library import Library
from .storage import Storage

stack = Stack.from_env()
accounts = Accounts(stack.database)
library = Library(stack.database, stack.cache, stack.events, Storage(stack.settings.stack.data_dir / "media"))
stack.provide(library=library)
stack.include("media_library.tasks")
