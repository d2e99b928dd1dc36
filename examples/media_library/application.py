"""The application: accounts and a library on a Stack, whichever Stack that is."""

from __future__ import annotations

from dataclasses import dataclass

from postrmagic_core.stack import Stack

from . import tables, tasks, warming
from .accounts import Accounts
from .events import PosterDeleted, PosterUploaded
from .library import Library
from .logins import Logins
from .notifications import Notifications
from .pages import Pages
from .recovery import every_row_has_its_file
from .roles import ROLES, SCOPES, decide
from .storage import Storage


@dataclass(frozen=True, slots=True)
class Application:
    """What the web process, the worker, the command line and the tests share."""

    stack: Stack
    accounts: Accounts
    logins: Logins
    library: Library
    pages: Pages
    notifications: Notifications

    def prepare(self) -> None:
        """Create the directories; what is there stays. The tables came with the Stack's opening."""
        self.library.storage.prepare()


def assemble(stack: Stack) -> Application:
    """The application on ``stack``; opens nothing."""
    storage = Storage(stack.settings.stack.data_dir / "media")
    stack.security.use_roles(ROLES)
    stack.security.use_scopes(SCOPES)
    decide(stack.security.access)
    keys = stack.settings.key_ring()
    held = stack.backups.holds
    library = Library(stack.database, stack.cache, stack.events, storage, stack.security.access, keys, held)
    _back_up(stack, storage)
    stack.use_migrations("media_library:migrations", tables.metadata)
    notifications = Notifications(stack.database, stack.cache)
    stack.provide(library=library, notifications=notifications)
    stack.include(tasks)
    _count_features(stack)
    pages = Pages(library, stack.cache)
    warming.register(stack.cache, library, pages)
    accounts = Accounts(stack.database, stack.security, stack.events, stack.clock, keys)
    logins = Logins(accounts, stack.database, stack.security, stack.clock)
    return Application(stack, accounts, logins, library, pages, notifications)


def _count_features(stack: Stack) -> None:
    """Who uses what, by the day: from what happens in the library anyway."""
    count = stack.observability.experience.count
    for event, feature in ((PosterUploaded, "upload"), (PosterDeleted, "delete")):
        stack.events.include(count(event, feature=feature, user=lambda changed: changed.user_id))


def _back_up(stack: Stack, storage: Storage) -> None:
    """The files go with the database; what is restored for a trial is whole when each row has its file."""
    for name, directory in storage.kept.items():
        stack.backups.add_directory(name, directory)
    stack.backups.check(every_row_has_its_file)
