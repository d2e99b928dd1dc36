"""Flags: whether a feature is on for somebody, and who changes that."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from .._bridge import Bridge
from .._clock import Clock, SystemClock, from_us
from .._lifecycle import Lifecycle
from .._metrics import Metrics
from .._protocols import Identity, UnitLike, Units
from .._unit import in_own_unit
from ..errors import ConfigurationError, Conflict, OutsideUnit, UsageError
from . import policy, rows
from .interface import Audit, Explanation, Flag, Rule, Source, check_actor, check_key, check_name, shown
from .standing import Standing
from .view import View

if TYPE_CHECKING:
    from .aio import AsyncFlags

_log = logging.getLogger("postrmagic_core.flags")

_UNKNOWN_NAMES = 1000


class Flags(Lifecycle):
    """Features that are on for some: by the ``rules`` of settings, and by those in ``database``, which win.

    A change counts in this process once it has committed, in others at most ``max_age`` seconds later. A decision
    looks up what a thread of the first one keeps up to date. While the database is away the last rules known stand;
    from the start, those of settings. To open it takes one ``SELECT``, whose failure is borne and logged.

    A flag that nobody has declared is off and logged once, as the code may be deployed before the flag; ``strict``
    raises :class:`UsageError`, for development, where it is a misspelt one. ``audit`` notes changes and is borrowed.

    :class:`ConfigurationError` for rules that are none.
    """

    def __init__(
        self,
        database: Units,
        *,
        audit: Audit,
        rules: Mapping[str, Mapping[str, Any]] | None = None,
        max_age: float = 1.0,
        strict: bool = False,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__()
        if not max_age > 0:
            raise ValueError(f"expected max_age in seconds, more than 0, got {max_age}")
        metrics = metrics or Metrics()
        self.database = database
        self.bridge = Bridge(2, name="postrmagic-flags-lifted")
        self._audit = audit
        self._strict = strict
        self._clock = clock or SystemClock()
        self._changes = metrics.counter("flag_changes_total")
        self._standing = Standing(database, configured(rules or {}), max_age, self._clock, metrics)
        self._unknown: set[str] = set()

    @cached_property
    def aio(self) -> AsyncFlags:
        """The same for asyncio, with the same names."""
        from .aio import AsyncFlags

        return AsyncFlags(self)

    def on(self, name: str, who: Identity | str | None = None) -> bool:
        """Whether the feature is on for a user, for an id that has no roles, or for ``None``: nobody is logged in.

        It raises for no state of the database, and does not wait for it, but for the first question in a forked child,
        which reads what changed since the fork. Ask :meth:`fixed` where one answer must not change.
        """
        if not self._standing.watched:
            self._watch()
        rule = self._standing.now.rules.get(name)
        if rule is None:
            return self._missing(name)
        user_id, roles = policy.parted(who)
        return policy.reason(name, rule, user_id, roles) in policy.ON

    def fixed(self, who: Identity | str | None = None) -> View:
        """What is on for somebody now, and stays so: for one request or job, which is to see one state of things."""
        self._watch()
        return View(self._standing.now.rules, *policy.parted(who), self._missing)

    def state(self, who: Identity | str | None = None, names: Iterable[str] | None = None) -> dict[str, bool]:
        """For a page: which features are on for somebody, of those that are named, or of all, by name.

        Name those that the page needs: a browser is told of a feature that is not announced otherwise.
        """
        return self.fixed(who).state(names)

    def explain(self, name: str, who: Identity | str | None = None) -> Explanation:
        """The decision of :meth:`on` and what it rests on; a flag that nobody has declared is told as such."""
        self._watch()
        now = self._standing.now
        rule = now.rules.get(name)
        user_id, roles = policy.parted(who)
        reason = "unknown" if rule is None else policy.reason(name, rule, user_id, roles)
        bucket = None if user_id is None else policy.bucket(name, user_id) / 100
        return Explanation(name, user_id, reason in policy.ON, reason, rule, now.source(name), bucket)

    def known(self) -> list[str]:
        """The names of all flags that settings or the database have, sorted: to find a misspelt one."""
        self._watch()
        return sorted(self._standing.now.rules)

    def list(self) -> list[Flag]:
        """All flags as the database has them now, by name. :class:`BackendError` if it does not answer."""
        self.ensure_open()
        with self.database.read() as tx:
            stored = {row.name: row for row in rows.read(tx)}
        names = sorted({*stored, *self._standing.configured})
        return [_told(name, stored.get(name), self._standing.configured.get(name)) for name in names]

    def set(self, name: str, rule: Rule, *, actor: str | None, tx: UnitLike | None = None) -> bool:
        """Have this rule count from now on, whatever settings say; ``False`` if it was stored already.

        ``actor`` did it, as the audit log tells with both rules (``flag.set``). With ``tx`` it is part of that
        transaction. Of two who set it at once the last one wins, and both are noted. :class:`ValueError` for a name
        or an actor that is none; :class:`UsageError` where the database has 1,000 flags.
        """
        self.ensure_open()
        check_name(name)
        check_actor(actor)
        if not isinstance(rule, Rule):
            raise TypeError(f"expected a Rule, got {type(rule).__name__}: Rule(percent=10), or Rule.of(mapping)")
        return self._changed(partial(self._set, name, rule, actor), tx)

    def clear(self, name: str, *, actor: str | None, tx: UnitLike | None = None) -> bool:
        """Have the rule of settings count again (``flag.cleared``); ``False`` if none was stored.

        A name that :meth:`set` would refuse may be cleared, where a row has it; not one of more than 64 bytes.
        """
        self.ensure_open()
        check_key(name)
        check_actor(actor)
        return self._changed(partial(self._clear, name, actor), tx)

    def _changed(self, change: Callable[[UnitLike], bool], tx: UnitLike | None) -> bool:
        if tx is not None:
            return change(tx)
        refuse_open_unit(self.database)
        try:
            return in_own_unit(self.database, change, after=Conflict)
        finally:
            self._standing.stir()  # after an OutcomeUnknown too, of which no hook is told

    def _set(self, name: str, rule: Rule, actor: str | None, tx: UnitLike) -> bool:
        old = rows.held(tx, name)
        if old == rule.encoded():
            return False
        if old is None and rows.count(tx) >= rows.MOST:
            raise UsageError(f"the database has {rows.MOST:,} flags: clear those that are on or off for everybody")
        rows.put(tx, rows.Row(name, rule.encoded(), self._clock.now_us(), actor), known=old is not None)
        self._note("flag.set", name, actor, {"old": _noted(old), "new": rule.as_json()}, rule, tx)
        return True

    def _clear(self, name: str, actor: str | None, tx: UnitLike) -> bool:
        old = rows.held(tx, name)
        if old is None:
            return False
        rows.drop(tx, name)
        self._note("flag.cleared", name, actor, {"old": _noted(old), "new": None}, None, tx)
        return True

    def _note(
        self, action: str, name: str, actor: str | None, detail: Mapping[str, object], rule: Rule | None, tx: UnitLike
    ) -> None:
        self._audit.record(action, actor=actor, subject=name, detail=detail, tx=tx)
        # Before the log, which may fail: this process knows better from here on.
        tx.after_commit(partial(self._standing.put, name, rule))
        tx.after_commit(self._changes.add)
        fields = {"event": action, "flag": shown(name), "actor": actor}
        tx.after_commit(partial(_log.info, "a flag was changed", extra=fields))

    def _watch(self) -> None:
        if not self._standing.watched:
            self.ensure_open()
            self._standing.watch()

    def _missing(self, name: str) -> bool:
        """Of a flag that nobody has declared: it is off."""
        # Names may come from outside: from a thousand of them on, what they resemble is not looked for.
        if not self._strict and (name in self._unknown or len(self._unknown) >= _UNKNOWN_NAMES):
            return False
        known = self._standing.now.rules
        near = get_close_matches(str(name)[:64], known, 1)
        hint = f"did you mean {near[0]}?" if near else "declare it in flags.rules, or run `postrmagic flags set`"
        if self._strict:
            raise UsageError(f"there is no flag {shown(str(name), 80)!r}; {hint}")
        self._unknown.add(name)
        fields = {"event": "flags.unknown", "flag": shown(str(name), 80), "hint": hint}
        _log.warning("a flag was asked for that nobody has declared: it is off", extra=fields)
        return False

    def _open(self) -> None:
        self._standing.open()

    def _close(self) -> None:
        self._standing.close()
        self.bridge.close()


def configured(rules: Mapping[str, Mapping[str, Any]]) -> dict[str, Rule]:
    """The rules that settings say; :class:`ConfigurationError`, which names the flag, for one that is none."""
    found = {}
    for name, given in rules.items():
        try:
            found[check_name(name)] = Rule.of(given)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"flags.rules (POSTRMAGIC_FLAGS__RULES), {name!r}: {error}") from error
    return found


def refuse_open_unit(database: Units) -> None:
    """Raise :class:`OutsideUnit` where a unit is open: it was forgotten to pass it."""
    if database.current() is not None:
        raise OutsideUnit("a unit of this database is open here: pass tx= to do it in that unit")


def _told(name: str, row: rows.Row | None, of_settings: Rule | None) -> Flag:
    if row is None:
        return Flag(name, of_settings or Rule(), "settings", of_settings)
    changed_at = from_us(row.changed_us)
    found = rows.decoded(row)
    if isinstance(found, Rule):
        return Flag(name, found, "database", of_settings, changed_at, row.changed_by)
    source: Source = "nowhere" if of_settings is None else "settings"
    return Flag(name, of_settings or Rule(), source, of_settings, changed_at, row.changed_by, fault=found)


def _noted(rule: bytes | None) -> object:
    """A stored rule as the audit log tells it."""
    if rule is None:
        return None
    try:
        return Rule.of(json.loads(rule)).as_json()
    except (ValueError, TypeError, RecursionError):
        return {"unreadable": len(rule)}
