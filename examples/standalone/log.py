"""Logging alone: one redacted line a record, from our loggers and everybody else's."""

import logging
import sys

from postrmagic_core.log import bind, configure, get_logger

log = get_logger("media.uploads")

with configure(level="INFO", format="json", service="media", redact=["email"], stream=sys.stdout):
    with bind(request_id="r-1"):
        log.info("uploaded", media_id=7, email="ann@example.org")
        logging.getLogger("third.party").warning("connecting to mysql://root:hunter2@db/media")
    try:
        raise ConnectionError("refused: Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.x")
    except ConnectionError:
        log.exception("cannot reach the store")
