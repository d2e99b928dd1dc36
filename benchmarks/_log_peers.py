"""The same record by other libraries, as JSON with its time, level and context, each as its documentation advises."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

FIELDS: dict[str, Any] = {
    "media_id": 7,
    "name": "poster.jpeg",
    "size": 183_021,
    "path": "/api/v1/media",
    "ratio": 0.667,
}
CONTEXT: dict[str, Any] = {"request_id": "019ad3f2-7c1e-7b0a-9c55-3f6f1d0e8a11", "user_id": 17}

Write = Callable[[], object]


def structlog(path: Path, opened: ExitStack) -> tuple[Write, Write]:
    """Its guide's fastest set-up: a filtering logger, orjson, bytes to a file; and a record that is filtered out."""
    logs = importlib.import_module("structlog")
    orjson = importlib.import_module("orjson")
    log = logs.wrap_logger(
        logs.BytesLogger(opened.enter_context(path.open("ab"))),
        processors=[
            logs.contextvars.merge_contextvars,
            logs.processors.add_log_level,
            logs.processors.TimeStamper(fmt="iso", utc=True),
            logs.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=logs.make_filtering_bound_logger(logging.INFO),
    ).bind()
    return lambda: log.info("uploaded", **FIELDS), lambda: log.debug("uploaded", **FIELDS)


def loguru(path: Path, opened: ExitStack) -> Write:
    """``serialize=True``, to a file; the context by ``contextualize``."""
    loguru = importlib.import_module("loguru")
    log = loguru.logger
    log.remove()
    log.add(path, level="INFO", serialize=True, format="{message}")
    opened.callback(log.remove)
    opened.enter_context(log.contextualize(**CONTEXT))
    return lambda: log.info("uploaded", **FIELDS)


def python_json_logger(path: Path, opened: ExitStack) -> Write:
    """Its formatter on a handler of the standard library's; the context among the fields."""
    formatter = importlib.import_module("pythonjsonlogger.json").JsonFormatter(
        ["levelname", "name", "message"], timestamp=True
    )
    handler = logging.FileHandler(path)
    opened.callback(handler.close)
    handler.setFormatter(formatter)
    log = logging.Logger("media.uploads", logging.INFO)
    log.handlers = [handler]
    extra = {("file_name" if name == "name" else name): value for name, value in (FIELDS | CONTEXT).items()}
    return lambda: log.info("uploaded", extra=extra)
