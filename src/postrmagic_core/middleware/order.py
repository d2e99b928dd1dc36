"""Which middleware stands where: said beside each one, checked when a pipeline is built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from inspect import isasyncgenfunction, isgeneratorfunction
from typing import Any, NamedTuple, TypeVar

from ..errors import ConfigurationError

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "__postrmagic_middleware__"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a middleware stands: further in than ``after``, further out than ``before``; or outside all others.

    ``when``: a request it is false of does not meet the middleware at all.
    """

    name: str
    after: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    outermost: bool = False
    scopes: tuple[str, ...] = ("http",)
    when: Callable[[Any], bool] | None = None


class Compiled(NamedTuple):
    """A middleware with all that is known about it before the first request."""

    call: Callable[..., Any]
    place: Place
    is_async: bool


class Layers:
    """Layers in their order, outermost first, as each request needs them: what is asked of each, side by side."""

    def __init__(self, layers: Iterable[Compiled] = ()) -> None:
        found = tuple(layers)
        # Plain tuples: taking a named one apart costs a request as much as stepping its generator.
        self.steps = tuple((layer.call, layer.is_async, layer.place.when) for layer in found)
        self.is_async = tuple(layer.is_async for layer in found)
        self.names = tuple(layer.place.name for layer in found)


def middleware(
    *,
    name: str = "",
    after: Sequence[str] = (),
    before: Sequence[str] = (),
    outermost: bool = False,
    scopes: Sequence[str] = ("http",),
    when: Callable[[Any], bool] | None = None,
) -> Callable[[F], F]:
    """Say where a middleware stands. Names that a pipeline does not hold do not matter.

    ``name`` defaults to the function's; ``after`` lists those a request meets before it, ``before`` those it meets
    later; ``scopes`` may add ``"websocket"``. A request of which ``when`` is false passes by: where few are meant, the
    others do not pay for the generator.
    """

    def mark(function: F) -> F:
        place = Place(name or function.__name__, tuple(after), tuple(before), outermost, tuple(scopes), when)
        setattr(function, _MARK, place)
        return function

    return mark


def compiled(given: Callable[..., Any]) -> Compiled:
    """``given`` ready to run; raises :class:`ConfigurationError` if it is no generator function."""
    called = given if hasattr(given, "__name__") else type(given).__call__
    is_async = isasyncgenfunction(given) or isasyncgenfunction(called)
    default = getattr(given, "__name__", type(given).__name__)
    if not (is_async or isgeneratorfunction(given) or isgeneratorfunction(called)):
        raise ConfigurationError(
            f"{default} is no middleware: expected a generator function of one argument (`head = yield`); "
            "a factory such as request_id must be called"
        )
    return Compiled(given, getattr(given, _MARK, Place(default)), is_async)


def arranged(layers: Sequence[Compiled]) -> tuple[Compiled, ...]:
    """``layers`` as they were given, but each brought out as far as another that must stand inside it.

    :class:`ConfigurationError` where no order fits.
    """
    _check_names(layers)
    outers: dict[int, list[int]] = {}
    for _, outer, inner in _pairs(layers):
        outers.setdefault(inner, []).append(outer)
    found: dict[int, Compiled] = {}

    def place(position: int, waiting: tuple[int, ...] = ()) -> None:
        if position in waiting:
            raise ConfigurationError(_remedy(layers))
        for outer in sorted(outers.get(position, ())):
            if outer not in found:
                place(outer, (*waiting, position))
        found.setdefault(position, layers[position])

    for position in range(len(layers)):
        place(position)
    return tuple(found.values())


def check(layers: Sequence[Compiled]) -> None:
    """Raise :class:`ConfigurationError`, with the order drawn, unless every layer stands where it must."""
    _check_names(layers)
    wrong = [complaint for complaint, outer, inner in _pairs(layers) if outer > inner]
    if wrong:
        given = " > ".join(layer.place.name for layer in layers)
        raise ConfigurationError(
            f"the middleware stands in the wrong order, outermost first: {given}\n"
            + "".join(f"  {complaint}\n" for complaint in wrong)
            + f"  {_remedy(layers)}"
        )


def _check_names(layers: Sequence[Compiled]) -> None:
    """Two of one name would share what they keep, and nobody could say which of them another must stand inside."""
    named = [layer.place.name for layer in layers if hasattr(layer.call, _MARK)]
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        raise ConfigurationError(
            f"the pipeline holds {twice} twice: leave one out, or give one another name, as rate_limit(…, name=…) does"
        )


def _pairs(layers: Sequence[Compiled]) -> list[tuple[str, int, int]]:
    """Each demand as a sentence, with the positions of who must stand further out and further in."""
    places = [layer.place for layer in layers]
    demands = []
    for here, place in enumerate(places):
        for there, other in enumerate(places):
            if here == there:
                continue
            if other.name in place.after:
                demands.append((f"{place.name} must stand inside {other.name}", there, here))
            if other.name in place.before:
                demands.append((f"{place.name} must stand outside {other.name}", here, there))
            if place.outermost:
                demands.append((f"{place.name} must stand outside all others", here, there))
    return demands


def _remedy(layers: Sequence[Compiled]) -> str:
    graph: dict[int, set[int]] = {position: set() for position in range(len(layers))}
    for _, outer, inner in _pairs(layers):
        graph[inner].add(outer)
    names = [layer.place.name for layer in layers]
    try:
        order = TopologicalSorter(graph).static_order()
        return "an order that fits: " + " > ".join(names[position] for position in order)
    except CycleError as error:
        return "no order fits: " + " > ".join(names[position] for position in error.args[1])
