"""The reference of an API as one page, made of its OpenAPI document. Pure: it gives the whole body.

The page has no script, no style of its own and asks nobody for anything, so that it stands under
``default-src 'none'; style-src 'self'``. Every text of the document is shown as it is: none becomes markup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from html import escape
from http import HTTPStatus
from shlex import quote
from typing import Any

from .openapi.calls import Shown, calls, credentials
from .openapi.shapes import Row, groups, in_words, resolved, rows
from .page_style import framed

_BODY = """\
<a class="skip" href="#content">Skip to the operations</a>
<div class="layout">
<nav aria-label="Operations">
{contents}
</nav>
<main id="content" tabindex="-1">
{content}
</main>
</div>"""
_FIELDS = ("Name", "Type", "What it is")
_PLACES = {"path": "In the path", "query": "Query", "header": "Headers"}
_CODE = re.compile(r"(`{1,2})([^`]+)\1")


def reference_html(spec: Mapping[str, Any], *, stylesheet: str) -> bytes:
    """The page of the document that :func:`.openapi.document` made, as UTF-8.

    ``stylesheet`` is where :data:`.page_style.STYLE` is served. Descriptions are plain text: blank lines part
    paragraphs, backquotes mark code.
    """
    info = spec.get("info", {})
    title = f"{info.get('title', 'API')} {info.get('version', '')}".strip()
    told = list(groups(spec))
    contents = "\n".join(_contents(name, operations) for name, _, operations in told)
    content = [f"<h1>{escape(title)}</h1>", _prose(info.get("description", "")), _calling(spec)]
    content += [_group(spec, *one) for one in told]
    return framed(f"{title}: reference", _BODY.format(contents=contents, content="\n".join(content)), stylesheet)


def _contents(name: str, operations: Iterable[tuple[str, str, Mapping[str, Any]]]) -> str:
    links = "\n".join(f'<li><a href="#{_id(one)}">{_inline(_summary(one))}</a></li>' for _, _, one in operations)
    return f"<h2>{escape(name)}</h2>\n<ul>\n{links}\n</ul>"


_CALLING = """\
<section aria-labelledby="calling">
<h2 id="calling">How to call it</h2>
<p>Paths are relative to <code>{url}</code>. An answer is an object with <code>data</code>; a list has
<code>next</code> beside it, which is <code>null</code> on the last page; what is told beside the data is
<code>meta</code>. An answer may get further members: pass over those that you do not know.</p>
<p>The examples take these from the shell:</p>
{variables}
{schemes}
<p><a href="{url}/openapi.json">The same as OpenAPI 3.1</a></p>
</section>"""


def _calling(spec: Mapping[str, Any]) -> str:
    servers: list[Mapping[str, Any]] = spec.get("servers") or [{}]
    url = str(servers[0].get("url", "")).rstrip("/")
    whole = url if "://" in url else f"http://localhost:8000{url}"
    schemes = spec.get("components", {}).get("securitySchemes", {})
    variables = dict.fromkeys(credentials([one])[0] for one in schemes.values())
    lines = [f"API={quote(whole)}", *(f"{name}=…" for name in variables if name)]
    said = "".join(f"<dt>{escape(name)}</dt>\n<dd>{_prose(_scheme(one))}</dd>\n" for name, one in schemes.items())
    told = f"<p>Who calls is told in one of these ways:</p>\n<dl>\n{said}</dl>" if said else ""
    return _CALLING.format(url=escape(url), variables=_pre("\n".join(lines)), schemes=told)


def _scheme(scheme: Mapping[str, Any]) -> str:
    where = f"In the {scheme.get('in')} ``{scheme.get('name')}``."
    if scheme.get("type") == "http":
        where = f"In the header ``Authorization``, by the scheme {str(scheme.get('scheme', '')).capitalize()}."
    return f"{scheme.get('description', '')} {where}"


def _group(
    spec: Mapping[str, Any], name: str, description: str, operations: Iterable[tuple[str, str, Mapping[str, Any]]]
) -> str:
    place = f"group-{_slug(name)}"
    articles = "\n".join(_operation(spec, *one) for one in operations)
    heading = f'<h2 id="{place}">{escape(name)}</h2>'
    return f'<section aria-labelledby="{place}">\n{heading}\n{_prose(description)}\n{articles}\n</section>'


def _operation(spec: Mapping[str, Any], path: str, method: str, said: Mapping[str, Any]) -> str:
    parts = [
        f'<article class="operation" id="{_id(said)}" aria-labelledby="{_id(said)}-title">',
        f'<h3 id="{_id(said)}-title">{_inline(_summary(said))}</h3>',
        f'<p><span class="method {method}">{method.upper()}</span> <code>{escape(path)}</code></p>',
        _ending(said),
        _prose(said.get("description", "")),
        f'<p class="soft">{_needs(said)}</p>',
        _parameters(spec, said),
        _body(spec, said),
        _answers(spec, said),
        _problems(spec, said),
        _examples(calls(spec, path, method, said)),
        "</article>",
    ]
    return "\n".join(part for part in parts if part)


def _ending(said: Mapping[str, Any]) -> str:
    if not said.get("deprecated"):
        return ""
    since = f" since {said['x-deprecated-since']}" if "x-deprecated-since" in said else ""
    ends = f"; it ends on {said['x-sunset']}" if "x-sunset" in said else ""
    url = str(said.get("x-deprecation-link", ""))
    # No other scheme: a link must not be a script.
    more = f' <a href="{escape(url)}">What takes its place</a>' if re.match(r"https?://|/", url) else ""
    return f'<p class="deprecated">{escape(f"Deprecated{since}{ends}.")}{more}</p>'


def _needs(said: Mapping[str, Any]) -> str:
    need = said.get("x-access", "")
    if need == "public" or (not need and not said.get("security")):
        return "Open to everybody."
    if need in {"", "signed-in"}:
        return "For who is signed in."
    own = ", for what is the caller's own" if str(need).endswith(":own") else ""
    return f"Needs the permission {_code(str(need).removesuffix(':own'))}{own}."


def _parameters(spec: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    tables: dict[str, list[str]] = {}
    for told in (resolved(spec, one) for one in said.get("parameters", ())):
        schema = told.get("schema", {})
        default = f", {json.dumps(schema['default'], ensure_ascii=False)} if left out" if schema.get("default") else ""
        required = told["in"] != "path" and bool(told.get("required"))
        gone = "Deprecated. " if told.get("deprecated") else ""
        words = _inline(gone + told.get("description", ""))
        line = _row(_name(told["name"], "required" * required), escape(in_words(spec, schema) + default), words)
        tables.setdefault(told["in"], []).append(line)
    return "\n".join(_table(_PLACES.get(place, place), _FIELDS, lines) for place, lines in tables.items())


def _body(spec: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    parts = []
    for media_type, content in said.get("requestBody", {}).get("content", {}).items():
        # Which files a form takes stands beside its schema.
        files = {name: f" ({one['contentType']})" for name, one in content.get("encoding", {}).items()}
        fields = rows(spec, content.get("schema", {}))
        told = ((replace(one, type=one.type + files.get(one.place, "")), "required" * one.required) for one in fields)
        parts.append(_fields(f"Body: {media_type}", told))
    return "\n".join(parts)


def _answers(spec: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    parts = ["<h4>Answers</h4>"]
    for status, one in said.get("responses", {}).items():
        if not status < "4":
            continue
        told = resolved(spec, one)
        bodies = told.get("content", {})
        types = ", ".join(bodies) or "no body"
        found = [one for body in bodies.values() for one in rows(spec, body.get("schema", {}))]
        inner = [_fields(f"Body of {status}", ((one, "" if one.required else "may be absent") for one in found))]
        headers = ((name, resolved(spec, header)) for name, header in told.get("headers", {}).items())
        lines = [_row(_code(name), _inline(header.get("description", ""))) for name, header in headers]
        inner.append(_table(f"Headers of {status}", ("Name", "What it says"), lines) if lines else "")
        heading = f'<span class="status">{escape(status)}</span> {escape(told.get("description", ""))}: {escape(types)}'
        parts.append(f"<details>\n<summary>{heading}</summary>\n" + "\n".join(inner) + "\n</details>")
    return "\n".join(parts)


def _problems(spec: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    lines = []
    for status, one in said.get("responses", {}).items():
        for content in resolved(spec, one).get("content", {}).values() if status >= "4" else ():
            for example in (each for each in content.get("examples", {}).values() if "$ref" in each):
                told = resolved(spec, example)
                value = told.get("value", {})
                words = f"{told.get('summary', '')}. {told.get('description', '')}".strip()
                lines.append(_row(escape(status), _code(str(value.get("code", ""))), _inline(words)))
    return _table("Problems", ("Status", "Code", "What it means"), lines) if lines else ""


def _examples(shown: Iterable[Shown]) -> str:
    parts = ["<h4>Example</h4>"]
    for one in shown:
        parts += [f"<p>{escape(one.title)}</p>"] * bool(one.title) + [_pre(one.command)]
        if one.status:
            phrase = HTTPStatus(int(one.status)).phrase
            parts.append(f'<p>is answered with <span class="status">{escape(one.status)}</span> {escape(phrase)}:</p>')
            parts.append(_pre(json.dumps(one.answer, ensure_ascii=False, indent=2)))
    return "\n".join(parts)


def _fields(caption: str, fields: Iterable[tuple[Row, str]]) -> str:
    lines = [_row(_name(one.place, mark), escape(one.type), _inline(one.description)) for one, mark in fields]
    return _table(caption, _FIELDS, lines) if lines else ""


def _name(name: str, mark: str) -> str:
    return _code(name) + (f' <span class="soft">{mark}</span>' if mark else "")


def _table(caption: str, columns: Iterable[str], lines: Iterable[str]) -> str:
    """A table that scrolls by itself where there is no room, by keyboard too."""
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in columns)
    table = f"<table>\n<caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n"
    return f'<div class="scrolled" tabindex="0">{table}' + "\n".join(lines) + "\n</tbody>\n</table></div>"


def _row(*cells: str) -> str:
    first, *others = cells
    return f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{one}</td>" for one in others) + "</tr>"


def _pre(text: str) -> str:
    return f'<pre tabindex="0"><code>{escape(text)}</code></pre>'


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _prose(text: str) -> str:
    return "\n".join(f"<p>{_inline(one)}</p>" for one in re.split(r"\n\s*\n", text.strip()) if one)


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\2</code>", escape(" ".join(text.split())))


def _summary(said: Mapping[str, Any]) -> str:
    return str(said.get("summary") or said.get("operationId", ""))


def _id(said: Mapping[str, Any]) -> str:
    return _slug(str(said.get("operationId", "")))


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text) or "-"
