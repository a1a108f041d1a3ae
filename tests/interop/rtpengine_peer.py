"""rtpengine in front of a telephone: a media proxy in user space, told what to do by its control protocol (ng)."""

from __future__ import annotations

import random
import re
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.interop.process import Process, program_of
from tests.interop.raw_phone import RawPhone
from voicegw.testing.ports import free_port, free_ports

_START_S = 30.0
_PORTS = 80


def bencoded(value: Any) -> bytes:
    """Strings, lists and dictionaries, as the control protocol writes them."""
    match value:
        case str():
            text = value.encode("latin-1")
            return f"{len(text)}:".encode() + text
        case list():
            return b"l" + b"".join(map(bencoded, value)) + b"e"
        case dict():
            return b"d" + b"".join(bencoded(key) + bencoded(value[key]) for key in sorted(value)) + b"e"
    raise TypeError(type(value))


class Rtpengine:
    """A running rtpengine on loopback. Leaving the ``with`` block stops it."""

    def __init__(self, work: Path) -> None:
        self._control = ("127.0.0.1", free_port())
        first = free_ports(_PORTS)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(1.0)
        self._args = [
            program_of("rtpengine", "rtpengine-daemon"),
            "--config-file=none",
            "--table=-1",
            "--foreground",
            "--log-stderr",
            "--interface=127.0.0.1",
            f"--listen-ng={self._control[0]}:{self._control[1]}",
            f"--listen-cli={self._control[0]}:{free_port()}",
            f"--port-min={first}",
            f"--port-max={first + _PORTS - 1}",
            "--num-threads=1",
        ]
        self._log = work / "rtpengine.log"

    def __enter__(self) -> Self:
        self.process = Process(self._args, self._log)
        deadline = time.monotonic() + _START_S
        while b"pong" not in self._asked({"command": "ping"}):
            assert time.monotonic() < deadline, self.process.output
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        if self.process.running:
            self.process.stop()

    def rewritten(self, **order: Any) -> str:
        """The description that an ``offer`` or an ``answer`` becomes."""
        answer = self._asked(order).decode("latin-1")
        found = re.search(r"3:sdp(\d+):", answer)
        assert found, f"{answer}\n{self.process.output}"
        return answer[found.end() : found.end() + int(found.group(1))]

    def _asked(self, order: dict[str, Any]) -> bytes:
        """Its answer. What is asked again with the same cookie is not done again."""
        cookie = f"{random.getrandbits(48):x} ".encode()
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            assert self.process.running, self.process.output
            try:
                self._socket.sendto(cookie + bencoded(order), self._control)
                while not (answer := self._socket.recv(16384)).startswith(cookie):
                    continue
                return answer
            except (TimeoutError, ConnectionRefusedError):
                time.sleep(0.05)
        return b""


class ProxiedPhone(RawPhone):
    """A telephone of plain µ-law; ``outside`` says what rtpengine makes of that for the server."""

    def __init__(self, server: tuple[str, int], proxy: Rtpengine, **outside: Any) -> None:
        super().__init__(server)
        self._proxy = proxy
        self._outside = outside

    def sdp(self) -> str:
        """What rtpengine offers for us."""
        ids = {"call-id": self.call_id, "from-tag": self._tag}
        return self._proxy.rewritten(command="offer", sdp=super().sdp(), ICE="remove", **ids, **self._outside)

    def _place_in(self, text: str) -> tuple[str, int]:
        """Where rtpengine takes our audio."""
        head, _, body = text.partition("\r\n\r\n")
        to_tag = re.search(r"^To:.*;tag=([^;\s]+)", head, re.MULTILINE | re.IGNORECASE)
        assert to_tag
        ids = {"call-id": self.call_id, "from-tag": self._tag, "to-tag": to_tag.group(1)}
        inside = {"transport-protocol": "RTP/AVP"}
        return super()._place_in(self._proxy.rewritten(command="answer", sdp=body, ICE="remove", **ids, **inside))
