"""A flood of INVITEs from hundreds of unknown addresses, and a caller who knocks when it is over.

Run as a process of its own, so that its work is not counted as the server's: ``HOST:PORT RATE SECONDS``; prints one
JSON line. Nothing that comes back is read but by the caller at the end, who is one more stranger.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Sequence
from typing import Final

_SOURCES: Final = 250
_PAUSE_S: Final = 0.002
_KNOCK_EVERY_S: Final = 0.1
_PATIENCE_S: Final = 10.0
_BODY: Final = b"v=0\r\no=f 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"


def invite(server: str, host: str, port: int, number: int) -> bytes:
    """An INVITE like a dialer's, different in each copy."""
    head = (
        f"INVITE sip:{number % 10000:04}@{server} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number};rport\r\n"
        f"From: <sip:{number}@{host}>;tag={number}\r\nTo: <sip:{number % 10000:04}@{server}>\r\n"
        f"Call-ID: {number}@{host}\r\nCSeq: 1 INVITE\r\nContact: <sip:{host}:{port}>\r\nMax-Forwards: 70\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(_BODY)}\r\n\r\n"
    )
    return head.encode() + _BODY


def flood(server: tuple[str, int], rate: int, seconds: float) -> int:
    """Send; returns how many left."""
    sockets = []
    for number in range(_SOURCES):
        endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        endpoint.bind((f"127.66.0.{number + 1}", 0))
        endpoint.setblocking(False)
        sockets.append((endpoint, *endpoint.getsockname()))
    name, sent = f"{server[0]}:{server[1]}", 0
    start = time.monotonic()
    while (passed := time.monotonic() - start) < seconds:
        while sent < passed * rate:
            endpoint, host, port = sockets[sent % _SOURCES]
            endpoint.sendto(invite(name, host, port, sent), server)
            sent += 1
        time.sleep(_PAUSE_S)
    for endpoint, _, _ in sockets:
        endpoint.close()
    return sent


def knock(server: tuple[str, int]) -> float:
    """Seconds until a stranger's INVITE is answered 200; it calls again every 100 ms. Infinity if never."""
    start = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.bind(("127.77.0.1", 0))
        endpoint.settimeout(_KNOCK_EVERY_S)
        host, port = endpoint.getsockname()
        number = 10_000_000
        while time.monotonic() - start < _PATIENCE_S:
            number += 1
            endpoint.sendto(invite(f"{server[0]}:{server[1]}", host, port, number), server)
            try:
                while not endpoint.recv(4096).startswith(b"SIP/2.0 200"):
                    pass
            except TimeoutError:
                continue
            return time.monotonic() - start
    return float("inf")


def main(argv: Sequence[str]) -> int:
    host, _, port = argv[0].partition(":")
    server = (host, int(port))
    sent = flood(server, int(argv[1]), float(argv[2]))
    sys.stdout.write(json.dumps({"sent": sent, "recovered_s": knock(server)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
