"""Whether the server in this container answers SIP: a real OPTIONS to its socket, by the standard library alone.

Any final answer is a sign of life, a 503 too: a server that drains must not be restarted. Usage: healthcheck.py
[HOST [PORT]], 127.0.0.1 and 5060 if left out, or VOICEGW_SIP of the environment as HOST:PORT.
"""

import os
import socket
import sys

PATIENCE_S = 3.0


def answers(host: str, port: int) -> bool:
    """Send an OPTIONS and wait for what comes."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as phone:
        phone.settimeout(PATIENCE_S)
        phone.connect((host, port))
        here, mine = phone.getsockname()[:2]
        here = f"[{here}]" if ":" in here else here
        mark = os.urandom(8).hex()
        lines = [
            f"OPTIONS sip:health@{here}:{port} SIP/2.0",
            f"Via: SIP/2.0/UDP {here}:{mine};branch=z9hG4bK{mark};rport",
            "Max-Forwards: 70",
            f"From: <sip:health@{here}>;tag={mark}",
            f"To: <sip:health@{here}>",
            f"Call-ID: {mark}",
            "CSeq: 1 OPTIONS",
            "Content-Length: 0",
        ]
        try:
            phone.send("\r\n".join([*lines, "", ""]).encode())
            return phone.recv(4096).startswith(b"SIP/2.0 ")
        except OSError:
            return False


def main() -> int:
    """0 is alive, 1 is not."""
    place = sys.argv[1:3] or os.environ.get("VOICEGW_SIP", "127.0.0.1:5060").rsplit(":", 1)
    host, port = place if len(place) == 2 else (place[0], "5060")
    return 0 if answers(host.strip("[]"), int(port)) else 1


if __name__ == "__main__":
    sys.exit(main())
