"""``@cache.cached``: what becomes of arguments, answers, methods and coroutine functions."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple, TypeVar, assert_type
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from postrmagic_core._unit import entered
from postrmagic_core.cache import CacheManager
from postrmagic_core.cache.cached import AsyncCached, Cached
from postrmagic_core.errors import ConfigurationError, NotOpen, OutsideUnit
from postrmagic_core.stores import Store, open_store
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing import FakeClock, spawn

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]  # a name that only a type checker looks for

T = TypeVar("T")


class Poster(BaseModel):
    """A model."""

    name: str
    price: Decimal = Decimal(1)


@dataclass(frozen=True)
class Size:
    """A dataclass."""

    width: int


class Colour(enum.Enum):
    """An enum; another one has the same names."""

    RED = 1


class Paint(enum.Enum):
    """The other one."""

    RED = 1


class Pair(NamedTuple):
    """A named tuple."""

    left: int
    right: int


class Box(BaseModel, Generic[T]):
    """A generic model."""

    inside: T


class Unit:
    """An open write unit of some database."""

    database_id = "test"


@pytest.fixture
def cache() -> Iterator[CacheManager]:
    """A cache in memory."""
    with CacheManager(MemoryStore()) as opened:
        yield opened


def shop(cache: CacheManager) -> type[Any]:
    """A class with cached methods."""

    class Counted:
        name = "first"
        calls = 0

        def __init__(self, number: int) -> None:
            self.number = number
            self.mine = 0

        @cache.cached("price:{self.number}:{item}", fresh=60, tags=["shop:{self.number}"])
        def price(self, item: str) -> int:
            """What it costs."""
            self.mine += 1
            return len(item) + self.number

        @cache.cached("later:{self.number}:{item}", fresh=60)
        async def later(self, item: str) -> int:
            self.mine += 1
            return len(item) + self.number

        @cache.cached("where:{cls.name}:{town}", fresh=60)
        @classmethod
        def where(cls, town: str) -> str:
            cls.calls += 1
            return f"{cls.name} in {town}"

        @cache.cached("sum:{a}:{b}", fresh=60)
        @staticmethod
        def sum(a: int, b: int) -> int:
            return a + b

    return Counted


# Calls


def test_a_call_is_computed_once(cache: CacheManager) -> None:
    """The second is served what the first one computed; another argument is another answer."""
    calls: list[tuple[int, str]] = []

    @cache.cached("poster:{media_id}:{size}", fresh=60)
    def poster(media_id: int, size: str = "large") -> list[object]:
        calls.append((media_id, size))
        return [media_id, size]

    assert poster(1) == poster(1, "large") == poster(media_id=1, size="large") == [1, "large"]
    assert poster(1, size="small") == [1, "small"]
    assert calls == [(1, "large"), (1, "small")]
    assert poster.__name__ == "poster"
    assert list(inspect.signature(poster).parameters) == ["media_id", "size"]


def test_every_store_keeps_the_answers_of_either_kind_of_function(store: Store, frozen_clock: FakeClock) -> None:
    """A model comes back as itself, fresh for so long and no longer."""
    calls = []

    def made(name: str) -> Poster:
        calls.append(name)
        return Poster(name=name, price=Decimal("1.10"))

    with CacheManager(store, clock=frozen_clock) as cache:

        @cache.cached("sync:{name}", fresh=60)
        def poster(name: str) -> Poster:
            return made(name)

        @cache.cached("async:{name}", fresh=60)
        async def later(name: str) -> Poster:
            return made(name)

        async def twice() -> list[Poster]:
            return [await later("b"), await later("b")]

        assert [poster("a"), poster("a")] == [Poster(name="a", price=Decimal("1.10"))] * 2
        assert asyncio.run(twice()) == [Poster(name="b", price=Decimal("1.10"))] * 2
        assert calls == ["a", "b"]
        frozen_clock.advance(61)
        assert poster("a").name == "a"
        assert calls == ["a", "b", "a"]


def test_threads_that_call_at_once_share_one_computation(cache: CacheManager) -> None:
    """As get_or_set() promises."""
    begun, end, calls = threading.Event(), threading.Event(), []

    @cache.cached("slow:{number}", fresh=60)
    def slow(number: int) -> int:
        calls.append(number)
        begun.set()
        assert end.wait(10)
        return number

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(slow, 7) for _ in range(4)]
        assert begun.wait(10)
        end.set()
        assert [one.result(10) for one in asked] == [7] * 4
    assert calls == [7]


def count(url: str, ledger: str) -> None:
    """A process that asks for one answer."""
    with CacheManager(store := open_store(url, timeout=10)) as cache:

        @cache.cached("answer:{to}", fresh=60)
        def answer(to: str) -> int:
            with Path(ledger).open("a") as lines:
                lines.write("computed\n")
            return 42

        print(answer("everything"))  # noqa: T201 - tells the test
    store.close()


def test_processes_share_the_answers(tmp_path: Path) -> None:
    """The key is made of the arguments and of nothing that differs from process to process."""
    url, ledger = f"sqlite:///{tmp_path / 'kv.db'}", tmp_path / "ledger"
    count(url, str(ledger))
    with spawn(count, url, str(ledger)) as child:
        assert child.line() == "42"
        assert child.wait() == 0
    assert ledger.read_text().splitlines() == ["computed"]


def test_coroutine_functions_use_the_async_face(cache: CacheManager) -> None:
    """What is awaited twice is computed once; forget() is awaited too."""
    calls = []

    @cache.cached("poster:{media_id}", fresh=60)
    async def poster(media_id: int) -> int:
        calls.append(asyncio.current_task())
        return media_id

    async def main() -> None:
        assert list(await asyncio.gather(poster(1), poster(1), poster(1))) == [1, 1, 1]
        assert len(calls) == 1
        assert await poster.forget(1)
        assert not await poster.forget(1)
        assert await poster(1) == await poster.compute(1) == 1
        assert len(calls) == 3

    asyncio.run(main())
    assert isinstance(poster, AsyncCached)


def test_the_async_face_decorates_too(cache: CacheManager) -> None:
    """The function decides which face it uses."""

    @cache.aio.cached("a:{number}", fresh=60)
    def plain(number: int) -> int:
        return number

    assert plain(1) == 1
    assert isinstance(plain, Cached)


def test_a_function_can_be_decorated_before_the_cache_is_open() -> None:
    """Called, it says so."""
    cache = CacheManager(MemoryStore())

    @cache.cached("a:{number}", fresh=60)
    def plain(number: int) -> int:
        return number

    with pytest.raises(NotOpen):
        plain(1)
    with cache:
        assert plain(1) == 1


def test_wrong_arguments_are_the_type_error_of_any_function(cache: CacheManager) -> None:
    """Before anything is read or computed."""

    @cache.cached("a:{number}", fresh=60)
    def plain(number: int) -> int:
        raise AssertionError(number)

    with pytest.raises(TypeError, match="number"):
        plain()  # type: ignore[call-arg]  # the mistake under test
    with pytest.raises(TypeError, match="too many"):
        plain(1, 2)  # type: ignore[call-arg]  # the mistake under test


def test_an_answer_of_none_and_named_errors_are_kept_for_negative_seconds(frozen_clock: FakeClock) -> None:
    """The options are those of get_or_set()."""
    calls = []
    with CacheManager(MemoryStore(), clock=frozen_clock) as cache:

        @cache.cached("find:{name}", fresh=60, negative=5, errors=(LookupError,))
        def find(name: str) -> str | None:
            calls.append(name)
            if name == "nobody":
                raise LookupError("gone")
            return None

        for _ in range(2):
            assert find("none") is None
            with pytest.raises(LookupError, match="gone"):
                find("nobody")
        assert calls == ["none", "nobody"]
        frozen_clock.advance(6)
        assert find("none") is None
        assert calls == ["none", "nobody", "none"]


# Methods


def test_methods_keep_what_they_name_of_their_object(cache: CacheManager) -> None:
    """Objects that agree in it share their answers, others do not."""
    kind = shop(cache)
    one, same, other = kind(1), kind(1), kind(2)
    assert [one.price("tea"), same.price("tea"), other.price("tea")] == [4, 4, 5]
    assert [one.mine, same.mine, other.mine] == [1, 0, 1]
    assert one.price.key("tea") == "price:1:'tea'"
    assert one.price.tags("tea") == ("shop:1",)
    assert one.price.compute("tea") == 4
    assert one.mine == 2
    assert kind.price.key(one, "tea") == "price:1:'tea'"
    assert list(inspect.signature(one.price).parameters) == ["item"]
    assert kind.price.__doc__ == "What it costs."


def test_async_methods_are_cached_too(cache: CacheManager) -> None:
    """On the async face."""
    one = shop(cache)(1)

    async def main() -> list[int]:
        return [await one.later("tea"), await one.later("tea")]

    assert asyncio.run(main()) == [4, 4]
    assert one.mine == 1


def test_classmethods_and_staticmethods_are_cached_beneath_the_decorator(cache: CacheManager) -> None:
    """A subclass has entries of its own where the key names an attribute of the class."""
    kind = shop(cache)
    second: Any = type("Second", (kind,), {"name": "second"})
    assert [kind.where("Rome"), kind(1).where("Rome"), second.where("Rome")] == ["first in Rome"] * 2 + [
        "second in Rome"
    ]
    assert kind.where.key("Rome") == "where:'first':'Rome'"
    assert (kind.calls, second.calls) == (1, 2)
    assert kind.sum(1, 2) == kind(1).sum(1, 2) == 3
    assert kind(1).sum.key(1, 2) == "sum:1:2"


# Keys and tags

VALUES: st.SearchStrategy[Any] = st.recursive(
    # Few values that read alike: what could be mistaken for one another should meet.
    st.sampled_from(
        [None, True, 1, 1.0, -0.0, 0.0, b"1", Decimal(1), Decimal("1.0"), Colour.RED, Paint.RED, UUID(int=1)]
    )
    | st.sampled_from([dt.date(2026, 1, 1), dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)])  # noqa: DTZ001 - a naive one is another value
    | st.text("1':,%()[]", max_size=3)
    | st.integers(0, 12),
    lambda inner: st.lists(inner, max_size=2) | st.lists(inner, max_size=2).map(tuple),
    max_leaves=3,
)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of the same types all through; 0.0 and -0.0 are two."""
    if isinstance(one, list | tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other and repr(one) == repr(other)


@given(st.tuples(VALUES, VALUES), st.tuples(VALUES, VALUES))
def test_different_arguments_never_share_a_key(one: tuple[Any, Any], other: tuple[Any, Any]) -> None:
    """Whatever they contain, and of whatever type they are; equal ones always do."""

    @CacheManager(MemoryStore()).cached("k:{a}:{b}", fresh=60)
    def function(a: Any, b: Any) -> None: ...

    assert (function.key(*one) == function.key(*other)) == same(one, other)


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (1, "1"),
        ("1", "'1'"),
        (True, "True"),
        (None, "None"),
        (1.0, "1.0"),
        ("a:b", "'a%3Ab'"),
        ("é", "'%C3%A9'"),
        ("\ud800", "'%ED%A0%80'"),
        (b"1", "bytes'31'"),
        (UUID(int=1), "UUID'00000000-0000-0000-0000-000000000001'"),
        (dt.timedelta(1), "timedelta'datetime.timedelta%28days%3D1%29'"),
        ((1,), "(1)"),
        ([1, "a"], "[1,'a']"),
        ({2, 1}, "{1,2}"),
        (frozenset({1}), "frozenset{1}"),
        ({"b": 1, "a": 2}, "dict{'a'=2,'b'=1}"),
    ],
)
def test_keys_can_be_read(cache: CacheManager, value: object, spelled: str) -> None:
    """Text in quotes, numbers as they are, anything else with its type; the order of a set or dict does not matter."""

    @cache.cached("k:{value}", fresh=60)
    def function(value: object) -> None: ...

    assert function.key(value) == f"k:{spelled}"


