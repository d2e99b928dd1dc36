"""The ``Link`` header of a page that is followed by another (RFC 8288). Pure."""

from __future__ import annotations

from urllib.parse import quote, unquote_plus

# What may stand in a path or a query (RFC 3986, section 3.3 and 3.4), escapes included; the rest is escaped.
_PATH = "/!$&'()*+,;=:@%"
_QUERY = _PATH + "?"


def next_link(path: str, query: str, cursor: str) -> str:
    """The value of a ``Link`` header that leads to the page behind ``cursor``: the same request with another ``after``.

    ``path`` and ``query`` are the request's, as they were sent: what may not stand in a URL is escaped.
    """
    pairs = [pair for pair in query.split("&") if pair and unquote_plus(pair.partition("=")[0]) != "after"]
    asked = quote("&".join([*pairs, f"after={quote(cursor, safe='')}"]), safe=_QUERY)
    # Two slashes at the beginning would name another host (section 4.2).
    return f'<{quote("/" + path.lstrip("/"), safe=_PATH)}?{asked}>; rel="next"'
