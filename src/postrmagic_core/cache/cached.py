"""``@cache.cached``: a function whose answers are kept under keys made of its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from functools import partial, update_wrapper
from types import MethodType
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    Literal,
    ParamSpec,
    Protocol,
    Self,
    TypeAlias,
    TypedDict,
    TypeVar,
    overload,
)

from ..errors import ConfigurationError, OutsideUnit
from .policy import Freshness, tag_names
from .returned import kind_of
from .templates import KeyTemplate, TagTemplate

if TYPE_CHECKING:
    from .manager import CacheManager

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
T = TypeVar("T")
C_co = TypeVar("C_co", covariant=True)
K = TypeVar("K", bound=type)
Arguments: TypeAlias = Mapping[str, Any]
# What a cached function's first argument is where it is asked of an object: nothing, the object or its class.
Binds: TypeAlias = Literal["", "self", "cls"]

_BY_POSITION = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}


class Keeping(TypedDict):
    """For how long answers are kept (seconds); see :meth:`CacheManager.get_or_set`."""

    fresh: float
    stale: float
    negative: float | None
    errors: tuple[type[Exception], ...]


class Recipe:
    """What is decided when a function is decorated: how a call becomes a key, its tags and a stored answer.

    ``kind``: the type of the answers, ``None`` for plain values, ``...`` for what the function's annotation says.
    """

    def __init__(
        self,
        cache: CacheManager,
        template: str,
        tags: Iterable[str],
        ignore: Collection[str],
        kind: Any,
        keeping: Keeping,
        function: Callable[..., Any],
    ) -> None:
        self.cache = cache
        self.function = function
        self.keeping = keeping
        self._kind = kind
        self._options: dict[str, Any] | None = None
        given = tag_names(tags)
        self._key = KeyTemplate(template, function, ignore)
        self._tags = [TagTemplate(tag, function, self._key) for tag in given]
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters.values()
        # Binding is ten times as dear as pairing names with the values of a call by position.
        self._by_position = tuple(p.name for p in parameters) if {p.kind for p in parameters} <= _BY_POSITION else None
        # What a call would be refused for is refused now.
        times = Freshness(keeping["fresh"], keeping["stale"])
        cache.filling.fill(template, function, times, given, None, keeping["negative"], keeping["errors"])

    @property
    def kind(self) -> Any:
        """The type of the answers; found at the first call, when the names in the annotation exist."""
        if self._kind is ...:
            self._kind = kind_of(self.function)
        return self._kind

    def options(self, arguments: Arguments) -> dict[str, Any]:
        """What ``get_or_set`` is given for a call beside key and function."""
        if self._options is None:
            self._options = {**self.keeping, "kind": self.kind}
        return {**self._options, "tags": self.tags(arguments)} if self._tags else self._options

    def arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
        """Each parameter's value in a call, defaults included; :class:`TypeError` as the function itself would."""
        if not kwargs and self._by_position is not None and len(args) == len(self._by_position):
            return dict(zip(self._by_position, args))  # noqa: B905 - compared just above; strict costs a third more
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    def key(self, arguments: Arguments) -> str:
        """The key of a call."""
        return self._key.of(arguments)

    def tags(self, arguments: Arguments) -> tuple[str, ...]:
        """The tags of a call."""
        return tuple([tag.of(arguments) for tag in self._tags])

    def check_forget(self) -> None:
        """Raise :class:`OutsideUnit` inside a write unit: what it forgot could be back before it commits."""
        if self.cache.filling.in_unit():
            raise OutsideUnit(
                "forget() inside an open unit: others would store the old value again before it commits; give the "
                "function tags= and call cache.invalidate(*function.tags(…), tx=tx)"
            )


