"""Exit with 0 if the web process beside says that it is ready; of few imports, as it is run each second."""

import socket
import sys

with socket.create_connection(("127.0.0.1", 8000), timeout=4) as asked:
    asked.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
    sys.exit(b" 200 " not in asked.recv(64))
