"""The house rules of shape as pure functions: each takes a parsed file and answers with complaints, if any.

A complaint is one line, `path:line what is wrong (the budget)`, so that a reader can go there.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from postrmagic_core import errors

MODULE_LINES = 300
MODULE_MEDIAN = 80
FUNCTION_LINES = 50
PARAMETERS = 8
PROTOCOL_OPERATIONS = 7
ROOM_NAMES = 12
WINDOW_NAMES = 40

WIRING = {"deliver", "enqueue_raw", "given_up", "run_delivery", "use_tags"}
"""What a Stack connects managers by, and they call on each other in threads: no application awaits it."""

ERRORS = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.PostrMagicError)
}

DRIVERS = {"alembic", "dramatiq", "hiredis", "pika", "pymysql", "redis", "sqlalchemy", "sqlite3"}
IMPURE = DRIVERS | {
    "asyncio",
    "concurrent",
    "multiprocessing",
    "random",
    "secrets",
    "select",
    "selectors",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
}

_SILENCER = re.compile(r"#\s*(?:type:\s*ignore|noqa|nosec|pyright:\s*ignore)", re.IGNORECASE)
_DIRECTIVE = re.compile(
    r"#\s*(?:(?:type|pyright):\s*ignore(?:\[[^\]]*\])?"
    r"|noqa(?::\s*[A-Z]+[0-9]+(?:\s*,\s*[A-Z]+[0-9]+)*)?"
    r"|nosec(?::?\s*B[0-9]+(?:[\s,]+B[0-9]+)*)?"
    r"|pragma:\s*no cover)",
    re.IGNORECASE,
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file: its path as shown in complaints, its text and its tree."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """What it says, parsed."""
        return ast.parse(self.text)

    @property
    def name(self) -> str:
        """The file's own name, without its folders."""
        return self.path.rsplit("/", 1)[-1]

    @cached_property
    def code_lines(self) -> set[int]:
        """The numbers of the lines that hold code: no blank line, no comment, no docstring."""
        lines = {
            number
            for number, line in enumerate(self.text.split("\n"), 1)
            if (said := line.strip()) and not said.startswith("#")
        }
        # A text over several lines is code, whatever its lines look like.
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno != node.lineno:
                lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        return lines - _docstring_lines(self.tree)


def _docstring_lines(tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                lines.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return lines


def module_length(source: Source) -> list[str]:
    """No module over 300 code lines."""
    size = len(source.code_lines)
    return [f"{source.path}:1 {size} code lines ({MODULE_LINES})"] if size > MODULE_LINES else []


def median_length(sources: Iterable[Source]) -> list[str]:
    """The median module has at most 80 code lines."""
    middle = median(len(source.code_lines) for source in sources)
    return [f"the median module has {middle:g} code lines ({MODULE_MEDIAN})"] if middle > MODULE_MEDIAN else []


def function_length(source: Source) -> list[str]:
    """No function over 50 code lines, those nested in it included."""
    lines = source.code_lines
    return [
        f"{source.path}:{node.lineno} {node.name} has {size} code lines ({FUNCTION_LINES})"
        for node in _functions(source.tree)
        if (size := len(lines.intersection(range(node.lineno, (node.end_lineno or node.lineno) + 1)))) > FUNCTION_LINES
    ]


def parameters(source: Source) -> list[str]:
    """At most 8 parameters besides self; `*args` and `**kwargs` count one each."""
    return [
        f"{source.path}:{node.lineno} {node.name} takes {count} parameters ({PARAMETERS})"
        for node in _functions(source.tree)
        if (count := _parameter_count(node)) > PARAMETERS
    ]


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def _parameter_count(node: Function) -> int:
    given = node.args
    named = [*given.posonlyargs, *given.args]
    if named and named[0].arg in {"self", "cls", "mcs"}:
        named = named[1:]
    return len(named) + len(given.kwonlyargs) + (given.vararg is not None) + (given.kwarg is not None)


def docstrings(source: Source) -> list[str]:
    """Every public module, class, function and method says what it does."""
    complaints = [] if ast.get_docstring(source.tree) else [f"{source.path}:1 the module has no docstring"]
    if "/migrations/versions/" not in source.path:  # upgrade() and downgrade() are Alembic's names: the module speaks
        complaints += _undocumented(source.path, source.tree.body)
    return complaints


def _undocumented(path: str, body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, (ast.If, ast.Try)):
            yield from _undocumented(path, node.body + node.orelse)
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not _inherits_docstring(node):
            yield f"{path}:{node.lineno} {node.name} is public and has no docstring"
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(path, node.body)


def _inherits_docstring(node: ast.ClassDef | Function) -> bool:
    """An overload, an override and a property's setter are told by another docstring."""
    names = {ast.unparse(decorator).rsplit(".", 1)[-1] for decorator in node.decorator_list}
    return bool(names & {"overload", "override", "setter", "deleter"})


def protocol_width(source: Source) -> list[str]:
    """A Protocol in interface.py asks an adapter for at most 7 operations."""
    if source.name != "interface.py":
        return []
    return [
        f"{source.path}:{node.lineno} {node.name} has {count} operations ({PROTOCOL_OPERATIONS})"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).split("[")[0].rsplit(".", 1)[-1] == "Protocol" for base in node.bases)
        and (count := len({part.name for part in _functions_of(node)})) > PROTOCOL_OPERATIONS
    ]


def _functions_of(node: ast.ClassDef) -> Iterator[Function]:
    return (part for part in node.body if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)))


