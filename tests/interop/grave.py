"""Where a node was that is dead: a socket at its address that answers nothing, and knows the calls that came.

As a program (:func:`main`) it says "here", and then answers each line with the Call-IDs of the INVITEs so far.
"""

from __future__ import annotations

import re
import socket
import sys
import threading
from types import TracebackType
from typing import Self

from tests.interop.forked_program import ForkedProgram
from tests.interop.namespace import Namespace

_CALL_ID = re.compile(rb"^Call-ID\s*:\s*(\S+)", re.MULTILINE | re.IGNORECASE)
_LOOK_S = 0.1


class Grave:
    """Bound while the ``with`` block lasts. ``calls``: Call-IDs; copies of an INVITE count once."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self._socket.settimeout(_LOOK_S)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self.calls: frozenset[str] = frozenset()

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                continue
            found = _CALL_ID.search(data)
            if data.startswith(b"INVITE ") and found:
                self.calls |= {found.group(1).decode()}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()


class FarGrave(ForkedProgram):
    """The same in another namespace."""

    def __init__(self, namespace: Namespace, port: int) -> None:
        super().__init__(__name__, namespace.address, str(port), namespace=namespace)
        assert self.read() == "here", "the port is not free"

    @property
    def calls(self) -> frozenset[str]:
        """The Call-IDs so far."""
        return frozenset(self.ask("calls").split())


def main(host: str, port: str) -> None:
    """Until standard input ends."""
    with Grave(host, int(port)) as grave:
        print("here", flush=True)
        for _ in sys.stdin:
            print(*grave.calls, flush=True)
