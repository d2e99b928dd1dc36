"""Lines as an application logs them: requests, statements, jobs and failures, each with ids of its own."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Final

BEGAN: Final = 1_767_225_600
"""2026-01-01T00:00:00Z, in seconds."""
RATE: Final = 1000
"""Lines a second."""
_HEAD = '{{"ts":"{}.{:06d}Z","level":"{}","logger":"{}","service":"media","release":"1.4.2",'
_PATHS = ("/api/v1/media/{}", "/api/v1/media", "/login", "/static/app.js", "/api/v1/users/{}/posters")
_STATEMENT = "SELECT media.id, media.name, media.size FROM media WHERE media.owner_id = ? ORDER BY media.id LIMIT ?"
_TASKS = ("thumbnail", "mail", "index", "purge")


class Lines:
    """So many lines of JSON in batches, the same for the same ``seed``; remembers some ids of them to look for."""

    def __init__(self, number: int, seed: int = 1) -> None:
        self._number = number
        self._dice = random.Random(seed)
        self.traces: list[str] = []
        self.jobs: list[str] = []
        self.users: list[int] = []
        self._second = ""

    def batches(self, size: int) -> Iterator[list[bytes]]:
        """The lines, in order, without newline."""
        for begin in range(0, self._number, size):
            yield [self._line(number) for number in range(begin, min(self._number, begin + size))]

    def _line(self, number: int) -> bytes:
        dice = self._dice
        second, rest = divmod(number, RATE)
        ts = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(BEGAN + second)) if rest == 0 else self._second
        self._second = ts
        micro = rest * (1_000_000 // RATE)
        bits = dice.getrandbits(320)
        trace, span = f"{bits >> 192:032x}", f"{bits >> 128 & 0xFFFFFFFFFFFFFFFF:016x}"
        raw = f"{bits & (1 << 128) - 1:032x}"
        own = f"{raw[:8]}-{raw[8:12]}-7{raw[13:16]}-9{raw[17:20]}-{raw[20:]}"
        kind, user = bits % 100, bits % 20011
        if kind < 50:
            path = _PATHS[bits % 5].format(bits % 50021)
            status = (200, 200, 200, 201, 304, 404, 200, 500)[bits % 8] if kind < 4 else 200
            head = _HEAD.format(ts, micro, "info", "postrmagic_core.middleware.access")
            line = (
                f'{head}"event":"request","method":"GET","path":"{path}","status":{status},"bytes":{bits % 60013},'
                f'"duration_ms":{bits % 900001 / 1000},"client":"10.{bits % 241}.{bits % 251}.{bits % 253}",'
                f'"request_id":"{own}","trace_id":"{trace}","span_id":"{span}","user_id":{user}}}'
            )
        elif kind < 80:
            head = _HEAD.format(ts, micro, "debug", "postrmagic_core.database")
            line = (
                f'{head}"event":"statement","statement":"{_STATEMENT}","rows":{bits % 50},'
                f'"duration_ms":{bits % 9001 / 1000},"request_id":"{own}","trace_id":"{trace}","span_id":"{span}"}}'
            )
        elif kind < 99:
            head = _HEAD.format(ts, micro, "info", "postrmagic_core.jobs")
            line = (
                f'{head}"event":"job done","task":"{_TASKS[bits % 4]}","queue":"default","attempt":1,'
                f'"job_id":"{own}","trace_id":"{trace}","duration_ms":{bits % 9000011 / 1000}}}'
            )
        else:
            head = _HEAD.format(ts, micro, "warning", "media.uploads")
            line = (
                f'{head}"event":"upload failed: timed out while waiting for the storage","user_id":{user},'
                f'"media_id":{bits % 100003},"request_id":"{own}","trace_id":"{trace}","span_id":"{span}",'
                f'"exception":{{"type":"TimeoutError","message":"no answer in 10 s"}}}}'
            )
        if number % 9973 == 0:
            self.traces.append(trace)
        if 80 <= kind < 99 and number % 997 == 0:
            self.jobs.append(own)
        if kind == 99 and number % 13 == 0:
            self.users.append(user)
        return line.encode()
