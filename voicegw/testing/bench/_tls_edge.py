"""TLS for sipp, which has none in Debian: stunnel between it and the server, as an edge of its own would be."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from voicegw.base.errors import LocalError

_OPEN_S: Final = 10.0
_RETRY_S: Final = 0.02


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of its own for 127.0.0.1 with its key, both of P-256, as files in ``folder``."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    args += ["-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [_program("openssl", "openssl"), *args, "-out", str(certificate), "-keyout", str(key)],
        check=True,
        capture_output=True,
    )
    return certificate, key


class TlsEdge:
    """Takes TCP on ``address`` and carries it to ``target`` (HOST:PORT) by TLS."""

    def __init__(self, target: str) -> None:
        program = _program("stunnel", "stunnel4")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        self._folder = tempfile.TemporaryDirectory()
        config = Path(self._folder.name) / "stunnel.conf"
        service = f"[sip]\nclient = yes\naccept = {self.address}\nconnect = {target}\n"
        config.write_text(f"foreground = quiet\nsyslog = no\npid =\ndebug = err\n{service}")
        self._process = subprocess.Popen([program, str(config)], stderr=subprocess.DEVNULL)
        self._await(port)

    def _await(self, port: int) -> None:
        deadline = time.monotonic() + _OPEN_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                time.sleep(_RETRY_S)
            else:
                return
        self.close()
        raise LocalError("stunnel did not start")

    def close(self) -> None:
        """Stop."""
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise LocalError(f"{name} is missing (Debian package {package})")
    return found
