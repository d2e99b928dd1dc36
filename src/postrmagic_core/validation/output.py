"""Encoding on the way out, each function for one context (OWASP ASVS 1.1.2, 1.2.1 to 1.2.3, 1.2.10, 3.7.2, 5.4.1).

Encode once, last, where the text goes in: what was encoded for one context is not safe in another, and encoding twice
shows ``&amp;lt;``. (Sanitizing is what can be repeated; see :mod:`.html`.) NUL and lone surrogates, which parsers drop,
replace or refuse, each in its way, become U+FFFD everywhere, but for NUL in JSON, which has an escape for it.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal
from urllib.parse import quote, urlsplit

from ..errors import EncodeError, UsageError
from .text import display_name

_UNFIT = re.compile("[\0\ud800-\udfff]")
_LONE = re.compile("[\ud800-\udfff]")
# RFC 8187 section 3.2.1, attr-char, without what urllib leaves alone anyway.
_ATTR_CHAR = "!#$&+-.^_`|~"
# What makes a spreadsheet read a cell as a formula, and what it skips before one. The wide forms are read alike in
# some locales.
_FORMULA = frozenset("=+-@\t\r\n\0|\uff1d\uff0b\uff0d\uff20")
_SKIPPED = " \u00a0\u200b\u2060\u3000\ufeff"
# Where a program that takes another separator than the comma begins a cell, quoted or not.
_INSIDE = re.compile(f'([;\t\r\n][{_SKIPPED}"]*)(?=[-=+@|\uff1d\uff0b\uff0d\uff20])')
_SCRIPT = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_JS_UNSAFE = re.compile(r"[^A-Za-z0-9 ,._-]")
_CSS_UNSAFE = re.compile(r"[^A-Za-z0-9]")
_ATTRIBUTE = re.compile(r"[a-z]+(?:-[a-z0-9]+)*")
# fmt: off
_ATTRIBUTES = frozenset({
    "abbr", "accept", "accept-charset", "alt", "autocapitalize", "autocomplete", "checked", "class", "cols", "colspan",
    "datetime", "dir", "disabled", "download", "draggable", "enctype", "enterkeyhint", "for", "form", "headers",
    "height", "hidden", "high", "hreflang", "id", "inputmode", "label", "lang", "list", "loading", "low", "max",
    "maxlength", "method", "min", "minlength", "multiple", "name", "open", "optimum", "pattern", "placeholder",
    "readonly", "rel", "required", "role", "rows", "rowspan", "scope", "selected", "size", "sizes", "span",
    "spellcheck", "start", "step", "tabindex", "target", "title", "translate", "type", "value", "width", "wrap",
})
# fmt: on
_URL_ATTRIBUTES = frozenset({"action", "cite", "formaction", "href", "poster", "src"})
_LINK_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_BASE = re.compile(
    r"(?:https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?)?"
    r"(?:/(?!/)[A-Za-z0-9._~!$&()*+,;=:@%/-]*)?"
)


def _fit(value: object) -> str:
    return _UNFIT.sub("\ufffd", str(value))


def escape_html(text: object) -> str:
    """``str(text)`` for an element's content or a *quoted* attribute: ``& < > " '`` become references.

    Not for ``<script>`` and ``<style>``, nor for attributes that hold a script, a style or a URL.
    """
    return html.escape(_fit(text), quote=True)


def attribute(name: str, value: object) -> str:
    """``name="value"``, to stand in a start tag.

    ``name`` is one of HTML's attributes that hold plain text, a ``data-`` or ``aria-`` one, or one that holds a URL:
    ``action cite formaction href poster src``. Any other (event handlers, ``style``, ``srcdoc``, ``srcset``) raises
    :class:`UsageError`. Of a URL attribute the value is relative or has a scheme of ``http https mailto tel``;
    otherwise, and for the white space, controls and backslashes that browsers repair, :class:`EncodeError`. Whose
    content runs is another question: no value from outside belongs into the ``src`` of a script or a frame.
    """
    plain = name in _ATTRIBUTES or name.startswith(("data-", "aria-"))
    if not _ATTRIBUTE.fullmatch(name) or not (plain or name in _URL_ATTRIBUTES):
        raise UsageError(f"attribute() takes plain HTML attributes in lower case, not {name!r}: write it as a constant")
    text = _fit(value)
    if name in _URL_ATTRIBUTES and _is_active(text):
        schemes = ", ".join(sorted(_LINK_SCHEMES))
        raise EncodeError(f"the value of {name} is no URL with a scheme of {schemes}, nor a relative one: refuse it")
    return f'{name}="{html.escape(text)}"'


def _is_active(link: str) -> bool:
    """Whether a browser might find another scheme in ``link`` than those of links (WHATWG URL, section 4.4)."""
    if any(character <= " " or character in "\\\x7f" for character in link):
        return True
    scheme, colon, _ = re.split("[/?#]", link, maxsplit=1)[0].partition(":")
    return bool(colon) and scheme.lower() not in _LINK_SCHEMES


def js_string(text: object) -> str:
    """``str(text)`` as a string literal in single quotes, for an inline script or an event handler.

    Every character but ASCII letters, digits, space and ``, . _ -`` is written as ``\\uXXXX``: nothing ends the
    literal, the script element, a comment, or a handler's attribute in double quotes.
    """
    return f"'{_JS_UNSAFE.sub(_utf16_escapes, _fit(text))}'"


def _utf16_escapes(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def css_string(text: object) -> str:
    """``str(text)`` as a string of CSS in single quotes, for ``<style>`` or a ``style`` attribute in double quotes.

    For values such as that of ``content``; never inside ``url()``, where it would be an address. Every character but
    ASCII letters and digits is written as six hexadecimal digits (CSS Syntax, section 4.3.7).
    """
    return "'{}'".format(_CSS_UNSAFE.sub(lambda match: f"\\{ord(match[0]):06x}", _fit(text)))


def json_for_script(value: object) -> str:
    """``value`` as JSON that can stand inside ``<script>`` or ``<script type="application/json">``.

    No ``<``, ``>`` or ``&`` is left (so no ``</script``, ``<!--``), nor U+2028 and U+2029, which end a line in older
    JavaScript. Raises :class:`ValueError` for NaN and infinities, :class:`TypeError` for what JSON cannot hold.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escaped in _SCRIPT.items():
        text = text.replace(character, escaped)
    return _LONE.sub("\ufffd", text)


