"""The inventory of what is logged is what the source logs; nothing goes anywhere else (OWASP ASVS 16.1.1, 16.2.3)."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import get_args

import pytest

from postrmagic_core.log.policy import is_secret_name, scrub
from postrmagic_core.sessions.incidents import Kind
from tests.project import log_events
from tests.project.log_events import CALLS, ELSEWHERE, VARIES, Event, Module, Reader

LOG = 'import logging\n_log = logging.getLogger("postrmagic_core.x")\n'

# What writes to a stream by itself, and why that is no log.
BESIDES = {
    "jobs/process.py": "says to whoever starts a worker by hand why it cannot start",
    "validation/_decoder.py": "its answer to the process that started it",
}
STREAMS = {"stderr", "stdout", "__stderr__", "__stdout__"}
OUTPUT = re.compile(r"sys\.|print\(|Handler|logging\.(?!getLogger)|syslog").search
ELSEWHERE_BOUND = {"syslog", "logging.handlers", "logging.config"}


@cache
def events() -> list[Event]:
    """All there are."""
    return Reader(log_events.modules()).events()


def read(source: str, path: str = "x.py", **others: str) -> list[Event]:
    """The events of a module, and of others that it may import."""
    more = [Module(f"{name}.py", text) for name, text in others.items()]
    return [event for event in Reader([Module(path, source), *more]).events() if event.module == path]


def test_the_page_lists_what_the_source_logs() -> None:
    """Made again, it is the same: `python -m tests.project.log_events` writes it."""
    text = log_events.PAGE.read_text(encoding="utf-8")
    assert text == log_events.page(log_events.head_of(text))
    assert len(events()) > 100


@pytest.mark.parametrize(
    ("line", "levels", "texts", "names", "fields"),
    [
        ('_log.info("a %s", 1)', ("info",), ("a %s",), (), ()),
        ('_log.exception("a")', ("error",), ("a",), (), ("exception",)),
        ('_log.warning("a", exc_info=e, extra={"x": 1})', ("warning",), ("a",), (), ("exception", "x")),
        ('_log.log(logging.ERROR if x else logging.INFO, "a")', ("error", "info"), ("a",), (), ()),
        ('_log.log(level, "a")', (VARIES,), ("a",), (), ()),
        ('_log.info("a", extra={"event": f"b.{x}", "y": 1})', ("info",), ("a",), ("b.…",), ("y",)),
        ('then(partial(_log.info, "a", extra={"y": 1}))', ("info",), ("a",), (), ("y",)),
        ('_log.debug("a", extra={**more, "y": 1} | {"z": 2})', ("debug",), ("a",), (), ("y", "z", VARIES)),
        ('logging.getLogger("postrmagic_core.x").error("a")', ("error",), ("a",), (), ()),
        ('_log.info("one" if x else "two")', ("info",), ("one", "two"), (), ()),
    ],
)
def test_an_event_is_read_however_it_is_written(
    line: str, levels: tuple[str, ...], texts: tuple[str, ...], names: tuple[str, ...], fields: tuple[str, ...]
) -> None:
    """Level, text, name and fields of a call, also of one that is put off."""
    (found,) = read(LOG + line)
    assert (found.logger, found.levels, found.texts, found.names, found.fields) == (
        "postrmagic_core.x", levels, texts, names, fields
    )  # fmt: skip


def test_what_is_handed_to_a_function_is_followed() -> None:
    """To its callers, in the module, in others, and through a table; fields through variables."""
    source = LOG + (
        '_TOLD = {"in": (logging.INFO, "came in"), "out": (logging.WARNING, "went out")}\n'
        "def tell(what, **more):\n"
        "    level, text = _TOLD[what]\n"
        '    fields = {"a": 1}\n'
        '    fields |= {"b": 1}\n'
        '    fields["c"] = 1\n'
        '    _log.log(level, text, extra={"event": f"door.{what}", **fields, **more})\n'
        'tell("in")\n'
    )
    other = 'from .x import tell\npartial(tell, "out")\ntell("in", d=1)'
    (found,) = read(source, other=other)
    assert (found.levels, found.texts) == (("info", "warning"), ("came in", "went out"))
    assert found.names == ("door.in", "door.out")
    assert found.fields == ("a", "b", "c", VARIES)


def test_fields_of_our_own_loggers_are_read() -> None:
    """As keywords, and as a mapping."""
    source = (
        "from ..log import get_logger\n"
        'log = get_logger("postrmagic_core.y")\n'
        "def f(error):\n"
        '    fields = {"a": 1}\n'
        '    log.error("failed", exc_info=error, b=2, **fields)\n'
    )
    (found,) = read(source)
    assert (found.logger, found.fields) == ("postrmagic_core.y", ("a", "b", "exception"))


def test_nothing_that_logs_is_passed_over() -> None:
    """Whatever is called as a logger's method of something that is named as loggers are, was read as an event."""
    found = {(event.module, event.line) for event in events()}
    missing = [
        f"{module.path}:{call.lineno} {ast.unparse(called)}"
        for module in log_events.modules()
        for method in (CALLS if module.may_log else ())
        for call, called, _ in module.calls.get(method, ())
        if isinstance(called, ast.Attribute)
        and re.fullmatch(r"\w*(log|logger|logging)", ast.unparse(called.value).rpartition(".")[2])
        and (module.path, call.lineno) not in found
    ]
    assert missing == []


