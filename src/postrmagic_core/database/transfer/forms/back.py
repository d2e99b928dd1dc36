"""The forms of columns that only a server makes, each by the form of a type that a plan knows. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from ..interface import ColumnPlan
from ..source.schema import affinity_of
from .form import Form, form_of

_TEXT = "CAST({} AS CHAR)"
# A sum or a product of a FLOAT is a DOUBLE, of which no digit is left out.
_DOUBLE = "({} * 1e0)"
_WHOLE = "({} + 0)"
# How such a column is read, and as what.
_AS = {
    "FLOAT": (_DOUBLE, "DOUBLE"),
    "DOUBLE": (_DOUBLE, "DOUBLE"),
    "BIT": (_WHOLE, "BIGINT UNSIGNED"),
    "YEAR": (_WHOLE, "INT"),
    **dict.fromkeys(("TIME", "DATE", "DATETIME", "TIMESTAMP"), (_TEXT, "LONGTEXT")),
    **dict.fromkeys(("ENUM", "SET", "JSON", "UUID", "INET4", "INET6"), (_TEXT, "LONGTEXT")),
}
_BASE = re.compile(r"\w+")


def back_form_of(column: ColumnPlan) -> Form:
    """The form of ``column``, also where its type is none that a plan chooses."""
    base, fixed = base_of(column.type), "(" in column.type
    if base == "DECIMAL" and affinity_of(column.declared) == "text":
        return _read_as(column, _TEXT, "LONGTEXT")
    if base not in _AS or column.grammar or (base == "DOUBLE" and not fixed):
        return form_of(column)
    return _read_as(column, *_AS[base])


def base_of(kind: str) -> str:
    """The word a type begins with, in capitals."""
    found = _BASE.match(kind)
    return found[0].upper() if found else ""


def _read_as(column: ColumnPlan, expression: str, kind: str) -> Form:
    # What is read as text is kept as text, whatever it looks like.
    declared = "TEXT" if expression == _TEXT else column.declared
    return _Seen(form_of(replace(column, type=kind, collation="", declared=declared)), expression)


class _Seen:
    """A form whose column is read by way of an expression."""

    def __init__(self, form: Form, expression: str) -> None:
        self._form = form
        self._expression = expression
        self.misfit = form.misfit
        self.fields = form.fields
        self.parameters = form.parameters
        self.canonicals = form.canonicals
        self.back = form.back

    def canonical_sql(self, column: str) -> str:
        """See :class:`.forms.form.Form`."""
        return self._form.canonical_sql(self._expression.replace("{}", column))

    def select_sql(self, column: str) -> str:
        """See :class:`.forms.form.Form`."""
        return self._form.select_sql(self._expression.replace("{}", column))