def json_script(value: object, id: str) -> str:
    """A ``<script type="application/json">`` element with :func:`json_for_script` of ``value``: data, never run.

    A script of the page reads it: ``JSON.parse(document.getElementById(id).textContent)``. It needs no
    ``'unsafe-inline'``.
    """
    return f'<script {attribute("id", id)} type="application/json">{json_for_script(value)}</script>'


def url_component(text: object) -> str:
    """``str(text)`` percent-encoded as UTF-8: a name or value of a query, or a part of a path (see :func:`url`)."""
    return quote(_fit(text), safe="")


def url(
    base: str,
    *,
    path: Iterable[object] = (),
    query: Mapping[str, object] | Iterable[tuple[str, object]] = (),
) -> str:
    """``base`` with the parts of ``path`` and the pairs of ``query`` behind it, each of them encoded.

    ``base`` is the developer's: an ``https`` or ``http`` origin in lower case, a path of this site, or both, without
    query and fragment; anything else raises :class:`UsageError`. A part that is empty, ``.`` or ``..`` would change
    the path whatever its encoding: :class:`EncodeError`. A value of ``None`` is left out, a list is repeated. In HTML
    the result still stands in a quoted attribute: ``attribute("href", url(…))``.
    """
    if not base or not _BASE.fullmatch(base):
        raise UsageError("url() needs an http(s) origin, a path that begins with one slash, or both, without a query")
    if isinstance(path, str):
        raise UsageError('path= is a list of parts: url(base, path=["media", media_id])')
    parts = [_fit(part) for part in path]
    if not {"", ".", ".."}.isdisjoint(parts):
        raise EncodeError("a part of a path is empty, '.' or '..': no encoding keeps it from changing the path")
    address = base.rstrip("/") + "".join(f"/{url_component(part)}" for part in parts) if parts else base
    found = query.items() if isinstance(query, Mapping) else query
    pairs = [(name, one) for name, value in found for one in (value if isinstance(value, (list, tuple)) else [value])]
    asked = "&".join(f"{url_component(name)}={url_component(value)}" for name, value in pairs if value is not None)
    return f"{address}?{asked}" if asked else address


def csv_cell(value: object) -> str:
    """A cell's text for :mod:`csv` to quote. Text that a spreadsheet would run is put behind an apostrophe.

    That is text whose first character, white space aside, is one of ``= + - @ |`` (also full width), tab, line end or
    NUL. Behind a semicolon, a tab or a line end, where programs in many countries begin a cell of their own, the
    apostrophe stands inside the text. Numbers stay numbers; ``None`` is empty.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        return _fit(value)
    text = _INSIDE.sub(r"\1'", _fit(value))
    visible = value.lstrip(_SKIPPED)
    return f"'{text}" if visible[:1] in _FORMULA and visible else text


def csv_lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """The lines of a CSV file (RFC 4180), each with its line end, made as they are asked for.

    Texts pass :func:`csv_cell` and are quoted; ``int`` and ``float`` stand as they are.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC)
    for row in rows:
        writer.writerow([cell if type(cell) in {int, float} else csv_cell(cell) for cell in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


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
