"""Runs :mod:`._decoder` on an open file in a process of its own, and reads its answer."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from io import FileIO
from pathlib import Path
from typing import IO, Any, TypeAlias

from ..errors import BackendUnavailable, MissingExtra
from .interface import ImagePolicy
from .policy import failed

_DECODER = str(Path(__file__).with_name("_decoder.py"))
_HEAD = 4096
_PIECE = 256 * 1024
_Read: TypeAlias = Callable[[IO[bytes]], tuple[bytes, bytes, bool]]
"""Reads an answer: its first line, its rest, and whether it ended where it had to."""


def ask(file: FileIO, kind: str, policy: ImagePolicy, question: Mapping[str, object], *, largest: int = 0) -> Any:
    """The decoder's answer about ``file``, an image of format ``kind``: its findings, or up to ``largest`` bytes.

    Raises :class:`ValidationFailed` for what is wrong with the file, also when reading it took the process down or
    longer than ``policy.timeout``; :class:`MissingExtra` without Pillow; :class:`BackendUnavailable` when the process
    could not do its work at all. This process holds no more than the answer.
    """

    def whole(output: IO[bytes]) -> tuple[bytes, bytes, bool]:
        answer = output.read(_HEAD + largest + 1)
        head, _, body = answer.partition(b"\n")
        return head, body, len(answer) <= _HEAD + largest

    found, body = _asked(file, kind, policy, question, whole)
    return body if question.get("output") else found


def pour(
    file: FileIO,
    kind: str,
    policy: ImagePolicy,
    question: Mapping[str, object],
    write: Callable[[bytes], object],
) -> dict[str, int]:
    """:func:`ask` for a rendering of any size: its bytes go to ``write`` piece by piece, its findings come back.

    What was written counts only once this returns. Whatever ``write`` raises ends the process.
    """

    def in_pieces(output: IO[bytes]) -> tuple[bytes, bytes, bool]:
        head = output.readline(_HEAD + 1)
        if len(head) > _HEAD:
            return b"", b"", False
        while piece := output.read(_PIECE):
            write(piece)
        return head, b"", True

    found: dict[str, int] = _asked(file, kind, policy, question, in_pieces)[0]
    return found


def _asked(file: FileIO, kind: str, policy: ImagePolicy, question: Mapping[str, object], read: _Read) -> Any:
    request = {
        "format": kind,
        "max_pixels": policy.max_pixels,
        "max_frames": policy.max_frames,
        "trailing_data": policy.trailing_data,
        "memory": policy.memory,
        "seconds": math.ceil(policy.timeout),
        "packages": _packages(),
        "output": None,
        **question,
    }
    status, head, body = _run(file, json.dumps(request), policy.timeout, read)
    if status > 0 or (status == 0 and not head):
        raise BackendUnavailable("the image decoder failed to run: see that Pillow works in this environment")
    if status < 0:
        stopped = status in {-signal.SIGKILL, -signal.SIGXCPU}
        raise _refused("upload.too_costly" if stopped else "upload.corrupt", policy)
    found = json.loads(head)
    if "code" in found:
        raise _refused(found["code"], policy)
    return found, body


def _packages() -> str:
    spec = importlib.util.find_spec("PIL")
    if spec is None or spec.origin is None:
        raise MissingExtra("images are read by Pillow, which is not installed: pip install 'postrmagic-core[images]'")
    return str(Path(spec.origin).parents[1])


def _run(file: FileIO, request: str, timeout: float, read: _Read) -> tuple[int, bytes, bytes]:
    environment = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    file.seek(0)
    with subprocess.Popen(  # noqa: S603 - our own program; the request holds no text of a user
        [sys.executable, "-I", "-S", _DECODER, request],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:
        clock = threading.Timer(timeout, process.kill)
        clock.start()
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            head, body, ended = read(process.stdout)
            if not ended:
                process.kill()
            process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            clock.cancel()
    # One that wrote too much may have ended by itself before the signal: it is refused all the same.
    return (process.returncode if ended else -signal.SIGKILL), head, body


def _refused(code: str, policy: ImagePolicy) -> Exception:
    limits = {"upload.too_many_pixels": policy.max_pixels, "upload.animated": policy.max_frames}
    return failed(code, f"/{policy.field}", limit=limits.get(code, 0))
