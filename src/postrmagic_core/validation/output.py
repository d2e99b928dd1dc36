"""Encoding on the way out, each function for one context (OWASP ASVS 1.1.2, 1.2.1, 1.2.3, 1.2.10, 3.7.2, 5.4.1)."""

from __future__ import annotations

import html
import json
import unicodedata
from collections.abc import Collection
from typing import Literal
from urllib.parse import quote, urlsplit

from .text import display_name

# RFC 8187 section 3.2.1, attr-char, without what urllib leaves alone anyway.
_ATTR_CHAR = "!#$&+-.^_`|~"
# What makes a spreadsheet read a cell as a formula, and what it skips before one. The wide forms are read alike in
# some locales.
_FORMULA = frozenset("=+-@\t\r\n\0|\uff1d\uff0b\uff0d\uff20")
_SCRIPT = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


def escape_html(text: object) -> str:
    """``str(text)`` for an element's content or a *quoted* attribute: ``& < > " '`` become references."""
    return html.escape(str(text), quote=True)


def json_for_script(value: object) -> str:
    """``value`` as JSON that can stand inside ``<script>`` or ``<script type="application/json">``.

    No ``<``, ``>`` or ``&`` is left (so no ``</script``, ``<!--``), nor U+2028 and U+2029, which end a line in older
    JavaScript. Raises :class:`ValueError` for NaN and infinities, :class:`TypeError` for what JSON cannot hold.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escaped in _SCRIPT.items():
        text = text.replace(character, escaped)
    return text


def csv_cell(value: object) -> str:
    """A cell's text for :mod:`csv` to quote. Text that a spreadsheet would run is put behind an apostrophe.

    That is text whose first character, white space aside, is one of ``= + - @ |`` (also full width), tab, line end or
    NUL. Numbers stay numbers; ``None`` is empty.
    """
    if value is None:
        return ""
    text = str(value)
    if not isinstance(value, str):
        return text
    visible = text.lstrip(" \u00a0\ufeff")
    return f"'{text}" if visible[:1] in _FORMULA and visible else text


def content_disposition(name: str, disposition: Literal["attachment", "inline"] = "attachment") -> str:
    """The header's value that offers ``name`` for a download (RFC 6266, RFC 8187): one line of printable ASCII.

    ``name`` passes :func:`.text.display_name` first, so no path, control or quote is left. ``filename*`` is added where
    ASCII cannot say it; the plain ``filename`` then has the letters without accents, and ``_`` for the rest.
    """
    shown = display_name(name)
    plain = unicodedata.normalize("NFKD", shown).encode("ascii", "ignore").decode() if not shown.isascii() else shown
    plain = display_name("".join("_" if character in '\\";' else character for character in plain))
    value = f'{disposition}; filename="{plain}"'
    return value if plain == shown else f"{value}; filename*=UTF-8''{quote(shown, safe=_ATTR_CHAR)}"


def safe_redirect(target: str | None, *, hosts: Collection[str] = (), default: str = "/") -> str:
    """``target`` if a redirect to it stays here or goes to one of ``hosts``, else ``default``.

    Here: a path that begins with one slash. Elsewhere: ``https`` or ``http`` with ``host`` or ``host:port`` exactly as
    listed in ``hosts`` (lower case). Anything browsers repair into another address is refused: backslashes, control
    characters, spaces, non-ASCII, user names (WHATWG URL, section 4.4).
    """
    if not target or len(target) > 2_048 or not all("!" <= character <= "~" for character in target):
        return default
    if "\\" in target:
        return default
    if target.startswith("/"):
        return default if target.startswith("//") else target
    try:
        parts = urlsplit(target)
        listed = parts.scheme in {"http", "https"} and "@" not in parts.netloc and parts.netloc.lower() in hosts
    except ValueError:
        return default
    return target if listed and target[len(parts.scheme) :].startswith("://") else default
