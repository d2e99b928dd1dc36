"""The sockets of a server, bound before anything else is opened: what is taken is told at once."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

from ..errors import ConfigurationError

# unix(7): sun_path has 108 bytes, of which the last is zero.
_LONGEST = 107


def bound(host: str, port: int) -> list[socket.socket]:
    """Sockets bound to each address of ``host``, not listening yet; :class:`ConfigurationError` says why not."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigurationError(f"--host {host}: there is no such host ({error.strerror or error})") from error
    opened: list[socket.socket] = []
    with contextlib.ExitStack() as failed:
        for family, address in dict.fromkeys((one[0], one[4]) for one in found):
            here = failed.enter_context(socket.socket(family, socket.SOCK_STREAM))
            here.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                here.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                here.bind(address)
            except OSError as error:
                raise refused(error, host, port) from error
            opened.append(here)
        failed.pop_all()
    return opened


def refused(error: OSError, host: str, port: int) -> ConfigurationError:
    """Why ``host`` and ``port`` are not to be had, and what to do."""
    place = f"port {port} of {host}"
    if error.errno == errno.EADDRINUSE:
        return ConfigurationError(f"{place} is taken: end what listens there, or choose another by --port")
    if error.errno == errno.EACCES:
        return ConfigurationError(f"{place} needs rights that this user has not: choose one from 1024 on by --port")
    if error.errno == errno.EADDRNOTAVAIL:
        return ConfigurationError(f"--host {host} is no address of this machine: 0.0.0.0 and :: are all of them")
    return ConfigurationError(f"{place} cannot be listened to: {error.strerror}")


def bound_to_path(path: Path) -> socket.socket:
    """A Unix socket at ``path``; one that a process left there, and nobody listens at, is replaced.

    Whoever may enter its directory may connect: the proxy runs as another user.
    """
    if len(os.fsencode(path)) > _LONGEST:
        raise ConfigurationError(f"--uds {path}: the path of a Unix socket has {_LONGEST} bytes at most")
    here = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_left_over(path)
        here.bind(str(path))
        path.chmod(0o666)
    except OSError as error:
        here.close()
        raise ConfigurationError(f"--uds {path} cannot be made: {error.strerror}") from error
    except BaseException:
        here.close()
        raise
    return here


def remove(path: Path, own: os.stat_result) -> None:
    """Take a Unix socket away that is still the ``own`` one: another process may have taken its place by now."""
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(path.lstat(), own):
            path.unlink()


def _remove_left_over(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigurationError(f"--uds {path} is there, and is no socket: choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(1.0)
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        else:
            raise ConfigurationError(f"--uds {path} is taken: end what listens there, or choose another path")
