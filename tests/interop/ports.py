"""Ports that are free now, so that tests can run beside one another."""

from __future__ import annotations

import socket

_TRIES = 200


def free_udp_port(host: str = "127.0.0.1") -> int:
    """A UDP port that nothing is bound to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def free_tcp_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nothing is bound to."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def free_sip_port(host: str = "127.0.0.1") -> int:
    """A port that is free for UDP and for TCP: SIP takes both (RFC 3261 §18.2.1)."""
    for _ in range(_TRIES):
        port = free_udp_port(host)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no port is free for UDP and TCP on {host}")


def free_udp_range(size: int, host: str = "127.0.0.1") -> int:
    """The even first port of ``size`` free UDP ports in a row (RTP takes even ports, RFC 3550 §11)."""
    for _ in range(_TRIES):
        first = free_udp_port(host) & ~1
        if first + size < 65536 and all(is_free(host, port) for port in range(first, first + size)):
            return first
    raise RuntimeError(f"no {size} free UDP ports in a row on {host}")


def is_free(host: str, port: int) -> bool:
    """Whether nothing is bound to a UDP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
