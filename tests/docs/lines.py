"""The command lines that a page shows, and what is wrong with each.

Checked to their last option: ``postrmagic``, ``python -m media_library``, ``python -m benchmarks``; ``make`` to its
target, ``pip install`` to the package's extras, ``python`` to the file or the module. Of the programs in ``OTHERS``
nothing is checked but that a page calls them so.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from tests.docs.playing import ROOT, Block, blocks

LANGUAGES = ("console", "sh", "bash", "text", "ini", "dockerfile", "yaml", "toml", "")
_OTHERS = """. awk cat cd chmod chown cp curl docker echo export flask gh git grep hypercorn jq kill ls mkdir mv mypy
mysql openssl pyright pytest rm ruff sed set source sqlite3 tox tree true uv uvicorn wait wc zcat"""
OTHERS = frozenset(_OTHERS.split())
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
JOINED = re.compile(r"\d?>&\d")
HIDDEN = re.compile(r"""\$\(((?:"(?:[^"\\]|\\.)*"|'[^']*'|\([^()]*\)|[^()"'])*)\)""")
BEFORE = frozenset({"do", "done", "else", "exec", "fi", "if", "then", "while"})
ENDS = frozenset({"&&", "||", "|", ";", "&"})


class Line(NamedTuple):
    """A command line: the number of its line in the page, itself, and whether it is to be typed as it stands."""

    number: int
    text: str
    whole: bool = True


def lines(page: Path) -> Iterator[Line]:
    """Those in blocks, and those in the text, which may leave out what stands beside them."""
    text = page.read_text(encoding="utf-8")
    for block in blocks(page, *LANGUAGES):
        yield from _typed(block)
    prose = re.sub(
        r"^( *)```.*?^\1```", lambda found: "\n" * found[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL
    )
    for found in re.finditer(r"`((?:postrmagic|make|python -m) [^`]+)`", prose):
        shown = " ".join(found[1].split())
        several = re.fullmatch(r"([^|]*) (\w+(?: ?\| ?\w+)+)", shown)  # `postrmagic api describe|compare` are two
        for one in [f"{several[1]} {name.strip()}" for name in several[2].split("|")] if several else [shown]:
            yield Line(prose.count("\n", 0, found.start()) + 1, one, whole=False)


def _typed(block: Block) -> Iterator[Line]:
    prompt = block.language == "console"
    waiting, begun = "", 0
    for number, shown in enumerate(block.text.splitlines(), start=block.line):
        if waiting:
            line = f"{waiting}\n{shown.removeprefix('> ')}"
        elif prompt:
            if not shown.startswith("$ "):
                continue
            line, begun = shown[2:], number
        else:
            line, begun = _in_file(block.language, shown), number
        waiting = line if line.endswith("\\") or not _balanced(line) else ""
        if line.strip() and not waiting:
            yield Line(begun, line.replace("\\\n", " "))
    if waiting:
        yield Line(begun, waiting)


def _in_file(language: str, shown: str) -> str:
    """What of a line of such a file is a command."""
    if language in ("sh", "bash"):
        return shown
    if language == "ini":
        return shown.partition("ExecStart=")[2]
    if language == "dockerfile" and (listed := re.match(r"(?:CMD|ENTRYPOINT) (\[.*\])$", shown)):
        return shlex.join(json.loads(listed[1]))
    if language == "dockerfile":
        return shown.removeprefix("RUN ") if shown.startswith("RUN ") else ""
    found = re.match(r"\W*(?:run: )?(postrmagic \w+(?![\w:]).*)$", shown)
    return found[1] if found else ""


def _balanced(line: str) -> bool:
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return False
    return True


def commands(line: str) -> Iterator[list[str]]:
    """The words of each command of a line; those in ``$(…)`` too, whose output is a word."""
    for inside in HIDDEN.findall(line):
        yield from commands(inside)
    lexer = shlex.shlex(JOINED.sub("", HIDDEN.sub("it", line)), posix=True, punctuation_chars="|&;")
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    for word in lexer:
        if word.startswith("#"):
            break
        if word in ENDS:
            yield _command(words)
            words = []
        else:
            words.append(word)
    yield _command(words)


def _command(words: list[str]) -> list[str]:
    """Without what is assigned before it, and where its output goes."""
    while words and (ASSIGNMENT.match(words[0]) or words[0] in BEFORE):
        words = words[1:]
    if words[:1] == ["for"]:
        return []
    kept, skip = [], False
    for word in words:
        if skip or re.fullmatch(r"\d?>{1,2}\S*|<\S*", word):
            skip = not skip and word in (">", ">>", "<", "2>")
            continue
        kept.append(word)
    return kept


def _named(word: str) -> str | None:
    """What is wrong with ``module:name``, where that is in the checkout's own application."""
    found = re.fullmatch(r"(media_library[\w.]*):(\w+)", word)
    if found is None:
        return None
    file = ROOT / "examples" / f"{found[1].replace('.', '/')}.py"
    made = ast.parse(file.read_text(encoding="utf-8")).body if file.is_file() else []
    names = {name.id for each in made for name in ast.walk(each) if isinstance(name, ast.Name)}
    return None if found[2] in names else f"there is no {word}"


def wrong(page: Path) -> list[str]:
    """What is wrong with the command lines of a page."""
    text = page.read_text(encoding="utf-8")
    found = []
    for line in lines(page):
        for words in commands(line.text):
            complaints = [*map(_named, words), _complaint(words, line, text) if words else None]
            if complaint := next(filter(None, complaints), None):
                found.append(f"{page.name}:{line.number}: {' '.join(words)}: {complaint}")
    return found


def _complaint(words: Sequence[str], line: Line, text: str) -> str | None:
    name, *rest = words
    checks: dict[str, Callable[[], str | None]] = {
        "postrmagic": lambda: _typer(command_line("postrmagic_core.cli.app"), rest, line),
        "make": lambda: next((f"there is no target {word}" for word in rest if not _target(word)), None),
        "pip": lambda: _pip(rest),
        "python": lambda: _python(rest, line, text),
    }
    if check := checks.get(Path(name).name.removesuffix("3")):
        return check()
    own = name.startswith("./") and name[2:] in text
    there = own or (ROOT / name).is_file() if "/" in name else name in OTHERS
    return None if there else f"{name} is no program that the documentation is known to call"


def _python(words: Sequence[str], line: Line, text: str) -> str | None:
    match words:
        case ["-m", module, *rest]:
            return _module(module, rest, line, text)
        case ["-c", code, *_]:
            return _compiles(code)
        case [file, *_] if not file.startswith("-"):
            shown = text.count(file) > 1 or file == "manage.py"
            return None if shown or (ROOT / file).is_file() else f"there is no {file}"
    return None


def _module(module: str, words: Sequence[str], line: Line, text: str) -> str | None:
    match module:
        case "pip":
            return _pip(words)
        case "media_library":
            return _typer(command_line("media_library.__main__"), words, line)
        case "benchmarks":
            return _benchmarks(words, text) if line.whole else None
    return None if _there(module, text) else f"there is no module {module}"


def _compiles(code: str) -> str | None:
    try:
        compile(code, "-c", "exec")
    except SyntaxError as error:
        return f"it is no Python: {error}"
    return None


def _there(module: str, text: str) -> bool:
    """Whether there is such a module: installed, in the checkout, or one of the page's own project."""
    root = module.partition(".")[0]
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return find_spec(root) is None and (f"{root}/" in text or f"{root}.py" in text)


def _pip(words: Sequence[str]) -> str | None:
    extras, groups = _extras()
    for word in words if words[:1] == ["install"] else ():
        for asked in re.findall(r"\[(.*?)\]", word) if word.startswith("postrmagic-core[") else ():
            if unknown := set(asked.split(",")) - extras:
                return f"the package has no extra {', '.join(sorted(unknown))}"
    if "--group" in words and words[words.index("--group") + 1] not in groups:
        return "there is no such group"
    return None


def _benchmarks(words: Sequence[str], text: str) -> str | None:
    from benchmarks.__main__ import options, parser

    own = len(words) > 1 and f"{words[1]}.py" in text  # one that the reader writes: its options are known to nobody
    words, told = ["run", "stack"] if own else words, io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            given = parser().parse_args(list(words))
        if given.command == "run":
            options(given, importlib.import_module(f"benchmarks.{given.name}").TAKES)
    except SystemExit:
        return told.getvalue().splitlines()[-1]
    except ValueError as error:
        return str(error)
    return None


def _typer(command: Any, words: Sequence[str], line: Line) -> str | None:
    """What the command would say itself; nothing of it is done."""
    path = []
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        path.append(words[0])
        inside = command.commands.get(words[0])
        if inside is None:
            return f"there is no command {' '.join(path)}"
        command, words = inside, words[1:]
    if hasattr(command, "commands") and not words:
        return "a command is missing" if line.whole and not command.invoke_without_command else None
    if not line.whole:
        words = [word for word in words if word not in ("…", "...")]
    try:
        command.make_context(command.name, list(words), resilient_parsing=hasattr(command, "commands"))
    except Exception as error:
        told = str(getattr(error, "message", "") or error)
        left_out = type(error).__name__ == "MissingParameter" or told.endswith("requires an argument.")
        return None if left_out and not line.whole else told
    return None


@cache
def command_line(module: str) -> Any:
    """The command that a module assembles, or has as ``app``."""
    from typer.main import get_command

    loaded = importlib.import_module(module)
    return get_command(loaded.assembled() if hasattr(loaded, "assembled") else loaded.app)


@cache
def _target(word: str) -> bool:
    if ASSIGNMENT.match(word):
        return True
    return re.search(rf"^{re.escape(word)}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE) is not None


@cache
def _extras() -> tuple[frozenset[str], frozenset[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return frozenset(project["project"]["optional-dependencies"]), frozenset(project["dependency-groups"])
