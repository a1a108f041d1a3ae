"""Exit with 0 as soon as HOST:PORT answers an OPTIONS with 200, with 1 if it does not within SECONDS.

A program and not a function, because the server may live in another network namespace.
"""

from __future__ import annotations

import socket
import sys
import time

_RETRY_S = 0.1
_PING = (
    "OPTIONS sip:{host}:{port} SIP/2.0\r\n"
    "Via: SIP/2.0/UDP {host}:{own};branch=z9hG4bK-ping-{number};rport\r\n"
    "Max-Forwards: 70\r\n"
    "From: <sip:ping@{host}>;tag=ping\r\n"
    "To: <sip:{host}>\r\n"
    "Call-ID: ping-{number}@{host}\r\n"
    "CSeq: 1 OPTIONS\r\n"
    "Content-Length: 0\r\n\r\n"
)


def ping(host: str, port: int, seconds: float) -> bool:
    """Whether a 200 came in time. Each try is a new request: what was sent before the server listened is lost."""
    deadline = time.monotonic() + seconds
    number = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.bind((host, 0))
        endpoint.connect((host, port))
        endpoint.settimeout(_RETRY_S)
        own = endpoint.getsockname()[1]
        while time.monotonic() < deadline:
            number += 1
            try:
                endpoint.send(_PING.format(host=host, port=port, own=own, number=number).encode())
                if endpoint.recv(65536).startswith(b"SIP/2.0 200 "):
                    return True
            except TimeoutError:
                continue
            except ConnectionRefusedError:  # nobody is bound to the port yet
                time.sleep(_RETRY_S)
    return False


if __name__ == "__main__":
    sys.exit(0 if ping(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])) else 1)
