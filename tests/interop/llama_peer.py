"""llama.cpp's server as a peer, in a process and an environment of its own."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.interop.process import Process

_PYTHON = Path(sys.prefix) / "peers" / "llama" / "bin" / "python"
_DRIVER = Path(__file__).with_name("llama_driver.py")
_START_S = 60.0
TOOL_CALL_TOKEN = 258
"""The special token with which the tiny model begins a tool call; see llama_driver.py."""


class LlamaServer:
    """A tiny random model behind the real server, which does one answer at a time."""

    def __init__(self, work: Path) -> None:
        assert _PYTHON.exists(), "llama.cpp is missing: scripts/test installs it"
        work.mkdir(parents=True, exist_ok=True)
        self.process = Process([str(_PYTHON), str(_DRIVER), str(work)], work / "llama.log")
        try:
            self._address = self._ready()
        except BaseException:
            self.process.kill()
            raise

    @property
    def base_url(self) -> str:
        return f"{self._address}/v1"

    def wait_idle(self, timeout_s: float) -> bool:
        """Whether the server stops working on any answer within ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while any(slot["is_processing"] for slot in httpx.get(f"{self._address}/slots").json()):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _ready(self) -> str:
        deadline = time.monotonic() + _START_S
        while True:
            for line in self.process.output.splitlines():
                if line.startswith("ready "):
                    return line.split()[1]
            assert self.process.running and time.monotonic() < deadline, self.process.output
            time.sleep(0.02)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.running:
            self.process.kill()
