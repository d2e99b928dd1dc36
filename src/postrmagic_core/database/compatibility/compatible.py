"""Whether the revisions of a history leave the release working that runs while they are applied.

During a roll-out, and after a roll-back, the release before runs on the new schema. Each revision's ``upgrade`` is run
with operations that are only written down, and judged by the rules of :mod:`.rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from alembic.runtime.migration import RevisionStep
from alembic.script import ScriptDirectory

from ...errors import ConfigurationError, IncompatibleChange, PostrMagicError
from .. import schema
from ..migrating.environment import complaints, known, script
from ..migrating.interface import Migrations
from .apart import apart
from .judging import judged
from .known import Known
from .reasons import Reasons
from .recording import record
from .rules import RULES, Finding

Dialect: TypeAlias = Literal["sqlite", "mysql"]
BOTH: tuple[Dialect, ...] = ("sqlite", "mysql")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found in the revisions ``judged`` of ``history``, in their order, for each of ``dialects``."""

    history: str
    dialects: tuple[Dialect, ...]
    judged: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def compatible(self) -> bool:
        """Whether nothing is refused."""
        return not any(finding.refused for finding in self.findings)

    @property
    def excused(self) -> bool:
        """Whether something is let through for the reason that stands beside it, and by no rule."""
        return any(finding.reason and finding.rule.verdict != "note" for finding in self.findings)


def dialects_of(backend: str) -> tuple[Dialect, ...]:
    """The dialect by which a database of this kind (``sqlite``, ``mysql``, ``mariadb``) is judged."""
    return ("sqlite",) if backend == "sqlite" else ("mysql",)


def judge(
    history: Migrations, since: Iterable[str], dialects: Sequence[Dialect] = BOTH, *, each: bool = False
) -> Judgement:
    """Judge what ``history`` has beyond the revisions ``since``, which the running release was made for.

    ``since`` holds revisions, or ``base`` (then every revision is judged, and no table is one that was there). With
    ``each`` every revision is a release of its own, and is judged beside the one before it. No database is needed, and
    none is reached. Raises :class:`ConfigurationError` for a revision that is not there and
    for files that cannot be read.
    """
    return _Revisions(history).judgement(tuple(one for one in since if one != "base"), dialects, each=each)


def judge_pending(history: Migrations, found: Iterable[str], dialects: Sequence[Dialect]) -> Judgement:
    """Judge what is not applied yet to a database that is at the revisions ``found``.

    A database without a revision has no release that runs on it: nothing is judged. Raises :class:`SchemaMismatch`
    where the database is newer than the history.
    """
    heads = tuple(found)
    if not heads or set(heads) == schema.revisions(history.versions)[0]:
        return Judgement(history.name, tuple(dialects))
    revisions = _Revisions(history)
    known(revisions.directory, history, heads)
    return revisions.judgement(heads, dialects)


def refuse_incompatible(judgements: Iterable[Judgement]) -> None:
    """Raise :class:`IncompatibleChange`, with each line, unless the running release can live with all of it."""
    refused = [finding for one in judgements for finding in one.findings if finding.refused]
    if refused:
        lines = "\n".join(f"  {one.file}:{one.line} {one.what}: {one.rule.why}" for one in refused)
        raise IncompatibleChange(
            f"the release that runs could not live with what is to be applied; nothing was run:\n{lines}\n"
            "see `postrmagic db compatible` for what to do instead"
        )


class _Revisions:
    """The revisions of a history, read with nothing in reach."""

    def __init__(self, history: Migrations) -> None:
        self._history = history
        _ = history.versions  # finding the folder may import the application, which may open what it likes
        try:
            with apart(_ignored):
                self.directory: ScriptDirectory = script(history)
        except PostrMagicError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise ConfigurationError(f"the {history.name}'s revisions cannot be read: {what}") from error

    def judgement(self, since: tuple[str, ...], dialects: Sequence[Dialect], *, each: bool = False) -> Judgement:
        """What is beyond ``since``, judged."""
        before, pending = self._parted(since)
        found: dict[tuple[str, int, str, str], list[Finding]] = {}
        for dialect in dialects:
            tables = Known(dialect)
            for revision in before:
                for recorded in record(revision.path, revision.upgrade, dialect):
                    tables.learn(recorded.change, new=False)
            for revision in pending:
                for finding in self._cases(revision, tables, dialect):
                    key = (finding.revision, finding.line, finding.rule.name, finding.what)
                    found.setdefault(key, []).append(finding)
                if each:
                    tables.settle()
        findings = [_merged(same) for same in found.values()]
        order = {revision.name: place for place, revision in enumerate(pending)}
        findings.sort(key=lambda finding: (order[finding.revision], finding.line))
        return Judgement(self._history.name, tuple(dialects), tuple(order), tuple(findings))

    def _parted(self, since: tuple[str, ...]) -> tuple[list[_Revision], list[_Revision]]:
        """The revisions up to ``since``, and those beyond, in the order in which they run."""
        with complaints():
            heads = tuple(self.directory.get_revision(each).revision for each in since)
            everything = self._steps(())
            pending = {step.revision.revision for step in self._steps(heads)} if heads else None
        revisions = [_Revision(step) for step in everything]
        beyond = [one for one in revisions if pending is None or one.name in pending]
        return [one for one in revisions if one not in beyond], beyond

    def _steps(self, heads: tuple[str, ...]) -> Sequence[RevisionStep]:
        try:
            steps = self.directory._upgrade_revs("heads", cast(Any, heads))  # as Migrator.upgrade() asks
        except AttributeError as error:
            raise ConfigurationError(f"a revision of the {self._history.name} has no upgrade()") from error
        return cast(Sequence[RevisionStep], steps)

    def _cases(self, revision: _Revision, tables: Known, dialect: Dialect) -> list[Finding]:
        found = []
        for recorded in record(revision.path, revision.upgrade, dialect):
            for rule, what in judged(recorded.change, tables):
                found += revision.finding(recorded.line, rule, what, dialect)
            tables.learn(recorded.change, new=True)
        return found


def _ignored(what: str) -> None:
    """What a module tries when it is imported is not the revision's doing; it is stopped all the same."""


class _Revision:
    """One revision: its file, its function, and what it says for itself."""

    def __init__(self, step: RevisionStep) -> None:
        self.name: str = step.revision.revision
        self.path = Path(step.revision.path)
        self.upgrade = step.migration_fn
        self._module = step.revision.module

    @cached_property
    def _reasons(self) -> Reasons:
        return Reasons(self.path)

    def finding(self, line: int, rule: str, what: str, dialect: str) -> list[Finding]:
        """The case with its reason; a second one where a reason is announced and not given."""
        reason = self._reasons.at(line)
        given = getattr(self._module, "compatible", None)
        if reason is None and RULES[rule].verdict == "untold" and given is not None:
            reason = given.strip() if isinstance(given, str) else ""
        if rule == "stopped" and given is None:
            reason = None  # a line's reason cannot speak for lines that were not judged
        found = [Finding(self.name, _shown(self.path), line, RULES[rule], what, (dialect,), reason or None)]
        if reason == "":
            found.append(Finding(self.name, _shown(self.path), line, RULES["no-reason"], "no reason", (dialect,)))
        return found


def _merged(found: list[Finding]) -> Finding:
    first = found[0]
    dialects = tuple(dict.fromkeys(name for one in found for name in one.dialects))
    return Finding(first.revision, first.file, first.line, first.rule, first.what, dialects, first.reason)


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
