"""What every adapter refuses, and what those who use one do, said the same way everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from .interface import Store

MAX_KEY = 255  # bytes: what a VARBINARY key of every MySQL can index
MAX_TTL_MS = 100 * 366 * 86_400_000


def check_atomic(store: Store, what: str) -> None:
    """Raise :class:`ConfigurationError` unless the store's Scripts are atomic over several keys, as ``what`` needs."""
    if store.atomic != "keys":
        raise ConfigurationError(
            f'{what}: expected a store whose scripts are atomic over several keys (atomic="keys"), '
            f"got {type(store).__name__}, whose scripts are over one"
        )


def check_keys(keys: Iterable[bytes]) -> None:
    """Raise unless every key is ``bytes`` of 1 to 255: :class:`TypeError` or :class:`ValueError`."""
    for key in keys:
        if type(key) is not bytes:
            raise TypeError(f"a key is bytes, got {type(key).__name__}: build it with Keys(namespace).build(kind, …)")
        if not 0 < len(key) <= MAX_KEY:
            raise ValueError(
                f"a key has 1 to {MAX_KEY} bytes, got {len(key)}: Keys(namespace).build(kind, …) hashes long parts"
            )


def check_values(values: Iterable[bytes]) -> None:
    """Raise :class:`TypeError` unless every value is ``bytes``."""
    for value in values:
        if type(value) is not bytes:
            raise TypeError(f"a value is bytes, got {type(value).__name__}: encode it with postrmagic_core._codec")


def check_ttl(ttl_ms: int | None) -> None:
    """Raise unless ``ttl_ms`` is a positive whole number of milliseconds up to 100 years, or ``None`` to persist."""
    if ttl_ms is None:
        return
    if type(ttl_ms) is not int:
        raise TypeError(f"ttl_ms is a whole number of milliseconds or None, got {type(ttl_ms).__name__}")
    if not 0 < ttl_ms <= MAX_TTL_MS:
        raise ValueError(f"ttl_ms is 1 to {MAX_TTL_MS} (100 years), or None to persist, got {ttl_ms}")


def check_prefix(prefix: bytes) -> None:
    """Raise unless ``prefix`` is ``bytes`` that begin somebody's keys: the empty one begins everybody's."""
    if type(prefix) is not bytes:
        raise TypeError(f"a prefix is bytes, got {type(prefix).__name__}")
    if not prefix:
        raise ValueError("an empty prefix would delete other applications' keys: pass Keys(namespace).prefix()")


def script_args(args: Sequence[bytes | int]) -> list[bytes]:
    """A Script's arguments as its body sees them: integers become their decimal digits."""
    texts = []
    for arg in args:
        if type(arg) is int:
            texts.append(b"%d" % arg)
        elif type(arg) is bytes:
            texts.append(arg)
        else:
            raise TypeError(f"a Script's argument is bytes or int, got {type(arg).__name__}")
    return texts
