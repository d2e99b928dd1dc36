"""The frame and the style sheet of the pages that explain an API: its reference, and its types of problems.

The sheet is for plain semantic HTML: ``header``, ``nav``, ``main``, ``section``, ``article``, ``table``, ``pre``,
``details``, ``dl``. Classes: ``.layout`` puts a ``nav`` beside ``main`` where there is room; ``article.operation``,
``.method`` and ``.status`` mark what they name; ``.scrolled`` goes around a wide table, ``.soft`` is said in passing,
``.skip`` is the link past the navigation.
"""

from __future__ import annotations

from html import escape

_FRAME = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{stylesheet}">
</head>
<body>
{body}
</body>
</html>
"""
STYLE = """\
:root {
  color-scheme: light dark;
  --paper: #fbfaf8;
  --card: #ffffff;
  --ink: #1d1b22;
  --soft: #5d5966;
  --line: #d9d5e0;
  --accent: #4f26c0;
  --danger: #a3152a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16151a;
    --card: #211f27;
    --ink: #f1eff5;
    --soft: #b8b2c6;
    --line: #423d4f;
    --accent: #bda4ff;
    --danger: #ff95a2;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.6 system-ui, "DejaVu Sans", sans-serif;
  overflow-wrap: break-word; }
header, main, footer { max-width: 60rem; margin-inline: auto; padding: 1rem 1.25rem; }
h1, h2, h3, h4 { line-height: 1.25; margin: 2rem 0 .5rem; text-wrap: balance; overflow-wrap: anywhere; }
h1 { font-size: 1.75rem; margin-top: .5rem; letter-spacing: -.01em; }
h2 { font-size: 1.35rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.1rem; }
h4 { font-size: 1rem; }
p, ul, ol, dl, pre, table, details { margin: .6rem 0; }
p, li, dd { max-width: 44rem; }
a { color: var(--accent); text-underline-offset: .15em; }
a:hover { text-decoration-thickness: .15em; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: .2rem; }
[tabindex="-1"]:focus { outline: none; }
:target { scroll-margin-top: 1rem; }
.skip { position: absolute; left: -100vw; top: 0; padding: .5rem 1rem; background: var(--card); z-index: 1; }
.skip:focus { left: 0; }
.soft { color: var(--soft); }
code, pre { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .9em; }
code { overflow-wrap: anywhere; }
pre { padding: .8rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  overflow-x: auto; line-height: 1.5; tab-size: 2; }
pre code { font-size: 1em; overflow-wrap: normal; }
.scrolled { overflow-x: auto; margin: .6rem 0; }
.scrolled > table { margin: 0; }
table { width: 100%; border-collapse: collapse; font-size: .95rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { text-align: left; vertical-align: baseline; padding: .45rem 1rem .45rem 0;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-size: .85rem; font-weight: 600; }
tbody th { font-weight: 500; }
td code, th code { overflow-wrap: break-word; }
dt { font-weight: 600; margin-top: .5rem; }
dd { margin: 0; }
details { border: 1px solid var(--line); border-radius: .5rem; padding: 0 1rem; background: var(--card); }
details > pre { background: var(--paper); }
details[open] { padding-bottom: .4rem; }
summary { padding: .5rem 0; cursor: pointer; font-weight: 600; }
nav ul { list-style: none; margin: .2rem 0 .8rem; padding: 0; }
nav li { padding: .15rem 0; }
nav h2 { font-size: .95rem; margin: .8rem 0 0; padding: 0; border: 0; color: var(--soft); }
article.operation { margin: 1.2rem 0; padding: .2rem 1.25rem 1rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem; }
article.operation pre, article.operation details { background: var(--paper); }
article.operation details > pre { background: var(--card); }
article.operation > h3 { margin-top: 1rem; }
.method, .status { display: inline-block; padding: .1rem .5rem; border: 1px solid currentColor; border-radius: .35rem;
  font: 600 .8rem/1.4 ui-monospace, "DejaVu Sans Mono", monospace; color: var(--accent); white-space: nowrap; }
.method.delete, .deprecated { color: var(--danger); }
@media (min-width: 64rem) {
  .layout { display: grid; grid-template-columns: 17rem minmax(0, 1fr); max-width: 82rem; margin-inline: auto; }
  .layout > nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; }
  .layout > main { max-width: none; width: 100%; margin: 0; }
}
nav { padding: 1rem 1.25rem; }
header nav, main nav { padding: 0; }
@media (max-width: 63.99rem) {
  .layout > nav { max-height: 40vh; overflow-y: auto; border-bottom: 1px solid var(--line); }
}
@media (max-width: 40rem) {
  h1 { font-size: 1.4rem; }
  h2 { font-size: 1.2rem; }
  article.operation { padding-inline: .9rem; }
  th, td { padding-right: .7rem; }
}
@media print {
  nav, .skip { display: none; }
  pre { white-space: pre-wrap; }
}
"""


def framed(title: str, body: str, stylesheet: str) -> bytes:
    """A whole page: ``title`` and the URL ``stylesheet`` are texts, ``body`` is HTML."""
    return _FRAME.format(title=escape(title), stylesheet=escape(stylesheet), body=body).encode()
