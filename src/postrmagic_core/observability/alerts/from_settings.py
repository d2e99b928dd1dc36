"""Rules as settings tell them: ``observability.rules``, by name."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ...errors import ConfigurationError
from . import rules
from .rules import Absence, Expression, RateOfChange, Rule, Threshold

_EXPRESSION = re.compile(
    r"""(\w+)\(\s*(?:"([^"]*)"|'([^']*)')?\s*(?:,\s*window\s*=\s*(\d+(?:\.\d+)?)\s*)?\)"""
).fullmatch
_NUMBERS: Final = (
    *("for", "clear_for", "above", "below", "clear_below", "clear_above"),
    *("by", "within"),
)
_TEXTS: Final = ("severity", "summary", "runbook")
_MADE: Final[Mapping[str, Callable[[Any], Expression]]] = {
    "metric": rules.metric,
    "time_left": rules.time_left,
    "uptime": rules.uptime,
}


def rules_from(told: Mapping[str, object], given: Sequence[Rule] = ()) -> tuple[Rule, ...]:
    """The rules ``given``, changed as settings say, and those that settings add.

    A table with ``of`` is a rule of its own, whatever it is called: with ``above`` or ``below`` a threshold, with
    ``by`` a rate of change, with neither an absence. Without ``of`` it changes the rule of that name, and ``false``
    takes it away. What is wrong raises :class:`ConfigurationError` with the rule's name.
    """
    found = {rule.name: rule for rule in given}
    for name, table in told.items():
        if table is False:
            if found.pop(name, None) is None:
                raise _refused(
                    name, f"there is no rule of that name to be left out, known are {', '.join(found) or 'none'}"
                )
            continue
        if not isinstance(table, Mapping):
            raise _refused(name, "expected a table, or false to leave out a rule that is shipped")
        values = _values(name, table)
        if "of" in values:
            found[name] = _made(name, values)
        elif name in found:
            found[name] = _changed(found[name], values)
        else:
            raise _refused(name, f"it needs `of`, as it changes none of {', '.join(found) or 'no rules'}")
    return tuple(found.values())


def expression(text: str) -> Expression:
    """An expression as it is written: ``metric("response_p95")``, ``logs("level>=error", window=300)``."""
    found = _EXPRESSION(text.strip())
    if found is None:
        raise ConfigurationError(f'expected an expression as metric("response_p95"), got {text[:80]!r}')
    source, argument, window = found[1], found[2] if found[2] is not None else found[3], found[4]
    if source == "logs" and argument is not None:
        return rules.logs(argument) if window is None else rules.logs(argument, float(window))
    if window is not None:
        raise ConfigurationError("window belongs to logs(…)")
    if source == "uptime" and argument is None:
        return rules.uptime()
    if source == "errors":
        if argument in ("new", "regressed"):
            return rules.errors("new" if argument == "new" else "regressed")
        raise ConfigurationError('expected errors("new") or errors("regressed")')
    if source not in _MADE or argument is None:
        known = ", ".join(("logs", "errors", *_MADE))
        raise ConfigurationError(f"expected one of {known}, with a text in brackets, got {text[:80]!r}")
    return _MADE[source](argument)


def _values(name: str, table: Mapping[Any, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key in _NUMBERS:
            values["for_" if key == "for" else key] = _number(name, key, value)
        elif key in _TEXTS and isinstance(value, str):
            values[key] = value
        elif key == "of" and isinstance(value, str):
            try:
                values["of"] = expression(value)
            except ConfigurationError as error:
                raise _refused(name, str(error)) from None
        elif key == "share" and isinstance(value, bool):
            values["share"] = value
        elif key == "labels" and isinstance(value, Mapping) and all(isinstance(one, str) for one in value.values()):
            values["labels"] = dict(value)
        elif key == "channels" and isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
            values["channels"] = tuple(value)
        else:
            known = ("of", *_NUMBERS, "share", *_TEXTS, "labels", "channels")
            raise _refused(name, f"{key!r} is none of {', '.join(known)}, or not of the right kind")
    return values


def _number(name: str, key: str, value: object) -> float:
    """Numbers come as text from the environment."""
    if not isinstance(value, bool) and isinstance(value, int | float | str):
        try:
            return float(value)
        except ValueError:
            pass
    raise _refused(name, f"{key!r} is a number")


def _made(name: str, values: Mapping[str, Any]) -> Rule:
    kind: type[Rule] = Absence
    if "above" in values or "below" in values:
        kind = Threshold
    elif "by" in values:
        kind = RateOfChange
    _fits(name, kind, values)
    return kind(name=name, **values)


def _changed(rule: Rule, values: Mapping[str, Any]) -> Rule:
    _fits(rule.name, type(rule), values)
    return dataclasses.replace(rule, **values)


def _fits(name: str, kind: type[Rule], values: Mapping[str, Any]) -> None:
    strange = sorted(set(values) - {field.name for field in dataclasses.fields(kind)})
    if strange:
        raise _refused(name, f"{', '.join(strange)} cannot be said of a rule of the kind {kind.__name__}")


def _refused(name: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"alert rule {name!r}: {what}")
