"""A plan as a file: TOML that a person reads from the top and corrects, read back strictly."""

from __future__ import annotations

import os
import secrets
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ....errors import ConfigurationError, UsageError
from ..interface import ColumnPlan, Finding, ObjectPlan, Plan, Server, TablePlan
from . import tomltext
from .edits import blocking_first, ensure_possible, ensure_unedited, seals
from .typed import made

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

VERSION = 1
_HEAD = """\
# How a SQLite database becomes one of MySQL or MariaDB. Made by `postrmagic db transfer plan`; to be read from the top.
#
# Findings come first, and nothing runs before they are dealt with:
#   stop     these rows fit into no column; mend them in the source (the query finds them), then plan again.
#   decide   moves only in another shape, or stays behind. Say accept = true; or change the source and plan again.
#   note     moves as it is; something differs from now on.
#
# Then the tables. Of a column you may change target (its name there), type, nullable, collation, default and the
# expression of generated; of a table its target and primary_key; of indexes, foreign_keys and checks everything, and
# you may remove them. Whoever renames a column does so wherever the target's name stands: in primary_key, indexes,
# foreign_keys and expressions. The rest tells what was found; [unedited], at the end, notices when that was changed.
# A type that is too narrow for a row is noticed before that row is written: nothing is ever shortened or rounded.
#
# Then: postrmagic db transfer run THIS_FILE
"""
# Written even where it says the same as if it were not there: what a person is most likely to look for.
_ALWAYS = {ColumnPlan: ("name", "target", "type", "nullable"), TablePlan: ("name", "target", "existing", "rows", "key")}


def write_plan(plan: Plan, path: Path) -> None:
    """Write the file whole or not at all, for its owner alone (mode 0600); findings are sorted, those that stop first.

    Raises :class:`UsageError` for a target with a password in it, :class:`ConfigurationError` where it cannot be
    written.
    """
    if urlsplit(plan.target).password is not None:
        raise UsageError("a plan holds no password: take it out of the target's URL")
    try:
        write_private(path, as_toml(plan).encode())
    except UnicodeEncodeError:
        raise ConfigurationError("the source has a name that is not UTF-8: rename it, then plan again") from None


def write_private(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, for its owner alone; :class:`ConfigurationError` where it cannot be."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def read_plan(path: Path) -> Plan:
    """The plan of that file, as a person left it.

    Raises :class:`ConfigurationError` with line or place for what is no plan, :class:`PlanRefused` with all that was
    edited so that it cannot be.
    """
    try:
        plan = from_toml(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error
    ensure_possible(plan)
    return plan


def from_toml(text: str, where: str) -> Plan:
    """The plan that the ``text`` of the file ``where`` says: possible or not, but changed only where it may be."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where} is not TOML: {error}") from error
    version, unedited = table.pop("version", None), table.pop("unedited", None)
    if version != VERSION:
        raise ConfigurationError(f"{where}: expected version = {VERSION}, found {version!r}: make the plan anew")
    if not isinstance(unedited, dict):
        raise ConfigurationError(f"{where}: the table [unedited] is missing: make the plan anew")
    for finding in table.get("findings", ()):
        if isinstance(finding, dict) and "accept" in finding:
            finding["accepted"] = finding.pop("accept")
    plan = made(Plan, {"tables": [], **table}, where)
    ensure_unedited(plan, unedited)
    return plan


def as_toml(plan: Plan) -> str:
    """The text of the file."""
    head = {"version": VERSION, "source": plan.source, "target": plan.target, "schema": plan.schema}
    parts = [_HEAD, _section("", head), _section("[server]", _told(plan.server, [one.name for one in fields(Server)]))]
    if not plan.findings:
        parts.append("# Nothing was found that a person should look at.\n")
    parts += [_section("[[findings]]", _finding(one)) for one in blocking_first(plan.findings)]
    parts += [_section("[[tables]]", _table(one)) for one in plan.tables]
    if plan.objects:
        parts.append("# What stays behind. A suggestion is never run: read it, correct it, run it yourself.\n")
    parts += [_section("[[objects]]", _told(one, [name.name for name in fields(ObjectPlan)])) for one in plan.objects]
    parts.append("# By this it is noticed when something was changed that is not for editing.\n")
    parts.append(_section("[unedited]", seals(plan)))
    return "\n".join(parts)


def _finding(finding: Finding) -> dict[str, object]:
    told = _told(finding)
    accepted = bool(told.pop("accepted", False))
    if finding.severity == "decide" or accepted:
        told["accept"] = accepted
    return told


def _table(table: TablePlan) -> dict[str, object]:
    told = _told(table, _ALWAYS[TablePlan])
    return dict(sorted(told.items(), key=lambda item: 2 if item[0] == "sql" else isinstance(item[1], tuple)))


def _told(value: DataclassInstance, always: Collection[str] = ()) -> dict[str, object]:
    """The fields of ``value`` that say something, in their order."""
    pairs = ((field, getattr(value, field.name)) for field in fields(value))
    return {
        field.name: one
        for field, one in pairs
        if field.name in always or field.default is MISSING or one != field.default
    }


def _section(heading: str, table: Mapping[str, object]) -> str:
    return "".join(f"{line}\n" for line in ([heading] if heading else []) + list(_lines(table)))


def _lines(table: Mapping[str, object]) -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, tuple) and value and not isinstance(value[0], str):
            written = tomltext.rows([_row(one) for one in value])
        else:
            written = tomltext.lines(value) if isinstance(value, str) else tomltext.inline(value)
        yield f"{tomltext.key(name)} = {written}"


def _row(value: DataclassInstance) -> dict[str, object]:
    told = _told(value, _ALWAYS.get(type(value), ()))
    return {
        name: [_row(part) for part in one] if isinstance(one, tuple) and one and not isinstance(one[0], str) else one
        for name, one in told.items()
    }
