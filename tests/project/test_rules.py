"""Each rule of shape goes red on a planted fault and stays silent on its honest twin."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.project import rules
from tests.project.rules import Source

ROOM = "src/postrmagic_core/cache"


def lines(count: int) -> str:
    return "".join(f"x{number} = {number}\n" for number in range(count))


def function(count: int) -> str:
    return "def f():\n" + "".join(f"    x{number} = {number}\n" for number in range(count - 1))


def names(count: int) -> str:
    return f"__all__ = {[f'n{number}' for number in range(count)]}\n"


def protocol(count: int) -> str:
    return "class Store(Protocol[T]):\n" + "".join(f"    def f{number}(self): ...\n" for number in range(count))


PLANTED = [
    (rules.module_length, "cache/manager.py", lines(301), lines(300)),
    (rules.module_length, "cache/manager.py", lines(301), '"""\n' + "word\n" * 99 + '"""\n# why\n\n' + lines(300)),
    (rules.function_length, "cache/manager.py", function(51), function(50)),
    (
        rules.parameters,
        "cache/manager.py",
        "def f(a, b, c, d, e, f, g, h, i): ...",
        "def f(a, b, c, d, e, f, g, h): ...",
    ),
    (
        rules.parameters,
        "cache/manager.py",
        "class C:\n    def f(self, a, b, c, d, e, f, g, *h, i): ...",
        "class C:\n    def f(self, a, b, c, d, e, f, g, *, i): ...",
    ),
    (rules.docstrings, "cache/manager.py", "x = 1", '"""The module."""\nx = 1'),
    (rules.docstrings, "cache/manager.py", '"""M."""\ndef f(): ...', '"""M."""\ndef f():\n    """Do f."""'),
    (rules.docstrings, "cache/manager.py", '"""M."""\nclass C: ...', '"""M."""\nclass _C:\n    def f(self): ...'),
    (
        rules.docstrings,
        "cache/manager.py",
        '"""M."""\nclass C:\n    """C."""\n    async def f(self): ...',
        '"""M."""\nclass C:\n    """C."""\n    @typing.overload\n    def f(self): ...\n    def _g(self): ...',
    ),
    (rules.docstrings, "cache/manager.py", '"""M."""\ntry:\n    def f(): ...\nfinally:\n    pass', '"""M."""'),
    (rules.protocol_width, "cache/interface.py", protocol(8), protocol(7)),
    (rules.public_names, "cache/__init__.py", names(13), names(12)),
    (rules.public_names, "__init__.py", names(41), names(40)),
    (rules.public_names, "cache/__init__.py", "__all__ = sorted(LAZY)", "from x import a, _b"),
    (rules.public_names, "cache/__init__.py", "".join(f"def n{n}(): ...\n" for n in range(13)), "import a.b"),
    (rules.pure_policy, "cache/policy.py", "import redis.asyncio", "import datetime"),
    (rules.pure_policy, "cache/policy.py", "def f():\n    from time import monotonic", "from math import exp"),
    (
        rules.pure_policy,
        "cache/policy.py",
        "from postrmagic_core._clock import Clock",
        "from postrmagic_core import errors",
    ),
    (
        rules.pure_policy,
        "cache/policy.py",
        "from postrmagic_core import _clock",
        "from postrmagic_core._ids import uuid7",
    ),
    (rules.errors_elsewhere, "cache/manager.py", "class A(DataError): ...", "class A(LookupError): ..."),
    (rules.errors_elsewhere, "cache/manager.py", "class A(errors.DataError): ...", "def a(error: DataError): ..."),
    (rules.errors_elsewhere, "errors/more.py", "class A(DataError): ...", "class DataErrors: ..."),
    (
        rules.reasons,
        "cache/manager.py",
        "x = 1  # type: ignore[misc]",
        "x = 1  # type: ignore[misc]  # stubs lag behind",
    ),
    (rules.reasons, "cache/manager.py", "x = 1  # noqa: S301, E501", "x = 1  # noqa: S301  no input reaches it"),
    (rules.reasons, "cache/manager.py", "x = 1  # nosec", "x = 1  # nosec B608 # quoted names"),
    (rules.reasons, "cache/manager.py", "x = 1  # nosec: B608, B310", "x = 1  # nosec: B608, B310 # quoted names"),
    (rules.reasons, "cache/manager.py", "x = 1  # type: ignore[misc]  # noqa: E501", 'x = "# noqa"'),
]


@pytest.mark.parametrize(("rule", "name", "bad", "good"), PLANTED)
def test_a_planted_fault_is_found(rule: Callable[[Source], list[str]], name: str, bad: str, good: str) -> None:
    """The rule names the file of the fault, and has nothing against code just inside the budget."""
    path = f"src/postrmagic_core/{name}"
    (complaint,) = rule(Source(path, bad))
    assert complaint.startswith(path)
    assert rule(Source(path, good)) == []


def test_rules_for_one_file_leave_others_alone() -> None:
    """A wide Protocol, an impure import and many names are faults only where the rule says."""
    assert rules.protocol_width(Source(f"{ROOM}/other.py", protocol(8))) == []
    assert rules.pure_policy(Source(f"{ROOM}/manager.py", "import redis")) == []
    assert rules.public_names(Source(f"{ROOM}/adapters/__init__.py", names(13))) == []


def test_a_large_median_is_found() -> None:
    """Two long modules of three push the median over the budget; one does not."""
    long, short = (Source("m.py", lines(count)) for count in (81, 80))
    assert rules.median_length([long, long, short]) == ["the median module has 81 code lines (80)"]
    assert rules.median_length([long, short, short]) == []


@pytest.mark.parametrize(
    "call", ["redis.call('GET', k)", "return redis.pcall(c)", "redis['call'](c)", "redis . call()"]
)
def test_a_lua_body_that_calls_redis_is_found(call: str) -> None:
    """Every spelling of the call is found outside the prelude, and allowed in it."""
    assert rules.lua_calls("x/stores/scripts/gcra.lua", f"local a = 1\n{call}\n") == [
        "x/stores/scripts/gcra.lua:2 calls Redis past the prelude"
    ]
    assert rules.lua_calls("x/stores/scripts/prelude.lua", call) == []
    assert rules.lua_calls("x/stores/scripts/gcra.lua", "-- as redis.call would\nreturn get(KEYS[1])") == []


def faces(sync: str, aio: str) -> list[str]:
    return rules.equal_faces(
        {"manager.py": Source(f"{ROOM}/manager.py", sync), "aio.py": Source(f"{ROOM}/aio.py", aio)}
    )


def test_unequal_faces_are_found() -> None:
    """A method that only one face has is named, in both directions."""
    sync = "class Cache:\n    def get(self): ...\n    def set(self): ...\n    @property\n    def aio(self): ..."
    assert faces(sync, "class AsyncCache:\n    async def get(self): ...\n    async def add(self): ...") == [
        f"{ROOM}/aio.py:1 AsyncCache lacks set",
        f"{ROOM}/aio.py:1 only AsyncCache has add",
    ]
    assert faces(sync, "class AsyncCache:\n    async def get(self): ...\n    async def set(self): ...") == []


def test_what_only_a_stack_calls_may_be_missing_on_a_face() -> None:
    """It is called in threads. On the async face alone it would be a mistake like any other."""
    sync = "class Cache:\n    def get(self): ...\n    def deliver(self, tx, row): ..."
    assert faces(sync, "class AsyncCache:\n    async def get(self): ...") == []
    assert faces("class Cache:\n    def get(self): ...", "class AsyncCache:\n    async def deliver(self): ...") == [
        f"{ROOM}/aio.py:1 AsyncCache lacks get",
        f"{ROOM}/aio.py:1 only AsyncCache has deliver",
    ]


def test_inherited_methods_count_on_a_face() -> None:
    """A base in the same room lends its names to the class."""
    sync = "class Base:\n    def get(self): ...\nclass Cache(Base): ..."
    assert faces(sync, "class AsyncCache:\n    async def get(self): ...") == []
    assert faces(sync, "class AsyncCache: ...") == [f"{ROOM}/aio.py:1 AsyncCache lacks get"]


def test_a_face_without_its_twin_is_found() -> None:
    """aio.py without the face of any manager is a room half built."""
    assert faces("class Cache: ...", "class Helper: ...") == [
        f"{ROOM}/aio.py:1 holds no face AsyncX of a class X in manager.py"
    ]
