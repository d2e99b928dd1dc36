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
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from ..errors import BackendUnavailable, MissingExtra
from .interface import ImagePolicy
from .policy import failed

_DECODER = str(Path(__file__).with_name("_decoder.py"))
_HEAD = 4096
_STOPPED = {-signal.SIGKILL, -signal.SIGXCPU}


def ask(file: FileIO, kind: str, policy: ImagePolicy, question: Mapping[str, object], *, largest: int = 0) -> Any:
    """The decoder's answer about ``file``, an image of format ``kind``: its findings, or up to ``largest`` bytes.

    Raises :class:`ValidationFailed` for what is wrong with the file, also when reading it took the process down or
    longer than ``policy.timeout``; :class:`MissingExtra` without Pillow; :class:`BackendUnavailable` when the process
    could not do its work at all. This process holds no more than the answer.
    """
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
    status, answer = _run(file, json.dumps(request), policy.timeout, _HEAD + largest)
    head, _, body = answer.partition(b"\n")
    if status > 0 or (status == 0 and not head):
        raise BackendUnavailable("the image decoder failed to run: see that Pillow works in this environment")
    if status < 0:
        raise _refused("upload.too_costly" if status in _STOPPED else "upload.corrupt", policy)
    found = json.loads(head)
    if "code" in found:
        raise _refused(found["code"], policy)
    return body if request["output"] else found


def _packages() -> str:
    spec = importlib.util.find_spec("PIL")
    if spec is None or spec.origin is None:
        raise MissingExtra("images are read by Pillow, which is not installed: pip install 'postrmagic-core[images]'")
    return str(Path(spec.origin).parents[1])


def _run(file: FileIO, request: str, timeout: float, largest: int) -> tuple[int, bytes]:
    environment = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    file.seek(0)
    with subprocess.Popen(  # noqa: S603 - our own program; the request holds no text of a user
        [sys.executable, "-I", _DECODER, request],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:
        clock = threading.Timer(timeout, process.kill)
        clock.start()
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            answer = process.stdout.read(largest + 1)
            if len(answer) > largest:
                process.kill()
            process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            clock.cancel()
    return process.returncode, answer


def _refused(code: str, policy: ImagePolicy) -> Exception:
    limits = {"upload.too_many_pixels": policy.max_pixels, "upload.animated": policy.max_frames}
    return failed(code, f"/{policy.field}", limit=limits.get(code, 0))