def test_every_event_has_a_level_a_text_and_a_logger_of_its_room() -> None:
    """Only loggers that are handed in are another's; a text that varies stands in the table beside the reader."""
    assert [event for event in events() if VARIES in (*event.levels, *event.texts, *event.names)] == []
    loggers = {event.logger for event in events()} - {VARIES, "py.warnings"}
    assert [name for name in loggers if not name.startswith("postrmagic_core.")] == []
    for path, texts in ELSEWHERE.items():
        (module,) = [module for module in log_events.modules() if module.path == path]
        assert [text for text in texts if f'"{text}"' not in module.text] == []


def test_no_event_tells_less_for_looking_like_a_secret() -> None:
    """What the log masks for a field's name, or in a text, is nothing that we write ourselves."""
    assert [(event.module, name) for event in events() for name in event.fields if is_secret_name(name)] == []
    texts = {re.sub(r"%\.?\d*[a-z]", "worth9", text) for event in events() for text in (*event.texts, *event.names)}
    assert [text for text in sorted(texts) if scrub(text) != text] == []


def is_output(node: ast.AST) -> bool:
    """Whether it writes to a stream of the process, or gives a logger a way of its own."""
    match node:
        case ast.Attribute(value=ast.Name(id="sys"), attr=name):
            found = name in STREAMS
        case ast.Attribute(value=ast.Name(id="logging"), attr=name):
            found = name.endswith("Handler") or name in {"basicConfig", "lastResort"}
        case ast.Call(func=ast.Name(id=name)):
            found = name == "print"
        case ast.Import(names=names):
            found = any(each.name in ELSEWHERE_BOUND for each in names)
        case ast.ImportFrom(module=module):
            found = module in ELSEWHERE_BOUND
        case _:
            found = isinstance(node, ast.Attribute) and node.attr == "addHandler"
    return found


def test_nothing_is_told_anywhere_else() -> None:
    """No module but those of the log and the command line writes to a stream, or gives a logger another handler."""
    found = set()
    for module in log_events.modules():
        if module.path.partition("/")[0] in {"cli", "log"}:
            continue
        if OUTPUT(module.text) and any(map(is_output, ast.walk(module.tree))):
            found.add(module.path)
    assert found == set(BESIDES)
    page = log_events.PAGE.read_text(encoding="utf-8")
    assert [path for path in BESIDES if f"`{path}`" not in page] == []


def test_the_incidents_of_sessions_are_named() -> None:
    """The kinds that the source declares are the names on the page."""
    page = log_events.PAGE.read_text(encoding="utf-8")
    assert [kind for kind in get_args(Kind) if f"`session.{kind}`" not in page] == []
