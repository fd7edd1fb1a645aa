"""Say hello to a port of this host, and fail unless the answer holds a text: PORT BASE64 TEXT."""

from __future__ import annotations

import base64
import socket
import sys


def main() -> int:
    """Talk once."""
    hello = b"" if sys.argv[2] == "=" else base64.b64decode(sys.argv[2])
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20) as sock:
        if not sys.argv[3]:
            return 0
        sock.sendall(hello)
        answer = sock.recv(4096)
    print(answer)
    return 0 if sys.argv[3].encode() in answer else 1


sys.exit(main())
