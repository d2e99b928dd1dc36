"""A private rsyslog that takes messages by TCP and UDP and writes what it understood of them."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, NamedTuple

from postrmagic_core.testing.servers._process import ServerProcess

_SEPARATOR = "\x1f"
_FIELDS = ("syslogfacility-text", "syslogseverity", "timestamp:::date-rfc3339", "app-name", "structured-data", "msg")


class Understood(NamedTuple):
    """One message as rsyslog parsed it."""

    facility: str
    severity: str
    at: str
    app: str
    data: str
    text: str


class Rsyslog(ServerProcess):
    """``rsyslogd`` on one port for both."""

    name: ClassVar[str] = "rsyslog"

    @classmethod
    def binary(cls) -> str | None:
        """Where the program is."""
        return shutil.which("rsyslogd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

    @property
    def messages(self) -> list[Understood]:
        """What it has understood so far."""
        with suppress(FileNotFoundError):
            lines = (self.directory / "out").read_text(encoding="utf-8").split("\n")[:-1]
            return [Understood(*line.split(_SEPARATOR)) for line in lines if line.count(_SEPARATOR) == 5]
        return []

    @property
    def texts(self) -> list[str]:
        """Their texts, without the byte order mark that says they are UTF-8."""
        return [each.text.removeprefix("\ufeff") for each in self.messages]

    def create_database(self) -> str:
        """Nothing of that kind."""
        return self.url

    def _prepare(self) -> None:
        return

    def _argv(self) -> list[str]:
        template = _SEPARATOR.join(f"%{field}%" for field in _FIELDS)
        where = f'port="{self.port}" address="127.0.0.1"'
        (self.directory / "rsyslog.conf").write_text(
            f'module(load="imtcp")\nmodule(load="imudp")\nglobal(workDirectory="{self.directory}")\n'
            f'template(name="told" type="string" string="{template}\\n")\n'
            f'input(type="imtcp" {where})\ninput(type="imudp" rcvbufSize="4m" {where})\n'
            f'action(type="omfile" file="{self.directory}/out" template="told")\n'
        )
        return [str(self.binary()), "-n", "-f", str(self.directory / "rsyslog.conf"), "-i", str(self.directory / "pid")]

    def _url(self) -> str:
        return f"syslog+tcp://{self.host}:{self.port}"

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection((self.host, self.port), 1.0):
            return self._takes_datagrams()
        return False

    def _takes_datagrams(self) -> bool:
        """It binds one port after the other; nobody answers a datagram, so that only the kernel can tell."""
        local = f"{int.from_bytes(socket.inet_aton(self.host), sys.byteorder):08X}:{self.port:04X}"
        return local in Path("/proc/net/udp").read_text(encoding="ascii")
