"""Definitions made into models and validators, each once."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from ..._lifecycle import after_fork
from ...errors import ConfigurationError
from .. import strict_json
from ..budget import over_data
from ..interface import InputLimits
from ..messages import ENGLISH
from ..model import Input
from ..policy import failed
from ..rules.named import NAMED, NamedRule
from ..validator import Validator
from .builder import Builder
from .model import Definition, DefinitionLimits
from .rules import BETWEEN

T = TypeVar("T")
_DEFINITION = DefinitionLimits()
_INPUT = InputLimits()
_NO_RULES: Mapping[str, NamedRule] = MappingProxyType({})
_KEPT = 256


def build(
    definition: Mapping[str, Any] | bytes,
    *,
    limits: DefinitionLimits = _DEFINITION,
    rules: Mapping[str, NamedRule] = _NO_RULES,
) -> type[Input]:
    """The model that a form's definition describes, given as JSON in UTF-8 or as the data such JSON stands for.

    Fields stand in the order of their names, so that equal definitions give the same class; the last 256 are kept.
    ``rules``: those of other packages that it may use besides, by name (:func:`~.rules.named.offered`). Raises
    :class:`ValidationFailed` with every problem, its pointer leading into the definition; :class:`ConfigurationError`
    for Python data that JSON could not hold, and for one of ``rules`` that is called as one of the package is.
    """
    return _built(definition, limits, rules)[1]


def validator_for(
    definition: Mapping[str, Any] | bytes,
    *,
    limits: DefinitionLimits = _DEFINITION,
    input_limits: InputLimits = _INPUT,
    rules: Mapping[str, NamedRule] = _NO_RULES,
) -> Validator[Input]:
    """A :class:`Validator` of :func:`build`'s model, kept as that is; ``input_limits`` bound what it reads."""
    key, model = _built(definition, limits, rules)
    return _VALIDATORS.get((key, input_limits), lambda: Validator(model, limits=input_limits))


class _Recent(Generic[T]):
    """The last values used, each made once whoever asks, by one thread at a time."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._renew_lock()
        after_fork(self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value under ``key``; ``make`` is called when there is none, and what it raises is not kept."""
        with self._lock:
            if key not in self._values:
                self._values[key] = make()
                if len(self._values) > self._size:
                    self._values.popitem(last=False)
            self._values.move_to_end(key)
            return self._values[key]


_MODELS: _Recent[type[Input]] = _Recent(_KEPT)
_VALIDATORS: _Recent[Validator[Input]] = _Recent(_KEPT)


def _built(
    definition: Mapping[str, Any] | bytes, limits: DefinitionLimits, rules: Mapping[str, NamedRule]
) -> tuple[Hashable, type[Input]]:
    if taken := sorted(rules.keys() & (NAMED.keys() | BETWEEN)):
        raise ConfigurationError(f"a rule {taken[0]!r} is built in: choose another name")
    # Each level of a form is two of JSON: the object of its fields, and the field. Rules lie three below the last.
    costs = InputLimits(depth=2 * limits.nesting + 4, items=limits.bytes // 4 + 1, bytes=limits.bytes)
    data = strict_json.parse(_as_json(definition, costs), costs, ENGLISH)
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
    key = (hashlib.sha256(canonical).digest(), limits, frozenset(rules.items()))

    def make() -> type[Input]:
        # Escaped to ASCII it may be longer than what was measured.
        known = InputLimits(depth=costs.depth, items=costs.items, bytes=len(canonical))
        return Builder(limits, data, rules).build(Validator(Definition, limits=known).validate_json(canonical))

    return key, _MODELS.get(key, make)


def _as_json(definition: Mapping[str, Any] | bytes, costs: InputLimits) -> bytes:
    if isinstance(definition, bytes):
        return definition
    if over := over_data(definition, costs):
        raise failed(over[0], limit=over[1])
    try:
        return json.dumps(dict(definition), allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError):
        raise ConfigurationError("the definition must hold what JSON can: objects, lists, texts, numbers") from None
