"""What a type of problem means, to be read where its ``type`` leads.

Pure: each function gives a whole page. They have no script and no style of their own, so that they stand under
``default-src 'none'; style-src 'self'``; ``stylesheet`` is where :data:`.page_style.STYLE` is served.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape

from .._problem import Problem
from .page_style import framed
from .problem_types import ProblemType

_TYPE = """\
<nav aria-label="Breadcrumb"><a href="{base}">All types of problems</a></nav>
<h1>{title}</h1>
<p>{description}</p>
<dl>
<dt>Code</dt><dd><code>{code}</code></dd>
<dt>Status</dt><dd>{status}</dd>
</dl>
<h2>The document</h2>
<p>Beside these members there may be a detail about the occurrence, and errors with the fields at fault.</p>
<pre tabindex="0"><code>{document}</code></pre>"""
_LIST = """\
<h1>Types of problems</h1>
<p>A request that fails is answered with a document of type <code>application/problem+json</code> (RFC 9457). Its
<code>code</code> is one of these, and stays the same.</p>
<div class="scrolled">
<table>
<thead><tr><th scope="col">Code</th><th scope="col">Status</th><th scope="col">Title</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>"""
_ROW = '<tr><th scope="row"><a href="{base}{code}"><code>{shown}</code></a></th><td>{status}</td><td>{title}</td></tr>'


def type_page(kind: ProblemType, *, base: str, stylesheet: str) -> bytes:
    """The page of one type, as UTF-8; ``base`` is the registry's."""
    document = json.dumps(_example(kind).to_dict(base), ensure_ascii=False, indent=2)
    texts = {"title": kind.title, "description": kind.description, "code": kind.code, "document": document}
    texts |= {"base": base, "status": str(kind.status)}
    content = _TYPE.format(**{name: escape(text) for name, text in texts.items()})
    return _page(f"{kind.title} ({kind.code})", stylesheet, content)


def list_page(types: Iterable[ProblemType], *, base: str, stylesheet: str) -> bytes:
    """The page of all types, as UTF-8, in the order they are given."""
    rows = "\n".join(_row(kind, base) for kind in types)
    return _page("Types of problems", stylesheet, _LIST.format(rows=rows))


def _row(kind: ProblemType, base: str) -> str:
    # A code may be broken where its words end: it is the widest column on a phone.
    shown = re.sub(r"([._])", r"\1<wbr>", escape(kind.code))
    told = {"base": base, "code": kind.code, "status": str(kind.status), "title": kind.title}
    return _ROW.format(shown=shown, **{name: escape(text) for name, text in told.items()})


def _example(kind: ProblemType) -> Problem:
    return Problem(kind.status, kind.code, kind.title)


def _page(title: str, stylesheet: str, content: str) -> bytes:
    return framed(title, f"<main>\n{content}\n</main>", stylesheet)
