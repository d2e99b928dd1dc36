"""What takes the place of guards of the forwarder, where nothing at all would only stumble."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

from postrmagic_core.log.forwarding import Forwarder
from postrmagic_core.log.forwarding.policy import BATCH_BYTES, batches
from postrmagic_core.log.spool import SpoolReader

NEVER_QUIET = 0.0


def kept_too_early(forwarder: Forwarder) -> bool:
    """Reads, and tells that the receiver has it before it is asked."""
    forwarder._pending.extend(batches(forwarder._reader.read(BATCH_BYTES).lines)[0])
    forwarder._keep()
    return bool(forwarder._pending)


def gave_up(forwarder: Forwarder, *arguments: object) -> float:
    """Drops what could not be shipped."""
    forwarder._pending.popleft()
    return 0.0


def patient(deadline: object) -> float:
    """There is always a little time left."""
    return 0.3


def trusting(authority: Path | None) -> ssl.SSLContext:
    """Takes whoever answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def whatever_is_there(reader: SpoolReader, offset: int, size: int, limit: int) -> bytes:
    """What a read gives, whole or not."""
    return os.pread(reader._descriptor, limit, offset)


def late_notice(*arguments: Any) -> int:
    """Everything counts as acknowledged."""
    return 0
