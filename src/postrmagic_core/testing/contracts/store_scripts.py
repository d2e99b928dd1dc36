"""What the store contract runs and stores: a Script for each promise of ``run``, and keys and values that bite."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores import Script, View

# Runs a shell command if anything unpickles it: b"cos\nsystem\n(S'...'\ntR."
CANARY = b"cos\nsystem\n(S'touch %s'\ntR."

HOSTILE_KEYS = [
    b"\x00",
    b"a\x00b",
    b"a",
    b"A",
    b"a ",
    b" a",
    b"a\r\nDEL b",
    b"*",
    b"[a-z]?",
    b"\\*",
    b"%s %(k)s",
    b"'; DROP TABLE pm_kv; --",
    b"{ns}:k:1",
    "ä€😀".encode(),
    b"\xff\xfe\xff",
    b"k" * 255,
]


def _probe(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[bytes | int | None]:
    return [now_us, *(view.get(key) for key in keys)]


def _write(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[bytes | None]:
    view.put(keys[0], args[0], int(args[1]) if args[1] else None)
    view.drop(keys[1])
    return [view.get(keys[0]), view.get(keys[1])]


def _append(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> int:
    value = (view.get(keys[0]) or b"") + args[0] + b"\n"
    view.put(keys[0], value, None)
    return len(value)


def _stray(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> int:
    view.put(keys[0], b"written before", None)
    view.put(b"undeclared", b"1", None)
    return 1


def _echo(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[bytes | int | None]:
    return [*args, None, 2**53, -1]


PROBE = Script(
    "contract_probe",
    _probe,
    "local answer = {now}\nfor i = 1, #KEYS do answer[i + 1] = get(i) end\nreturn answer",
    read_only=True,
)
WRITE = Script("contract_write", _write, "put(1, arg(1), tonumber(arg(2)))\ndrop(2)\nreturn {get(1), get(2)}")
APPEND = Script(
    "contract_append", _append, "local value = (get(1) or '') .. arg(1) .. '\\n'\nput(1, value)\nreturn #value"
)
STRAY = Script("contract_stray", _stray, "put(1, 'written before')\nput(2, '1')\nreturn 1")
ECHO = Script(
    "contract_echo",
    _echo,
    "local answer = {}\nfor i = 2, #ARGV do answer[i - 1] = ARGV[i] end\n"
    "answer[#ARGV] = false\nanswer[#ARGV + 1] = 9007199254740992\nanswer[#ARGV + 2] = -1\nreturn answer",
)
