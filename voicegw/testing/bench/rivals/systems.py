"""The systems as a caller reaches them: each in processes of its own, started and stopped by the bench."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final, Protocol, Self

from voicegw.base.errors import LocalError
from voicegw.testing.bench._ending import unwind_at_sigterm
from voicegw.testing.bench._node import NodeProcess
from voicegw.testing.bench._wire import WireMedia, WirePhone
from voicegw.testing.bench.rivals.environment import Environment
from voicegw.testing.bench.rivals.line import Line, RtpLine
from voicegw.testing.bench.rivals.twilio_line import TwilioLine
from voicegw.testing.bench.rivals.work import Work

_START_S: Final = 60.0
_STOP_S: Final = 5.0
_POLL_S: Final = 0.05
_ANSWER_S: Final = 10.0
_HOST: Final = "127.0.0.1"
PIPECAT: Final = Environment("pipecat")
LIVEKIT: Final = Environment("livekit")
_OURS_FAST: Final = {"endpointing": dict.fromkeys(("shortest_ms", "longest_ms", "complete_ms"), 250)}
"""As short a silence as the rivals' fast rows wait for; replies are prepared meanwhile, as by default."""


class System(AbstractAsyncContextManager["System"], Protocol):
    """Entering starts it and waits until it answers; leaving ends it."""

    @property
    def pid(self) -> int:
        """The process from which all its others descend."""
        ...

    async def dial(self, number: int) -> Line:
        """A call, answered; raises VoicegwError or OSError."""
        ...


class Voicegw:
    """voicegw over SIP and RTP, with its defaults but for ``sections``."""

    def __init__(self, home: Path, sections: Mapping[str, Mapping[str, object]] | None = None) -> None:
        self._node = NodeProcess(home, sections, ("-m", "voicegw.testing.bench.rivals.house"))
        self._phone = WirePhone()

    @property
    def pid(self) -> int:
        """The gateway; its media worker is a child."""
        return self._node.pid

    async def __aenter__(self) -> Self:
        await self._node.__aenter__()
        await self._phone.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self._phone.__aexit__(*details)
        await self._node.__aexit__(*details)

    async def dial(self, number: int) -> Line:
        """INVITE, and wait for the answer."""
        call = await self._phone.dial(self._node.uri("demo"), f"sip:{number}@{_HOST}")
        return RtpLine(call.media, call.hang_up, lambda: call.over)


class Driver:
    """A rival's driver as a process: its own interpreter, our script, and the port that it prints."""

    def __init__(self, environment: Environment, profile: str, work: Work, log: Path) -> None:
        self._command = [str(environment.python), str(environment.driver)]
        self._command += ["--profile", profile, "--work", work.json()]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start and wait for the port; raises LocalError with what it printed instead."""
        unwind_at_sigterm()
        self._process = self._spawn()
        for _ in range(int(_START_S / _POLL_S)):
            for line in self._printed().splitlines():
                if line.startswith("ready "):
                    self.port = int(line.split()[1])
                    return
            if self._process.poll() is not None:
                break
            await asyncio.sleep(_POLL_S)
        await self.stop()
        raise LocalError(f"it did not start: {self._printed()[-2000:]}")

    async def stop(self) -> None:
        """SIGTERM; killed if that is not enough."""
        process = self._process
        assert process is not None
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, _STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            return subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _printed(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")


class _Driven:
    """A system that a :class:`Driver` runs."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @property
    def pid(self) -> int:
        """The driver's process."""
        return self._driver.pid

    async def __aenter__(self) -> Self:
        await self._driver.start()
        return self

    async def __aexit__(self, *_details: object) -> None:
        await self._driver.stop()


class Pipecat(_Driven):
    """Pipecat behind a Twilio media stream."""

    async def dial(self, number: int) -> Line:
        """Connect as the telephone network does."""
        return await TwilioLine.dial(_HOST, self._driver.port, "/ws", number)


class LiveKit(_Driven):
    """LiveKit Agents behind an RTP port for each call."""

    async def dial(self, number: int) -> Line:
        """Exchange ports; the connection stands for the call."""
        reader, writer = await asyncio.open_connection(_HOST, self._driver.port)
        media = WireMedia(_HOST)
        writer.write(f"{media.port}\n".encode())
        async with asyncio.timeout(_ANSWER_S):
            answer = await reader.readline()
        if not answer:
            raise LocalError(f"call {number} was not answered")
        media.start(_HOST, int(answer))

        async def hang_up() -> None:
            media.close()
            writer.close()

        return RtpLine(media, hang_up, reader.at_eof)


def makers(home: Path, work: Work) -> dict[str, Callable[[], System]]:
    """All systems by the names of their rows; each writes to ``home`` only."""

    def pipecat(profile: str) -> Callable[[], System]:
        return lambda: Pipecat(Driver(PIPECAT, profile, work, home / f"pipecat-{profile}.log"))

    def livekit(profile: str) -> Callable[[], System]:
        return lambda: LiveKit(Driver(LIVEKIT, profile, work, home / f"livekit-{profile}.log"))

    return {
        "voicegw": lambda: Voicegw(home / "voicegw"),
        "voicegw-fast": lambda: Voicegw(home / "voicegw-fast", _OURS_FAST),
        "pipecat": pipecat("default"),
        "pipecat-fast": pipecat("fast"),
        "livekit": livekit("default"),
        "livekit-fast": livekit("fast"),
    }
