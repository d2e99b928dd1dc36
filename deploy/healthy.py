"""Whether this container's web process is ready for requests: exit status 0 where ``/readyz`` answers 200, else 1.

Docker asks every few seconds, so nothing is imported that is not needed: run it by ``python -I -S``.
"""

import socket
import sys

ADDRESS = ("127.0.0.1", 8000)
PATIENCE = 5.0


def ready() -> bool:
    """What the process says of itself; raises :class:`OSError` where nothing listens, or says anything in time."""
    with socket.create_connection(ADDRESS, PATIENCE) as server:
        server.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return server.recv(64).split(b" ")[1:2] == [b"200"]


if __name__ == "__main__":
    try:
        sys.exit(not ready())
    except OSError as error:
        sys.exit(str(error))
