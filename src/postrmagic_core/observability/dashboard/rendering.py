"""Templates made into pages; every value in them is escaped, and what changes while one looks is told apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from ...errors import MissingExtra
from . import charts, words
from .reading_logs import plain

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Here:
    """Where a page stands: ``base`` is the path that the dashboard is mounted at, ``page`` the one beneath it."""

    base: str
    page: str
    query: Mapping[str, str]
    now: datetime
    parts: dict[str, str] = field(default_factory=dict)

    def url(self, page: str, query: Mapping[str, object]) -> str:
        """The address of a page; what is ``None`` or empty is left out of the query.

        Of a text that is no Unicode (a lone surrogate) a sign remains.
        """
        given = {name: str(value) for name, value in query.items() if value is not None and value != ""}
        asked = urlencode(given, errors="replace")
        return f"{self.base}/{quote(page)}" + (f"?{asked}" if asked else "")


_here: ContextVar[Here] = ContextVar("postrmagic_dashboard_here")


def render(here: Here, template: str, data: Mapping[str, Any]) -> str:
    """The text of a template; what its ``live`` blocks hold is in ``here.parts`` afterwards."""
    token = _here.set(here)
    try:
        return environment().get_template(template).render(data)
    finally:
        _here.reset(token)


@cache
def environment() -> Environment:
    """The templates; :class:`MissingExtra` without Jinja."""
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtra("the dashboard needs Jinja: pip install 'postrmagic-core[dashboard]'") from error
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_still,
    )
    made.filters |= {
        "ago": _ago,
        "duration": words.duration,
        "instant": words.instant,
        "iso": words.iso,
        "number": words.number,
        "percent": words.percent,
        "shown": words.shown,
        "size": words.size,
    }
    made.globals |= {
        "HEIGHT": charts.HEIGHT,
        "WIDTH": charts.WIDTH,
        "again": _again,
        "asked": _asked,
        "kept": _kept,
        "live": _live,
        "url": _url,
    }
    return made


def _still(value: object) -> object:
    """What a template shows, without signs that turn the text around, are not seen, or that no text has."""
    return value if type(value) is not str or value.isprintable() else plain(value, len(value), lines=True)


def _ago(value: object) -> object:
    """``3 min ago``, with the instant beside it."""
    from markupsafe import Markup

    if not isinstance(value, datetime):
        return words.NOTHING
    text = Markup('<time datetime="{}" title="{}">{}</time>')
    return text.format(words.iso(value), words.instant(value), words.ago(value, _here.get().now))


def _live(key: str, caller: Callable[[], str]) -> object:
    """``{% call live("queues") %}…{% endcall %}``: what changes while one looks."""
    from markupsafe import Markup

    text = caller()
    _here.get().parts[key] = text
    block = Markup('<div class="live" data-live="{}">{}</div>')
    return block.format(key, text)


def _url(page: str, /, **query: object) -> str:
    """``url("jobs", id=job.id)``: the address of a page of the dashboard."""
    return _here.get().url(page, query)


def _again(**changes: object) -> str:
    """``again(sort="-rate")``: this page with some of its query changed."""
    here = _here.get()
    return here.url(here.page, {**here.query, **changes})


def _asked(name: str) -> str:
    """``asked("sort")``: a value of the query, or an empty text."""
    return _here.get().query.get(name, "")


def _kept(*but: str) -> dict[str, str]:
    """The query without these names: for the hidden fields of a form that changes them."""
    return {name: value for name, value in _here.get().query.items() if name not in but}