def public_names(source: Source) -> list[str]:
    """A room's `__init__` shows at most 12 names, the package's own at most 40."""
    folders = source.path.split("/")
    inside = folders[folders.index("postrmagic_core") + 1 :] if "postrmagic_core" in folders else []
    if not inside or inside[-1] != "__init__.py" or len(inside) > 2:
        return []
    limit = WINDOW_NAMES if len(inside) == 1 else ROOM_NAMES
    shown = _declared(source.tree)
    if shown is None:
        return [f"{source.path}:1 __all__ is not a plain list of strings, so nobody can count it"]
    return [f"{source.path}:1 shows {len(shown)} names ({limit})"] if len(shown) > limit else []


def _declared(tree: ast.Module) -> list[str] | None:
    """`__all__` where it stands; else every public name bound by an import, a definition or an assignment."""
    bound: list[str] = []
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            if "__all__" in names:
                return _strings(node.value)
            bound += names
        elif isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            bound.append(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)) and not _is_future(node):
            bound += [alias.asname or alias.name for alias in node.names]
    return [name for name in bound if not name.startswith("_")]


def _strings(value: ast.expr | None) -> list[str] | None:
    if not isinstance(value, (ast.List, ast.Tuple)):
        return None
    texts = [item.value for item in value.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return texts if len(texts) == len(value.elts) else None


def _is_future(node: ast.Import | ast.ImportFrom) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def reasons(source: Source) -> list[str]:
    """Who silences a checker says why in the same comment."""
    # Reading a file's tokens takes long: only where no words follow on the line need they be looked for before it.
    if all(map(_has_words, re.findall(rf"{_SILENCER.pattern}.*", source.text, re.IGNORECASE))):
        return []
    return [
        f"{source.path}:{token.start[0]} {token.string.strip()} has no reason beside it"
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline)
        if token.type == tokenize.COMMENT and _SILENCER.search(token.string) and not _has_words(token.string)
    ]


def _has_words(comment: str) -> bool:
    return re.search(r"[A-Za-z]{4,}", _DIRECTIVE.sub("", comment)) is not None


def pure_policy(source: Source) -> list[str]:
    """policy.py imports no driver, socket, thread, event loop, clock or source of randomness."""
    if source.name != "policy.py":
        return []
    return [
        f"{source.path}:{node.lineno} a policy imports {module}"
        for node in ast.walk(source.tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for module in _imported(node)
        if module.split(".")[0] in IMPURE or module.endswith("._clock")
    ]


def errors_elsewhere(source: Source) -> list[str]:
    """Every error of the package stands in the one tree; the kit for tests, of which it must not know, has its own."""
    if source.path.endswith("postrmagic_core/errors.py") or "/postrmagic_core/testing/" in source.path:
        return []
    return [
        f"{source.path}:{node.lineno} {node.name} is an error outside of errors.py"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef)
        if any(ast.unparse(base).rpartition(".")[2] in ERRORS for base in node.bases)
    ]


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    module = node.module or ""
    return [module, *(f"{module}.{alias.name}" for alias in node.names if alias.name == "_clock")]


def lua_calls(path: str, text: str) -> list[str]:
    """Only the shared prelude of Scripts speaks to Redis: it checks that every key was declared."""
    if path.endswith("stores/scripts/prelude.lua") or re.search("/(jobs|events)/", path):  # those run on Redis alone
        return []
    return [
        f"{path}:{number} calls Redis past the prelude"
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(r"\bredis\s*(?:\.\s*p?call\b|\[)", line.split("--", 1)[0])
    ]


def equal_faces(room: Mapping[str, Source]) -> list[str]:
    """The async face `AsyncX` in aio.py has the public methods of `X` in manager.py; `aio` is the bridge itself.

    What is `WIRING` may be missing there. `room` maps file names to the sources of one folder: bases defined in the
    same folder are looked into.
    """
    if not {"manager.py", "aio.py"} <= room.keys():
        return []
    classes = {
        node.name: node for source in room.values() for node in source.tree.body if isinstance(node, ast.ClassDef)
    }
    faces = [node for node in room["aio.py"].tree.body if isinstance(node, ast.ClassDef) and node.name[:5] == "Async"]
    path = room["aio.py"].path
    complaints = []
    for face in faces:
        if (twin := classes.get(face.name.removeprefix("Async"))) is not None:
            here, there = _public_methods(face, classes), _public_methods(twin, classes)
            complaints += [f"{path}:{face.lineno} {face.name} lacks {name}" for name in sorted(there - here - WIRING)]
            complaints += [f"{path}:{face.lineno} only {face.name} has {name}" for name in sorted(here - there)]
    managers = {node.name for node in room["manager.py"].tree.body if isinstance(node, ast.ClassDef)}
    if not managers & {face.name.removeprefix("Async") for face in faces}:
        complaints.append(f"{path}:1 holds no face AsyncX of a class X in manager.py")
    return complaints


def _public_methods(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> set[str]:
    names = {part.name for part in _functions_of(node) if not part.name.startswith("_") and part.name != "aio"}
    for base in node.bases:
        parent = classes.get(ast.unparse(base).split("[")[0])
        names |= _public_methods(parent, classes) if parent is not None and parent is not node else set()
    return names


FILE_RULES = (
    module_length,
    function_length,
    parameters,
    docstrings,
    protocol_width,
    public_names,
    pure_policy,
    errors_elsewhere,
)
