"""Print whether HOST:PORT answers an OPTIONS of SOURCE that says AGENT: "answers" or "silence".

Silence is what has not come when a WITNESS has its answer to an OPTIONS that was sent later: a server reads both in
the order in which they come. A program, because it has to run in a network namespace.
"""

from __future__ import annotations

import socket
import sys
import time

_PATIENCE_S = 30.0
_TRY_S = 1.0
_PING = (
    "OPTIONS sip:{host}:{port} SIP/2.0\r\n"
    "Via: SIP/2.0/UDP {source};branch=z9hG4bK-{number};rport\r\n"
    "Max-Forwards: 70\r\n"
    "From: <sip:scan@{host}>;tag=scan\r\n"
    "To: <sip:{host}>\r\n"
    "Call-ID: {number}@{source}\r\n"
    "CSeq: 1 OPTIONS\r\n"
    "User-Agent: {agent}\r\n"
    "Content-Length: 0\r\n\r\n"
)


class Asker:
    """Asks from one address."""

    def __init__(self, source: str, agent: str, server: tuple[str, int]) -> None:
        self._endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._endpoint.bind((source, 0))
        self._endpoint.connect(server)
        self._endpoint.settimeout(_TRY_S)
        self._source, self._agent, self._server = source, agent, server

    def ask(self) -> None:
        """Send one."""
        host, port = self._server
        number = time.monotonic_ns()
        text = _PING.format(host=host, port=port, source=self._source, number=number, agent=self._agent)
        self._endpoint.send(text.encode())

    def is_answered(self) -> bool:
        """Whether a 200 is there, or comes within a moment."""
        try:
            return self._endpoint.recv(65536).startswith(b"SIP/2.0 200 ")
        except TimeoutError:
            return False


def main(source: str, agent: str, witness: str, host: str, port: int) -> str:
    """As above; "nobody" where not even the witness is answered."""
    asking, seeing = Asker(source, agent, (host, port)), Asker(witness, "witness", (host, port))
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        asking.ask()
        seeing.ask()
        if seeing.is_answered():
            return "answers" if asking.is_answered() else "silence"
    return "nobody"


if __name__ == "__main__":
    print(main(*sys.argv[1:5], int(sys.argv[5])))
