"""The tables: whether they are what this release needs, and nothing was left half done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import inspect

from ...database.migrating.interface import RESTORE_TABLE, Migrations
from ...database.schema import PACKAGE, state_of
from ...errors import PostrMagicError
from .interface import Finding, Patient, ok, problem, unknown
from .read_only import Missing, Reading, reading

if TYPE_CHECKING:
    from ...database.migrating.interface import SchemaState

_PAGE = "how-to/migrate-your-schema.md"


def look(patient: Patient) -> Iterator[Finding]:
    """The package's history and the application's."""
    try:
        with reading(patient.settings.database_url()) as tx:
            yield from _histories(patient, tx)
    except Missing:
        if patient.production:
            yield problem("there are no tables yet", _upgrade(patient), _PAGE)
        else:
            yield ok("there are no tables yet; development makes them at its first start")
    except PostrMagicError:
        yield unknown("the tables cannot be asked for: see database and files")


def _histories(patient: Patient, tx: Reading) -> Iterator[Finding]:
    if inspect(tx.connection).has_table(RESTORE_TABLE):
        yield problem(
            "a backup is being restored here, or that was interrupted: the tables are not all of one time",
            "wait for who restores it; if nobody does, `postrmagic db restore` again",
            "how-to/recover.md",
        )
    for history in (PACKAGE, application(patient)):
        if history is None:
            yield ok(
                "the application has no migrations by these settings" + ("" if patient.app else "; --app may name some")
            )
            continue
        try:
            yield judged(state_of(tx.connection, history), patient)
        except PostrMagicError as error:
            yield problem(f"the {history.name}'s migrations: {error}", "look at POSTRMAGIC_DATABASE__MIGRATIONS", _PAGE)


def application(patient: Patient) -> Migrations | None:
    """The application's own history, if it has one."""
    if patient.stack is not None:
        return patient.stack.database.migrations
    room = patient.settings.database
    return None if room.migrations is None else Migrations(room.migrations, room.metadata)


def judged(state: SchemaState, patient: Patient) -> Finding:
    """One history."""
    upgrade = _upgrade(patient)
    if state.interrupted:
        return problem(state.told, f"`{upgrade}` goes on with it", _PAGE)
    if state.current:
        return ok(f"the {state.history}'s tables are at {', '.join(sorted(state.found)) or 'no revision'}, the newest")
    if state.expanded:
        return ok(f"the {state.history}'s tables are of a newer release, and this one can live with them")
    if state.unknown:
        return problem(
            f"the {state.history}'s tables are newer than this code: revision {', '.join(sorted(state.unknown))}",
            "deploy the release that has it",
            _PAGE,
        )
    if patient.production or state.found:
        return problem(state.told, f"{upgrade}, before this release starts", _PAGE)
    return ok(f"{state.told}; development runs them at its first start")


def _upgrade(patient: Patient) -> str:
    return "postrmagic db upgrade" + (f" --app {patient.app}" if patient.app else "")