def test_extra_arguments_are_values_like_others(cache: CacheManager) -> None:
    """A tuple and a dict."""

    @cache.cached("k:{rest}:{options}", fresh=60)
    def function(*rest: int, **options: int) -> None: ...

    assert function.key(1, 2, b=1, a=2) == function.key(1, 2, a=2, b=1) == "k:(1,2):dict{'a'=2,'b'=1}"


@pytest.mark.parametrize("value", [object(), Poster(name="hunter2"), Size(1), type("Str", (str,), {})("hunter2")])
def test_a_value_without_a_place_in_a_key_is_refused(cache: CacheManager, value: object) -> None:
    """The error names the parameter and the way out, and never shows the value."""

    @cache.cached("k:{value}", fresh=60)
    def function(value: object) -> None: ...

    with pytest.raises(TypeError, match=r"\{value\} is .*such as \{value\.id\}") as caught:
        function(value)
    assert "hunter2" not in str(caught.value)


def test_a_time_in_a_named_zone_is_refused(cache: CacheManager) -> None:
    """Two of them may read alike and be two instants."""
    from zoneinfo import ZoneInfo

    @cache.cached("k:{at}", fresh=60)
    def function(at: dt.datetime) -> None: ...

    with pytest.raises(TypeError, match="named time zone"):
        function(dt.datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")))


def test_tags_read_as_f_strings_do_so_that_one_can_invalidate_by_one(cache: CacheManager) -> None:
    """Their whole purpose is to be named somewhere else."""
    calls = []

    @cache.cached("list:{user_id}:{page}", fresh=60, tags=["user:{user_id}:media", "lists"])
    def listed(user_id: int, page: int = 1) -> int:
        calls.append(user_id)
        return len(calls)

    assert listed.tags(7) == ("lists", "user:7:media")
    assert [listed(7), listed(8), listed(7)] == [1, 2, 1]
    user_id = 7
    cache.invalidate(f"user:{user_id}:media")
    assert [listed(7), listed(8)] == [3, 2]
    cache.invalidate(*listed.tags(8))
    assert listed(8) == 4


def test_forgetting_deletes_one_answer_and_tells_whether_it_was_there(cache: CacheManager) -> None:
    """The others stay."""

    @cache.cached("a:{number}", fresh=60)
    def plain(number: int) -> int:
        return number

    plain(1)
    plain(2)
    assert plain.forget(1)
    assert not plain.forget(1)
    assert cache.get(plain.key(1)) is None
    assert cache.get(plain.key(2)) == 2


def test_inside_a_unit_it_computes_and_refuses_to_forget(cache: CacheManager) -> None:
    """Nothing is stored; others could store the old value before it commits: tags are the way, the error says."""

    @cache.cached("a:{number}", fresh=60)
    def plain(number: int) -> int:
        return number

    @cache.cached("b:{number}", fresh=60)
    async def later(number: int) -> int:
        return number

    with entered(Unit()):  # type: ignore[arg-type]  # nothing is asked of it
        with pytest.raises(OutsideUnit, match=r"invalidate\(\*function\.tags"):
            plain.forget(1)
        assert plain(1) == 1
    assert cache.get(plain.key(1)) is None

    async def main() -> None:
        with entered(Unit()), pytest.raises(OutsideUnit, match="tx=tx"):  # type: ignore[arg-type]  # as above
            await later.forget(1)

    asyncio.run(main())


# What is refused at decoration


def decorated(template: str, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator of a cache that is not open."""
    return CacheManager(MemoryStore()).cached(template, **{"fresh": 60, **options})


def function(a: int, b: int = 2) -> None: ...


def method(self: Any, a: int) -> None: ...


def klass(cls: Any, a: int) -> None: ...


@pytest.mark.parametrize(
    ("template", "options", "of", "says"),
    [
        ("k:{a}", {}, function, r"leaves out 'b'.*add \{b\}, or say ignore=\('b',\)"),
        ("k", {}, function, "leaves out 'a'"),
        ("k:{a}:{b}:{c}", {}, function, "names 'c', but the parameters are a, b"),
        ("k:{a}:{b}", {"ignore": ("c",)}, function, "ignore names 'c', but the parameters are a, b"),
        ("k:{a}:{b}", {"ignore": ("b",)}, function, "in ignore: choose"),
        ("k:{a}", {}, method, r"leaves out 'self'.*\{self\.id\}.*ignore=\('self',\)"),
        ("k:{a}", {}, klass, r"leaves out 'cls'.*\{cls\.id\}"),
        ("k:{self}:{a}", {}, method, r"\{self\} in .*such as \{self\.id\}"),
        ("k:{a}:{}", {}, function, r"write \{parameter\}"),
        ("k:{0}", {}, function, r"write \{parameter\}"),
        ("k:{a!r}:{b}", {}, function, r"\{a!r\} in .*write \{parameter\}"),
        ("k:{a:>4}:{b}", {}, function, r"\{a:>4\} in .*write \{parameter\}"),
        ("k:{a[0]}:{b}", {}, function, r"write \{parameter\}"),
        ("k:{a.}:{b}", {}, function, r"write \{parameter\}"),
        ("k:{a", {}, function, "is no template"),
        ("k:a}", {}, function, "is no template"),
        ("", {}, function, "non-empty"),
        ("k:{a}{b}", {}, function, r"cannot be seen where \{a\} ends"),
        ("k:{a}1{b}", {}, function, r"cannot be seen where \{a\} ends"),
        ("k:{a}-{b}", {}, function, r"cannot be seen where \{a\} ends"),
        ("k:{a}:{b}", {"tags": ["t:{c}"]}, function, "'t:{c}' names 'c'"),
        ("k:{a}", {"tags": ["t:{b}"], "ignore": ("b",)}, function, "which the key ignores"),
        ("k:{a}:{b}", {}, Size, "decorates a function"),
        ("k:{a}:{b}", {}, 1, "decorates a function"),
        ("k:{a}:{b}", {}, decorated("k:{a}:{b}")(function), "cached already"),
    ],
)
def test_a_template_that_does_not_fit_is_refused_at_once(
    template: str, options: dict[str, Any], of: Any, says: str
) -> None:
    """With a sentence that says what to write instead."""
    with pytest.raises(ConfigurationError, match=says):
        decorated(template, **options)(of)


def test_generators_are_refused() -> None:
    """What can be read once cannot be served twice."""

    def plain(a: int) -> Iterator[int]:
        yield a

    async def later(a: int) -> Any:
        yield a

    for generator in (plain, later):
        with pytest.raises(ConfigurationError, match="return a list"):
            decorated("k:{a}")(generator)


@pytest.mark.parametrize(
    "options",
    [
        {"fresh": 0},
        {"stale": -1},
        {"negative": -1},
        {"errors": (LookupError,)},
        {"fresh": 40 * 86_400, "tags": ["t"]},
    ],
)
def test_impossible_times_are_refused_at_once(options: dict[str, Any]) -> None:
    """Not at the first call."""
    with pytest.raises(ValueError, match=r"seconds|lives at most"):
        decorated("k:{a}:{b}", **options)(function)


def test_a_lone_string_of_tags_is_refused() -> None:
    """Its letters are hardly meant."""
    with pytest.raises(TypeError, match="tags="):
        decorated("k:{a}:{b}", tags="t")(function)


def test_what_the_key_leaves_out_may_be_ignored(cache: CacheManager) -> None:
    """A connection, a logger: what the answer does not depend on. Braces are doubled."""

    @cache.cached("k:100%:{{}}:{a}", fresh=60, ignore=("db",))
    def find(db: object, a: int) -> int:
        return a

    assert find.key(object(), 1) == find.key(object(), 1) == "k:100%:{}:1"
    assert find(object(), 1) == 1


# The type of the answers


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (Poster, Poster),
        (Size, Size),
        (Colour, Colour),
        (Pair, Pair),
        (Box[int], Box[int]),
        (list[Poster], list[Poster]),
        (Poster | None, Poster | None),
        (dict[str, list[Size]], dict[str, list[Size]]),
        (Annotated[Poster, "a"], Annotated[Poster, "a"]),
        (int, None),
        (dict[str, Any], None),
        (list[tuple[int, str]], None),
        (None, None),
        (Any, None),
        (T, None),
        ("Poster | None", Poster | None),
        ("dict[str, int]", None),
    ],
)
def test_the_return_annotation_tells_what_comes_back(cache: CacheManager, annotation: Any, kind: Any) -> None:
    """Models, dataclasses, enums, named tuples, and what contains them; plain values need no type."""

    def function(a: int) -> Any: ...

    function.__annotations__["return"] = annotation
    assert cache.cached("k:{a}", fresh=60)(function)._recipe.kind == kind


@pytest.mark.parametrize(
    "value", [Poster(name="a"), Size(1), Colour.RED, Pair(1, 2), Box[int](inside=1), [Poster(name="a")], {"a": Size(1)}]
)
def test_answers_come_back_as_themselves(cache: CacheManager, value: Any) -> None:
    """By the type in the annotation alone."""

    def function(a: int) -> Any:
        return value

    kinds: dict[type, Any] = {list: list[Poster], dict: dict[str, Size]}
    function.__annotations__["return"] = kinds.get(type(value), type(value))
    found = cache.cached("k:{a}", fresh=60)(function)
    assert [found(1), found(1)] == [value] * 2
    assert type(found(1)) is type(value)
    assert cache.stats().computes == 1


def test_a_named_kind_wins_over_the_annotation(cache: CacheManager) -> None:
    """Also where it says that the values are plain."""

    @cache.cached("k:{a}", fresh=60, kind=None)
    def plain(a: int) -> Unknown:
        return a

    @cache.cached("l:{a}", fresh=60, kind=Size)
    def size(a: int) -> object:
        return Size(a)

    assert [plain(1), plain(1)] == [1, 1]
    assert [size(1), size(1)] == [Size(1)] * 2


def test_an_annotation_that_means_nothing_is_told_at_the_first_call(cache: CacheManager) -> None:
    """Not before: the name may be defined further down. A parameter's annotation is nobody's business."""

    @cache.cached("k:{a}", fresh=60)
    def unknown(a: int) -> Unknown: ...

    @cache.cached("l:{a}", fresh=60)
    def known(a: Unknown) -> Poster:
        return Poster(name=str(a))

    with pytest.raises(ConfigurationError, match=r"'Unknown', which means nothing.*kind="):
        _: object = unknown(1)
    assert known(1) == Poster(name="1")


# What type checkers see; run, it holds too


def test_types(cache: CacheManager) -> None:
    """The signature is the function's own, on methods without what they are asked of."""

    @cache.cached("f:{a}:{b}", fresh=60)
    def plain(a: int, *, b: str = "x") -> float:
        return float(a)

    @cache.cached("g:{a}", fresh=60)
    async def later(a: int) -> float:
        return float(a)

    class Methods:
        id = 1

        @cache.cached("m:{self.id}:{a}", fresh=60)
        def method(self, a: int) -> float:
            return float(a)

        @cache.cached("n:{self.id}:{a}", fresh=60)
        async def later(self, a: int) -> float:
            return float(a)

        @cache.cached("o:{cls.id}:{a}", fresh=60)
        @classmethod
        def of_class(cls, a: int) -> float:
            return float(a)

        @cache.cached("p:{a}", fresh=60)
        @staticmethod
        def static(a: int) -> float:
            return float(a)

    async def main() -> None:
        assert_type(await later(1), float)
        assert_type(await later.forget(1), bool)
        assert_type(await Methods().later(1), float)
        assert_type(await Methods().later.compute(1), float)

    asyncio.run(main())
    computes: Callable[[int], Coroutine[Any, Any, float]] = later.compute
    awaits: Callable[[int], Awaitable[float]] = later
    assert (computes, awaits) == (later.compute, later)
    assert_type(plain(1, b="y"), float)
    assert_type(plain.key(1), str)
    assert_type(plain.tags(1, b="y"), tuple[str, ...])
    assert_type(plain.forget(1), bool)
    assert_type(plain.compute(1, b="y"), float)
    assert_type(Methods().method(1), float)
    assert_type(Methods().method.key(1), str)
    assert_type(Methods.of_class(1), float)
    assert_type(Methods().of_class(1), float)
    assert_type(Methods.of_class.key(1), str)
    assert_type(Methods.static(1), float)
    with pytest.raises(TypeError):
        plain(1, "y")  # type: ignore[call-arg]  # the mistake under test
    with pytest.raises(TypeError):
        Methods().method.key()  # type: ignore[call-arg]  # the mistake under test
