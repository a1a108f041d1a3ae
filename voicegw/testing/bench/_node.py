"""A server in a process of its own, ``voicegw serve`` as it ships or another, with a folder to write to."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import yaml

from voicegw.base.errors import LocalError
from voicegw.call.facts import CallWasOffered, Entry
from voicegw.storage.event_log import read_log
from voicegw.testing.bench._ending import unwind_at_sigterm
from voicegw.testing.ports import free_port

RTP_PORTS: Final = (24000, 25999)
PHONE_RTP_PORTS: Final = (26000, 27999)
_RUN: Final = "import sys; from voicegw.cli.main import main; sys.exit(main())"
_READY: Final = '"voicegw answers"'
_START_S: Final = 60.0
_STOP_S: Final = 60.0
_POLL_S: Final = 0.05


class NodeProcess:
    """Entering starts the server and waits until it answers; leaving stops it by SIGTERM and waits for its end.

    It is left, too, when we are told to end ourselves.
    """

    def __init__(
        self,
        home: Path,
        sections: Mapping[str, Mapping[str, object]] | None = None,
        program: Sequence[str] = ("-c", _RUN, "serve"),
        *,
        environment: Mapping[str, str] | None = None,
        core: int = -1,
    ) -> None:
        """``sections`` are laid over the bench's own: loopback, a free SIP port, everything in ``home``.

        ``program`` is what Python runs; ``--config FILE`` is appended. ``core``: the only processor that the server
        and its workers have; -1: all.
        """
        self.host, self.port = "127.0.0.1", free_port()
        self.calls = home / "calls"
        self.recordings = home / "recordings"
        self._log = home / "node.log"
        self._config = home / "voicegw.yaml"
        self._program = program
        self._environment = environment
        self._core = core
        own: dict[str, dict[str, object]] = {
            "sip": {"listen_ip": self.host, "listen_port": self.port},
            "media": {"port_low": RTP_PORTS[0], "port_high": RTP_PORTS[1]},
            "paths": {"calls": str(self.calls), "recordings": str(self.recordings), "cache": str(home / "cache")},
            "log": {"level": "info", "format": "json"},
            "api": {"enabled": False},
            "limits": {"drain_s": 5.0},
        }
        for name, values in (sections or {}).items():
            own[name] = {**own.get(name, {}), **values}
        home.mkdir(parents=True, exist_ok=True)
        self._config.write_text(yaml.safe_dump(own), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The gateway's process id."""
        assert self._process is not None
        return self._process.pid

    def uri(self, called: str) -> str:
        """What a phone dials."""
        return f"sip:{called}@{self.host}:{self.port}"

    @property
    def output(self) -> str:
        """Everything that it logged."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def complaints(self) -> Counter[str]:
        """What it logged as a warning or worse, and lines that are no log lines at all, such as tracebacks."""
        found: Counter[str] = Counter()
        for line in self.output.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                found[line] += 1
                continue
            if entry["level"] not in ("debug", "info"):
                found[f"{entry['level']}: {entry['msg']}"] += 1
        return found

    def logs(self) -> dict[str, list[Entry]]:
        """The facts of each call by its calling number; complete when the node has stopped."""
        found: dict[str, list[Entry]] = {}
        for path in self.calls.glob("*.jsonl"):
            entries = list(read_log(path))
            offered = [entry.data for entry in entries if isinstance(entry.data, CallWasOffered)]
            if offered:
                found[offered[0].calling] = entries
        return found

    async def __aenter__(self) -> Self:
        unwind_at_sigterm()
        self._process = self._spawn()
        for _ in range(int(_START_S / _POLL_S)):
            if _READY in self.output:
                return self
            if self._process.poll() is not None:
                break
            await asyncio.sleep(_POLL_S)
        await self.stop()
        raise LocalError(f"the server did not start: {self.output[-2000:]}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        pinned = ["taskset", "-c", str(self._core)] if self._core >= 0 else []
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [*pinned, sys.executable, *self._program, "--config", str(self._config)],
                stdin=subprocess.DEVNULL,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )

    async def __aexit__(self, *_details: object) -> None:
        await self.stop()

    async def stop(self) -> int:
        """SIGTERM, and its exit status; killed if it does not end within a minute."""
        process = self._process
        assert process is not None
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
        try:
            return await asyncio.to_thread(process.wait, _STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