class _Keyed(Generic[P]):
    """What both kinds of cached function tell of a call without making it."""

    __name__: str
    __qualname__: str

    def __init__(self, recipe: Recipe, bound: tuple[Any, ...] = (), binds: Binds = "self") -> None:
        self._recipe = recipe
        self._bound = bound
        self._binds = binds
        if bound:
            self.__wrapped__: Any = MethodType(recipe.function, bound[0])
        else:
            update_wrapper(self, recipe.function)  # type: ignore[arg-type]  # it takes the names only, not the type

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The key under which the answer to this call is stored."""
        return self._recipe.key(self._arguments(args, kwargs))

    def tags(self, *args: P.args, **kwargs: P.kwargs) -> tuple[str, ...]:
        """The tags under which it is stored: what to invalidate when the data change."""
        return self._recipe.tags(self._arguments(args, kwargs))

    def _arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
        return self._recipe.arguments(self._bound + args, kwargs)

    def _call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[str, Callable[[], Any], dict[str, Any]]:
        """What ``get_or_set`` is given for a call: key, computation and options."""
        recipe = self._recipe
        arguments = self._arguments(args, kwargs)
        return recipe.key(arguments), partial(self.__wrapped__, *args, **kwargs), recipe.options(arguments)

    def _to(self, instance: object, owner: type | None) -> Self:
        if self._binds == "cls":
            return type(self)(self._recipe, (owner,), "")
        if self._binds == "self" and instance is not None:
            return type(self)(self._recipe, (instance,), "")
        return self

    def __repr__(self) -> str:
        return f"<cached {self._recipe.function!r}>"


class Cached(_Keyed[P], Generic[P, R]):
    """A plain function, or a method, that computes what is not stored; made by :meth:`CacheManager.cached`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The answer, stored or computed: see :meth:`CacheManager.get_or_set`."""
        key, compute, options = self._call(args, kwargs)
        answer: R = self._recipe.cache.get_or_set(key, compute, **options)
        return answer

    @property
    def compute(self) -> Callable[P, R]:
        """The function itself, without the cache."""
        return self.__wrapped__  # type: ignore[no-any-return]  # as decorated, or bound to its instance

    def forget(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Delete the stored answer to this call; whether there was one.

        A computation under way stores its answer afterwards: where that may be an old one, invalidate the tags. Raises
        :class:`OutsideUnit` inside a write unit, which should do that too, and the store's errors under every policy.
        """
        self._recipe.check_forget()
        return self._recipe.cache.delete(self.key(*args, **kwargs)) > 0

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self: Cached[Concatenate[T, Q], R], instance: T, owner: type | None = None) -> Cached[Q, R]: ...

    @overload  # a staticmethod, whose first parameter is not what it is asked of
    def __get__(self, instance: object, owner: type | None = None) -> Self: ...

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self._to(instance, owner)


class AsyncCached(_Keyed[P], Generic[P, R]):
    """:class:`Cached` for coroutine functions: the cache's async face."""

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """See :meth:`Cached.__call__`."""
        key, compute, options = self._call(args, kwargs)
        answer: R = await self._recipe.cache.aio.get_or_set(key, compute, **options)
        return answer

    @property
    def compute(self) -> Callable[P, Coroutine[Any, Any, R]]:
        """See :attr:`Cached.compute`."""
        return self.__wrapped__  # type: ignore[no-any-return]  # as decorated, or bound to its instance

    async def forget(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """See :meth:`Cached.forget`."""
        self._recipe.check_forget()
        return await self._recipe.cache.aio.delete(self.key(*args, **kwargs)) > 0

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(
        self: AsyncCached[Concatenate[T, Q], R], instance: T, owner: type | None = None
    ) -> AsyncCached[Q, R]: ...

    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Self: ...

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self._to(instance, owner)


class OfClass(Protocol[Q, C_co]):
    """What type checkers make of a cached function whose first parameter is a type, as a classmethod's is.

    They do not tell classmethods from functions otherwise; it is a :class:`Cached` or an :class:`AsyncCached`.
    """

    def __call__(self, cls: Any, /, *args: Q.args, **kwargs: Q.kwargs) -> Any:
        """See :meth:`Cached.__call__`."""
        ...

    def __get__(self, instance: object, owner: type | None = None) -> C_co:
        """The cached function of this class."""
        ...

    def __getattr__(self, name: str) -> Any: ...


class Decorator:
    """What ``cache.cached(…)`` answers: it takes a function, a classmethod or a staticmethod."""

    def __init__(self, recipe_of: Callable[[Callable[..., Any]], Recipe]) -> None:
        self._recipe_of = recipe_of

    # Each fits some of what the next ones fit: the first that does is meant.
    @overload
    def __call__(  # type: ignore[overload-overlap]  # as said above
        self, function: Callable[Concatenate[K, Q], Coroutine[Any, Any, R]]
    ) -> OfClass[Q, AsyncCached[Q, R]]: ...

    @overload
    def __call__(self, function: Callable[Concatenate[K, Q], R]) -> OfClass[Q, Cached[Q, R]]: ...

    @overload
    def __call__(  # type: ignore[overload-overlap]  # as said above
        self, function: Callable[P, Coroutine[Any, Any, R]]
    ) -> AsyncCached[P, R]: ...

    @overload
    def __call__(self, function: Callable[P, R]) -> Cached[P, R]: ...

    def __call__(self, function: Any) -> Any:
        """The cached function. Raises :class:`ConfigurationError` that says what to change."""
        binds: Binds = "self"
        if isinstance(function, classmethod | staticmethod):
            binds = "cls" if isinstance(function, classmethod) else ""
            function = function.__func__
        _check(function)
        made = AsyncCached if inspect.iscoroutinefunction(function) else Cached
        return made(self._recipe_of(function), binds=binds)


def _check(function: Any) -> None:
    if inspect.isclass(function) or not callable(function):
        raise ConfigurationError(f"cached() decorates a function or method, got {function!r}")
    if isinstance(function, _Keyed):
        raise ConfigurationError(f"{function.__qualname__}() is cached already")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(
            f"{function.__qualname__}() is a generator, which can be read once only: return a list of what it yields"
        )
