"""Every event that the package logs, read from its source: the inventory that OWASP ASVS 16.1.1 asks for.

``python -m tests.project.log_events`` writes the list in ``docs/reference/log-events.md`` anew; what stands above it is
written by hand.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "postrmagic_core"
PAGE = ROOT / "docs" / "reference" / "log-events.md"
MARK = "<!-- Made by: python -m tests.project.log_events -->\n"

VARIES = "…"
FOUNDATIONS = "foundations"
CALLS = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "error": "error",
    "exception": "error",
    "critical": "critical",
    "log": "",
}
MAKERS = {"getLogger", "get_logger"}
HELD = {"_log", "_logger", "log", "logger"}
"""Attributes that hold a logger which somebody else has chosen."""
ELSEWHERE = {"middleware/csp_reports.py": ("browser report", "csp violation")}
"""Texts that a generator yields, by module; a test finds them there."""
_PREFIX = "postrmagic_core."
_LOGS = re.compile(r"getLogger|get_logger|\b_*log(?:ger)?\.").search
_NO_FIELDS = {"exc_info", "extra", "stack_info", "stacklevel"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Event(NamedTuple):
    """One call that logs. ``names`` are the security events that it tells; what only runs can tell is ``…``."""

    module: str
    line: int
    logger: str
    levels: tuple[str, ...]
    texts: tuple[str, ...]
    names: tuple[str, ...]
    fields: tuple[str, ...]

    @property
    def room(self) -> str:
        """The first folder of the path."""
        first, slash, _ = self.module.partition("/")
        return first if slash else FOUNDATIONS


class Called(NamedTuple):
    """A call: the node, what is called by it, now or later, and with what."""

    node: ast.Call
    what: ast.expr
    given: list[ast.expr]


@dataclass(frozen=True)
class Module:
    """A file of the package, by its path in it."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """What it says, parsed."""
        return ast.parse(self.text)

    @cached_property
    def may_log(self) -> bool:
        """Whether it is worth being parsed: it makes a logger, or has one by one of the names that loggers have."""
        return _LOGS(self.text) is not None

    @cached_property
    def calls(self) -> dict[str, list[Called]]:
        """Every call, by the last name of what is called: of ``partial(log.info, …)`` it is ``info``."""
        found: dict[str, list[Called]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                called, given = node.func, node.args
                if isinstance(called, ast.Name) and called.id == "partial" and given:
                    called, given = given[0], given[1:]
                found.setdefault(_last(called), []).append(Called(node, called, given))
        return found

    @cached_property
    def imports(self) -> set[tuple[str, str]]:
        """What it imports from where: the last part of the module's name, and the name."""
        nodes = [node for node in ast.walk(self.tree) if isinstance(node, ast.ImportFrom)]
        return {((node.module or "").rpartition(".")[2], each.name) for node in nodes for each in node.names}

    @cached_property
    def owners(self) -> dict[ast.AST, Function]:
        """The innermost function that each node stands in."""
        found: dict[ast.AST, Function] = {}
        for function in ast.walk(self.tree):  # breadth first: inner functions come later
            if isinstance(function, Function):
                found.update((node, function) for node in ast.walk(function) if node is not function)
        return found

    @cached_property
    def loggers(self) -> dict[str, str]:
        """Names of the module that are bound to a logger, and the logger's name."""
        return {
            target.id: logger
            for node in self.tree.body
            if isinstance(node, ast.Assign) and (logger := _made(node.value)) is not None
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def logger_of(self, node: ast.expr) -> str | None:
        """The name of the logger that an expression is; ``…`` for one that was handed in, ``None`` for none."""
        if isinstance(node, ast.Name):
            return self.loggers.get(node.id)
        if isinstance(node, ast.Attribute) and node.attr in HELD:
            return VARIES
        return _made(node)


def _made(node: ast.expr) -> str | None:
    """The name in ``getLogger("name")``."""
    if not isinstance(node, ast.Call):
        return None
    maker = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if maker not in MAKERS:
        return None
    name = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else VARIES
    return str(name)


class Reader:
    """Follows an expression back to the texts it can be, within the package."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self._modules = list(modules)

    def events(self) -> list[Event]:
        """Every call that logs, in the order of the modules and their lines."""
        return sorted(event for module in self._modules for event in self._of(module))

    def _of(self, module: Module) -> Iterator[Event]:
        for method in CALLS if module.may_log else ():
            for call, called, given in module.calls.get(method, ()):
                logger = module.logger_of(called.value) if isinstance(called, ast.Attribute) else None
                if logger is not None:
                    yield self._event(module, call, method, given, logger)

    def _event(self, module: Module, call: ast.Call, method: str, given: list[ast.expr], logger: str) -> Event:
        place = module, module.owners.get(call)
        levels = {CALLS[method]} if CALLS[method] else self.values(given[0], *place)
        texts = self.values(given[0 if CALLS[method] else 1], *place)
        fields, names = self._fields(call, *place), set[str]()
        if "event" in fields:
            names = self.values(fields.pop("event"), *place)
        if method == "exception" or any(keyword.arg == "exc_info" for keyword in call.keywords):
            fields["exception"] = call
        if VARIES in texts:
            texts = texts - {VARIES} | set(ELSEWHERE.get(module.path, {VARIES}))
        told = _ordered(levels), _ordered(texts), _ordered(names), _ordered(fields)
        return Event(module.path, call.lineno, logger, *told)

    def values(self, node: ast.expr, module: Module, function: Function | None) -> set[str]:
        """The texts, or names of levels, that an expression can be; ``…`` stands for what is not known."""
        match node:
            case ast.Constant(value=str(text)):
                found = {text}
            case ast.Attribute(value=ast.Name(id="logging"), attr=level):
                found = {level.lower()}
            case ast.IfExp(body=one, orelse=other):
                found = self.values(one, module, function) | self.values(other, module, function)
            case ast.JoinedStr(values=parts):
                found = {"".join(each) for each in product(*(self.values(part, module, function) for part in parts))}
            case ast.Attribute(attr=kind) if choice := _choice(kind.capitalize(), module.tree):
                found = choice
            case ast.FormattedValue(value=inner):
                found = self.values(inner, module, function)
            case ast.Name(id=name) if function is not None:
                found = self._named(name, module, function)
            case _:
                found = {VARIES}
        return found

    def _named(self, name: str, module: Module, function: Function) -> set[str]:
        found: set[str] = set()
        for value in _assigned(name, function):
            found |= self.values(value, module, function)
        for value in _unpacked(name, module.tree, function):
            found |= self.values(value, module, None)
        parameters = [each.arg for each in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
        if name in parameters:
            for value in _default(name, function):
                found |= self.values(value, module, None)
            for where, owner, value in self._passed(name, parameters, module, function):
                found |= self.values(value, where, owner)
        return found or {VARIES}

    def _passed(
        self, name: str, parameters: list[str], module: Module, function: Function
    ) -> Iterator[tuple[Module, Function | None, ast.expr]]:
        """What the callers of ``function`` give for ``name``: in its module, and where a function is imported."""
        is_method = parameters[:1] == ["self"]
        index = parameters.index(name) - is_method
        stem = Path(module.path).stem
        for where in self._modules:
            if where is not module and (function.name not in where.text or stem not in where.text):
                continue
            if where is not module and not is_method and (stem, function.name) not in where.imports:
                continue
            for call, called, given in where.calls.get(function.name, ()):
                if isinstance(called, ast.Attribute) is not is_method:
                    continue
                if where is module or not is_method or _holder(called) == stem:
                    named = [keyword.value for keyword in call.keywords if keyword.arg == name]
                    for value in named or given[index : index + 1]:
                        yield where, where.owners.get(call), value

    def _fields(self, call: ast.Call, module: Module, function: Function | None) -> dict[str, ast.expr]:
        found: dict[str, ast.expr] = {}
        for keyword in call.keywords:
            if keyword.arg is None or keyword.arg == "extra":
                found |= _keys(keyword.value, function)
            elif keyword.arg not in _NO_FIELDS:
                found[keyword.arg] = keyword.value
        return found


def _keys(node: ast.expr, function: Function | None) -> dict[str, ast.expr]:
    """The keys of what is, or was made, a mapping; ``…`` for those that are not known."""
    match node:
        case ast.Dict(keys=keys, values=values):
            found: dict[str, ast.expr] = {}
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant):
                    found[str(key.value)] = value
                else:
                    found |= _keys(value, function) if key is None else {VARIES: value}
            return found
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _keys(left, function) | _keys(right, function)
        case ast.IfExp(body=one, orelse=other):
            return _keys(one, function) | _keys(other, function)
        case ast.Name(id=name) if function is not None:
            found = {}
            for value in _assigned(name, function):
                found |= _keys(value, function)
            for statement in ast.walk(function):
                if isinstance(statement, ast.Assign):
                    for target in statement.targets:
                        match target:
                            case ast.Subscript(value=ast.Name(id=owner), slice=ast.Constant() as key) if owner == name:
                                found[str(key.value)] = statement.value
            return found or {VARIES: node}
    return {VARIES: node}


def _assigned(name: str, function: Function) -> Iterator[ast.expr]:
    """What a function assigns to a variable of its own."""
    for statement in ast.walk(function):
        match statement:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    match target:
                        case ast.Name(id=found) if found == name:
                            yield value
                        case ast.Tuple(elts=targets_of) if isinstance(value, ast.Tuple):
                            pairs = zip(targets_of, value.elts, strict=False)
                            yield from (each for to, each in pairs if isinstance(to, ast.Name) and to.id == name)
            case ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as value) if found == name:
                yield value
            case ast.AugAssign(target=ast.Name(id=found), op=ast.BitOr(), value=value) if found == name:
                yield value


def _unpacked(name: str, tree: ast.Module, function: Function) -> Iterator[ast.expr]:
    """What ``a, name = TABLE[key]`` can make of a name, where the module has a dictionary ``TABLE`` of tuples."""
    for statement in ast.walk(function):
        match statement:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Subscript(value=ast.Name(id=table))):
                names = [getattr(target, "id", "") for target in targets]
                if name in names:
                    for line in _table(table, tree):
                        if isinstance(line, ast.Tuple):
                            yield line.elts[names.index(name)]


def _table(name: str, tree: ast.Module) -> list[ast.expr]:
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=found)], value=ast.Dict(values=values))
                | ast.AnnAssign(target=ast.Name(id=found), value=ast.Dict(values=values))
            ) if found == name:
                return values
    return []


def _choice(name: str, tree: ast.Module) -> set[str]:
    """What ``Kind = Literal["a", "b"]`` allows an attribute ``kind`` to be."""
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=found)], value=ast.Subscript(value=ast.Name(id="Literal"))) if (
                found == name
            ):
                nodes = ast.walk(statement.value)
                return {str(each.value) for each in nodes if isinstance(each, ast.Constant)}
    return set()


def _default(name: str, function: Function) -> Iterator[ast.expr]:
    positional = [*function.args.posonlyargs, *function.args.args]
    for parameter, value in zip(reversed(positional), reversed(function.args.defaults), strict=False):
        if parameter.arg == name:
            yield value
    for parameter, kept in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        if parameter.arg == name and kept is not None:
            yield kept


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _holder(node: ast.expr) -> str:
    """``means`` in ``self._means.record``: whose method it is, where the attribute is called as its module."""
    return _last(node.value).lstrip("_") if isinstance(node, ast.Attribute) else ""


def _ordered(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(found))


@cache
def modules() -> tuple[Module, ...]:
    """Every file of the package, but for the kit for tests, which no application runs."""
    paths = [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts[0] != "testing"]
    return tuple(Module(path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8")) for path in paths)


def listed(events: Iterable[Event]) -> str:
    """The list as Markdown: a table for each room."""
    rooms: dict[str, list[Event]] = {}
    for event in events:
        rooms.setdefault(event.room, []).append(event)
    parts = []
    for room in sorted(rooms, key=lambda name: name.lstrip("_")):
        lines = [f"### {room}", "", "| event | level | fields | logger, module |", "| --- | --- | --- | --- |"]
        lines += sorted({_row(event) for event in rooms[room]})
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _row(event: Event) -> str:
    what = "<br>".join(_cell(text) for text in event.texts)
    if event.names:
        what += "".join(f"<br>`{name}`" for name in event.names)
    logger = event.logger.removeprefix(_PREFIX) if event.logger != VARIES else "its owner's"
    fields = ", ".join(f"`{name}`" if name != VARIES else VARIES for name in event.fields)
    return f"| {what} | {' or '.join(event.levels)} | {fields} | {logger}, `{event.module}` |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_").replace("\n", " ")


def page(head: str) -> str:
    """The page with this head."""
    return f"{head}{MARK}\n{listed(Reader(modules()).events())}"


def head_of(text: str) -> str:
    """What is written by hand."""
    head, found, _ = text.partition(MARK)
    if not found:
        raise ValueError(f"expected {MARK.strip()!r} above the list")
    return head


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(page(head_of(PAGE.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
