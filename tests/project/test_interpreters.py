"""No text reaches an interpreter: nothing runs or unpacks what it is given, no shell, no pattern from outside."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The kit of tests starts programs and reads patterns as a developer tells it: no application runs it.
KIT = ROOT / "src/postrmagic_core/testing"
DASHBOARD = ROOT / "src/postrmagic_core/observability/dashboard"
FILES = [path for folder in ("src", "examples") for path in sorted((ROOT / folder).rglob("*.py"))]

# By what it would do with a hostile text; the package has no use for any of them.
MODULES = {
    "unpickles": {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "jsonpickle"},
    "parses XML": {"xml", "lxml", "xmltodict", "defusedxml"},
    "builds objects from YAML": {"yaml", "ruamel"},
    "fills templates": {"jinja2", "mako", "chevron", "tornado"},
    "asks a directory": {"ldap", "ldap3"},
    "sends mail": {"smtplib", "imaplib", "poplib", "aiosmtplib"},
    "runs code": {"code", "codeop", "runpy", "pty", "py_compile"},
}
MEANT = {
    # Mail is what it is for; a subject, addresses and text are set by email's own message, which refuses line breaks.
    "src/postrmagic_core/observability/alerts/channels/smtp.py": "smtplib sends mail",
    # Files of the package, escaped by default; a test below sees to it that no text becomes a template.
    "src/postrmagic_core/observability/dashboard/rendering.py": "jinja2 fills templates",
}
CALLS = {"eval", "exec", "compile", "os.system", "os.popen", "asyncio.create_subprocess_shell", "subprocess.getoutput"}
PATTERNS = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
STARTS = {"Popen", "run", "call", "check_call", "check_output", "create_subprocess_exec"}


def complaints(tree: ast.AST) -> Iterator[str]:
    """What a module does that it must not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (why for alias in node.names for why in _unwanted(alias.name))
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from _unwanted(node.module or "")
        elif isinstance(node, ast.Call):
            yield from _called(node)


def _unwanted(module: str) -> Iterator[str]:
    root = module.partition(".")[0]
    yield from (f"{module} {why}" for why, names in MODULES.items() if root in names)


def _called(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    first = node.args[0] if node.args else None
    if name in CALLS:
        yield f"{name}() runs a text"
    if any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in node.keywords):
        yield f"{name}() asks a shell"
    if name.rpartition(".")[2] in STARTS and name.startswith(("subprocess.", "asyncio.")) and _is_text(first):
        yield f"{name}() splits a command line"
    if name.startswith("re.") and name[3:] in PATTERNS and first is not None and not _is_fixed(first):
        yield f"{name}() takes a pattern that is not written here: re.escape() what is put in"


def _is_text(node: ast.expr | None) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_fixed(node: ast.expr) -> bool:
    """Whether a pattern is made of constants, and of texts that are escaped."""
    match node:
        case ast.JoinedStr():
            return all(_is_fixed(part.value) for part in node.values if isinstance(part, ast.FormattedValue))
        case ast.BinOp():
            return _is_fixed(node.left) and (_is_fixed(node.right) or isinstance(node.op, ast.Mult))
        case ast.IfExp(body=one, orelse=other):
            fixed = _is_fixed(one) and _is_fixed(other)
        case ast.Subscript(value=table):
            fixed = _is_fixed(table)
        case ast.Call(func=ast.Attribute(attr="format", value=text)):
            fixed = all(map(_is_fixed, [text, *node.args, *(word.value for word in node.keywords)]))
        case ast.Call(func=ast.Attribute(attr="join", value=text), args=[ast.GeneratorExp(elt=each)]):
            fixed = _is_fixed(text) and _is_fixed(each)
        case ast.Call(func=function):
            fixed = ast.unparse(function) == "re.escape"
        case ast.Attribute(attr=name):  # of one that was compiled
            fixed = name == "pattern"
        case _:
            fixed = isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id.isupper())
    return fixed


@pytest.mark.parametrize("folder", ["src", "examples"])
def test_no_text_is_run_unpacked_or_read_as_a_pattern(folder: str) -> None:
    """Of the whole package and the reference application (ASVS 1.2.5, 1.2.9, 1.3.2, 1.3.7, 1.5.1, 1.5.2)."""
    files = [path for path in FILES if path.relative_to(ROOT).parts[0] == folder and not path.is_relative_to(KIT)]
    assert files
    found = {
        path.relative_to(ROOT).as_posix(): told
        for path in files
        if (told := set(complaints(ast.parse(path.read_text(encoding="utf-8")))))
    }
    meant = {path: {why} for path, why in MEANT.items() if path.startswith(folder)}
    assert found == meant


def test_no_text_becomes_a_template() -> None:
    """Templates are the package's files; what is not escaped in them is marked in Python, never in a template."""
    texts = {path: path.read_text(encoding="utf-8") for path in FILES if path.is_relative_to(DASHBOARD)}
    assert [path.name for path, text in texts.items() if "from_string" in text or "Template(" in text] == []
    templates = {path.name: path.read_text(encoding="utf-8") for path in (DASHBOARD / "templates").glob("*.html")}
    assert len(templates) > 20
    assert [name for name, text in templates.items() if re.search(r"\|\s*safe\b|autoescape", text)] == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from xml.etree import ElementTree",
        "import xml.sax as sax",
        "from jinja2 import Template",
        "import yaml",
        "import ldap3",
        "from smtplib import SMTP",
        "eval(text)",
        "exec(compile(text, '', 'exec'))",
        "os.system(text)",
        "subprocess.run(text, shell=True)",
        "subprocess.Popen([text], shell=flag)",
        "subprocess.run(f'ls {text}')",
        "re.compile(text)",
        "re.sub(f'^{text}$', '', other)",
        "re.search(PREFIX + text, other)",
        "re.search(PATTERN.format(name=text), other)",
        "re.compile(''.join(part for part in parts))",
        "re.compile(text * 2)",
        "re.compile(PATTERNS[name] if name in PATTERNS else name)",
    ],
)
def test_a_planted_line_is_found(line: str) -> None:
    """Each way by which a text could be run."""
    assert list(complaints(ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    [
        "import json, re, subprocess",
        "from .pickle import kept",
        "subprocess.Popen([sys.executable, '-m', name])",
        "subprocess.run(command, shell=False)",
        "re.compile(r'[a-z]+')",
        "re.compile(_PAIR)",
        "re.compile(f'{_PAIR}(?:;{_PAIR})*')",
        "re.compile(_LEXEMES.format(comment=r'--.*', string=_STRING))",
        "re.search(re.escape(text) + '$', other)",
        "re.compile(''.join(PATTERNS[name] if name in PATTERNS else re.escape(name) for name in names))",
        "re.compile(f'(?:{pattern.pattern})*')",
        "re.compile('[0-9]' * digits)",
        "pattern.search(text)",
    ],
)
def test_an_honest_line_passes(line: str) -> None:
    """What the package does is none of it."""
    assert list(complaints(ast.parse(line))) == []
