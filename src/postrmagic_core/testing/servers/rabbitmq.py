"""A private RabbitMQ server, started in a few seconds from data prepared once per user."""

from __future__ import annotations

import os
import shutil
import socket
import time
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit
from uuid import uuid4

from postrmagic_core.errors import BackendUnavailable

from ._process import ServerProcess, free_port
from ._template import template

# Debian's /usr/sbin/rabbitmq-server is a wrapper that becomes another user; the real program is behind it.
_PLACES = ("/usr/lib/rabbitmq/bin", os.environ.get("PATH", ""), "/usr/local/sbin", "/opt/homebrew/sbin")
_NODE = "test@localhost"
# A node that others cannot reach needs neither a port for them nor the daemon (epmd) that knows such ports; without
# these flags it would be started, and outlive every test. Node names need not differ, so that data can be copied.
_ALONE = "-start_epmd false -erl_epmd_port 1 -dist_listen false"
_CONFIGURATION = """\
listeners.tcp.1 = {host}:{port}
log.file = false
log.console = true
log.console.level = warning
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 1MB
"""
# Virtual hosts cannot be made by AMQP. The command-line tool would start a virtual machine for each, and the plugin
# that speaks HTTP makes every start slow; so the node itself listens, at a file that only this user can reach.
_CONTROL = """\
spawn(fun() ->
    file:delete("{path}"),
    Here = {{ifaddr, {{local, "{path}"}}}},
    {{ok, Listening}} = gen_tcp:listen(0, [Here, binary, {{packet, line}}, {{active, false}}]),
    Serve = fun Serve() ->
        {{ok, Asking}} = gen_tcp:accept(Listening),
        {{ok, Line}} = gen_tcp:recv(Asking, 0),
        case string:split(string:trim(Line), " ") of
            [<<"add">>, Host] ->
                rabbit_vhost:add(Host, <<"test">>),
                All = <<".*">>,
                rabbit_auth_backend_internal:set_permissions(<<"guest">>, Host, All, All, All, <<"test">>);
            [<<"drop">>, Host] ->
                rabbit_vhost:delete(Host, <<"test">>);
            _ ->
                ok
        end,
        gen_tcp:send(Asking, <<"done">>),
        gen_tcp:close(Asking),
        Serve()
    end,
    Serve()
end).
"""


class RabbitMQServer(ServerProcess):
    """``rabbitmq-server`` without plugins on 127.0.0.1; ``url`` is ``amqp://guest:guest@127.0.0.1:PORT/%2F``.

    What was confirmed is on disk, so that it survives :meth:`kill`. ``options`` are further command line arguments, for
    example ``["-rabbit", "heartbeat", "1"]``. It needs Erlang/OTP 25 or newer.
    """

    name: ClassVar[str] = "rabbitmq"

    @classmethod
    def binary(cls) -> str | None:
        """Absolute path of ``rabbitmq-server``; ``None`` when it, or Erlang, is not installed."""
        return shutil.which("rabbitmq-server", path=os.pathsep.join(_PLACES)) if shutil.which("erl") else None

    def create_database(self) -> str:
        """The URL of a new virtual host with a random name; of a server given by URL, the one its URL names."""
        if not self.private:
            return self.url
        name = f"t_{uuid4().hex[:16]}"
        self._control(f"add {name}")
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def drop_database(self, url: str) -> None:
        """Remove the virtual host that ``url`` names, with its queues and connections; on a given server, nothing."""
        if self.private:
            self._control(f"drop {urlsplit(url).path[1:]}")

    def _prepare(self) -> None:
        self._lighten(Path(str(self.binary())).resolve().parents[1])
        made = template(self.name, str(Path(str(self.binary())).resolve()).encode(), self._install)
        shutil.copytree(made, self.directory / "data")

    def _lighten(self, home: Path) -> None:
        """Show the server a home without the plugins it will not use: it searches all of them for each module."""
        here = self.directory / "home"
        (here / "plugins").mkdir(parents=True)
        for name in ("sbin", "escript"):
            (here / name).symlink_to(home / name)
        for library in (home / "plugins").iterdir():
            if not library.name.startswith("rabbitmq_") or library.name.startswith("rabbitmq_prelaunch"):
                (here / "plugins" / library.name).symlink_to(library)

    def _install(self, folder: Path) -> None:
        """Let a server make its first data, which takes it longer than to start from it."""
        self.port = free_port()
        try:
            self.start()
        finally:
            self.stop()
        shutil.copytree(self.directory / "data", folder, dirs_exist_ok=True)
        shutil.rmtree(self.directory / "data")

    def _argv(self) -> list[str]:
        here = self.directory
        (here / "rabbitmq.conf").write_text(_CONFIGURATION.format(host=self.host, port=self.port))
        (here / "plugins").write_text("[].\n")
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(here),
            "LANG": "C.UTF-8",
            "ERL_AFLAGS": _ALONE,
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RABBITMQ_NODENAME": _NODE,
            "RABBITMQ_SCRIPTS_DIR": str(here / "home" / "sbin"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(here / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(here / "data"),
            "RABBITMQ_LOG_BASE": str(here / "log"),
            "RABBITMQ_PID_FILE": str(here / "pid"),
            # The script then becomes the server, instead of waiting for it; the input is refused again below.
            "RABBITMQ_ALLOW_INPUT": "1",
        }
        control = _CONTROL.format(path=self._socket)
        schedulers = ["+S", "2:2", "+B", "i"]
        own = [*schedulers, "-noinput", "-sname", _NODE, *self._options, "-eval", control]
        only = [f"{name}={value}" for name, value in environment.items()]
        return ["/usr/bin/env", "-i", *only, str(self.binary()), *own]

    @property
    def _socket(self) -> Path:
        return self.directory / "control"

    def _url(self) -> str:
        return f"amqp://guest:guest@{self.host}:{self.port}/%2F"

    def _answers(self) -> bool:
        # The first frame is of type 1, a method: Connection.Start. AMQP 0-9-1, section 4.2.
        return self._exchange(b"AMQP\x00\x00\x09\x01")[:1] == b"\x01" and self._asked("ping") == b"done"

    def _control(self, command: str) -> None:
        self._child()
        deadline = time.monotonic() + 20
        while self._asked(command) != b"done":
            if time.monotonic() > deadline:
                raise BackendUnavailable(f"the rabbitmq server did not do it: {command}\n{self.log()}")
            time.sleep(0.05)

    def _asked(self, command: str) -> bytes:
        try:
            with socket.socket(socket.AF_UNIX) as asking:
                asking.settimeout(20)
                asking.connect(str(self._socket))
                asking.sendall(command.encode() + b"\n")
                return asking.recv(16)
        except OSError:
            return b""
