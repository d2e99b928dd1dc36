"""A worker that waits: what is replaced before the web processes are."""

from __future__ import annotations

import os
import signal
import sys
import threading

ending = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ending.set())
print(f"worker of {os.environ.get('VERSION')} begins", flush=True)  # noqa: T201 # what is looked for in its log
if os.environ.get("FAULT") == "worker":
    sys.exit("the worker cannot start: the fault of this image")
ending.wait()
