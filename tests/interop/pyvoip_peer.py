"""pyVoIP as a peer, in a process and an environment of its own (it is GPL-3 and is never imported here)."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from tests.interop.process import Process
from tests.interop.sound import Samples
from voicegw.testing.ports import free_port, free_ports

_PYTHON = Path(sys.prefix) / "peers" / "pyvoip" / "bin" / "python"
_DRIVER = Path(__file__).with_name("pyvoip_driver.py")
_MARGIN_S = 60.0


class PyVoip:
    """One call, placed (``mode`` "call") or answered ("answer"), of at most ``seconds``.

    pyVoIP sends every response and every in-dialog request to ``server``, wherever the call came from.
    """

    def __init__(
        self,
        work: Path,
        mode: str,
        server: tuple[str, int],
        speech: Samples,
        *,
        seconds: float,
        number: str = "demo",
    ) -> None:
        assert _PYTHON.exists(), "pyVoIP is missing: scripts/test installs it"
        home = work / f"pyvoip-{free_port()}"
        home.mkdir(parents=True)
        self.port = free_port()
        self._seconds = seconds
        self._heard = home / "heard.u8"
        (home / "speech.u8").write_bytes(bytes(((speech.astype(np.int32) >> 8) + 128).astype(np.uint8)))
        addresses = [server[0], str(server[1]), "127.0.0.1", str(self.port), str(free_ports(2))]
        files = [str(seconds), str(home / "speech.u8"), str(self._heard)]
        args = [str(_PYTHON), str(_DRIVER), mode, *addresses, *files, *([number] if mode == "call" else [])]
        self.process = Process(args, home / "driver.log")

    def ready(self) -> None:
        """Wait until it can be called (mode "answer")."""
        deadline = time.monotonic() + _MARGIN_S
        while "ready" not in self.process.output:
            assert self.process.running and time.monotonic() < deadline, self.process.output
            time.sleep(0.02)

    def result(self) -> dict[str, bool]:
        """Wait for the end of the call: {"answered": …, "ended_by_peer": …}."""
        status = self.process.wait(self._seconds + _MARGIN_S)
        assert status == 0, f"pyVoIP ended with {status}\n{self.process.output}"
        verdict: dict[str, bool] = json.loads(self.process.output.strip().splitlines()[-1])
        return verdict

    def heard(self) -> Samples:
        """What it received, from the first packet on; 8 bits fine."""
        data = np.frombuffer(self._heard.read_bytes(), dtype=np.uint8)
        return ((data.astype(np.int32) - 128) << 8).astype(np.int16)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.running:
            self.process.kill()
