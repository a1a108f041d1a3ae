"""``openssl s_client`` as a peer that shows its handshake: what it was told, and SIP by hand over it."""

from __future__ import annotations

import subprocess
import threading
import time
from types import TracebackType
from typing import Self

_POLL_S = 0.02
_END_S = 30.0
_OPTIONS = (
    "OPTIONS sip:demo@127.0.0.1 SIP/2.0\r\n"
    "Via: SIP/2.0/TLS 127.0.0.1:5999;rport;branch=z9hG4bK{number}\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:openssl@127.0.0.1>;tag=o\r\nTo: <sip:demo@127.0.0.1>\r\n"
    "Call-ID: openssl-{number}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


class OpensslClient:
    """One connection; ``options`` are s_client's own."""

    def __init__(self, port: int, ca: str, name: str, *options: str) -> None:
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", name, "-verify_hostname"]
        command += [name, "-verify_return_error", "-CAfile", ca, "-nocommands", "-ign_eof", *options]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.output = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._number = 0

    def _read(self) -> None:
        assert self._process.stdout is not None
        while data := self._process.stdout.read1(65_536):
            self.output += data.decode("latin-1")

    def is_answered(self, within_s: float = 30.0) -> bool:
        """Send OPTIONS; whether 200 came before the connection ended."""
        assert self._process.stdin is not None
        self._number += 1
        number = f"{self._process.pid}x{self._number}"
        try:
            self._process.stdin.write(_OPTIONS.format(number=number).encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            return self._ended(number)
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if self._has(number):
                return True
            if self._process.poll() is not None:
                return self._ended(number)
            time.sleep(_POLL_S)
        return False

    def _has(self, number: str) -> bool:
        return f"openssl-{number}" in self.output.rpartition("SIP/2.0 200")[2]

    def _ended(self, number: str) -> bool:
        """The same once all is there that it said."""
        self._process.wait(_END_S)
        self._reader.join()
        return self._has(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
