"""The media worker as a process: real sockets, a real clock, and its death."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.media import messages as m
from voicegw.media.client import MediaClient
from voicegw.media.config import MediaConfig
from voicegw.rtp.packet import RtpPacket
from voicegw.server_media_start import command_line

pytestmark = pytest.mark.realtime
LEG, CALL = LegId("leg"), CallId("call")
CONFIG = MediaConfig(max_legs=8, port_low=40000, port_high=40999, draining_s=0.2)


class Gateway:
    """A client with what it was told."""

    def __init__(self) -> None:
        self.events: list[m.Event] = []
        self.lost: list[str] = []
        self._changed = asyncio.Event()
        line = command_line(CONFIG, vad=False, log_level="error")
        self.client = MediaClient(line, self._take, self._lose)

    def _take(self, event: m.Event) -> None:
        self.events.append(event)
        self._changed.set()

    def _lose(self, reason: str) -> None:
        self.lost.append(reason)
        self._changed.set()

    async def until(self, true: Callable[[], bool], limit_s: float = 10.0) -> None:
        """Wait for the events that make it true."""
        async with asyncio.timeout(limit_s):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    def has(self, kind: type[m.Event]) -> bool:
        return any(isinstance(event, kind) for event in self.events)


@asynccontextmanager
async def gateway(kind: type[Gateway] = Gateway) -> AsyncIterator[Gateway]:
    made = kind()
    await made.client.start()
    try:
        yield made
    finally:
        await made.client.close()


def run(scenario: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(scenario())


async def hear(sock: socket.socket, packets: int) -> list[RtpPacket]:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(30):
        return [RtpPacket.parse(await loop.sock_recv(sock, 2000)) for _ in range(packets)]


def is_gone(pid: int) -> bool:
    """Dead and reaped."""
    return not Path(f"/proc/{pid}").exists()


def phone() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def configure(sock: socket.socket) -> m.ConfigureLeg:
    return m.ConfigureLeg(LEG, "127.0.0.1", sock.getsockname()[1], "PCMU", 0)


def test_a_call_on_loopback(tmp_path: Path) -> None:
    path = str(tmp_path / "call.wav")

    async def scenario() -> None:
        async with gateway() as gw:
            with phone() as sock:
                port = await gw.client.open_leg(LEG, CALL, "127.0.0.1")
                gw.client.send(configure(sock))
                gw.client.send(
                    m.SetMix(CALL, (("agent", LEG, 1.0), (LEG, "agent_ear", 1.0), ("agent", "rec_out", 1.0)))
                )
                gw.client.send(m.StartRecording(CALL, path))
                gw.client.send(m.QueueAudio(CALL, UtteranceId("u"), b"\x00\x20" * 1600, final=True))
                sock.sendto(RtpPacket(0, 1, 2, 3, bytes(160)).to_bytes(), ("127.0.0.1", port))
                packets = await hear(sock, 20)
                assert any(set(packet.payload) == {packet.payload[80]} != {0xFF} for packet in packets)
                await gw.until(
                    lambda: gw.has(m.PlayoutFinished) and gw.has(m.MediaLatched) and gw.has(m.AudioBatch)
                )
                gw.client.send(m.CloseLeg(LEG))
                await gw.until(lambda: gw.has(m.LegClosed) and gw.has(m.RecordingEnded))
        assert gw.lost == []

    run(scenario)
    assert Path(path).stat().st_size > 3200


async def die(gw: Gateway, kill: int) -> None:
    """Stop the worker by a signal in the middle of a call and wait until it was replaced."""
    pid = gw.client.pid
    assert pid is not None
    os.kill(pid, kill)
    await gw.until(lambda: bool(gw.lost))
    with pytest.raises(LocalError):
        await gw.client.open_leg(LegId("too early"), CALL, "127.0.0.1")
    gw.events.clear()
    await gw.until(lambda: gw.has(m.WorkerReport))
    assert gw.client.pid != pid
    assert is_gone(pid)


def test_a_worker_is_replaced_also_where_the_news_of_its_death_breaks_something(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A fault of ours in one call must not leave the node without media for all that come."""

    class Faulty(Gateway):
        def _lose(self, reason: str) -> None:
            super()._lose(reason)
            raise ZeroDivisionError("ours")

    async def scenario() -> None:
        async with gateway(Faulty) as gw:
            await die(gw, signal.SIGKILL)
            assert await gw.client.open_leg(LEG, CALL, "127.0.0.1")

    run(scenario)
    [broken] = [record for record in caplog.records if record.exc_info]
    assert getattr(broken, "task", "") == "media supervisor"


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_dies_or_stalls_is_replaced(kill: int) -> None:
    async def scenario() -> None:
        async with gateway() as gw:
            await gw.client.open_leg(LEG, CALL, "127.0.0.1")
            await die(gw, kill)
            assert len(gw.lost) == 1
            assert await gw.client.open_leg(LEG, CALL, "127.0.0.1") >= CONFIG.port_low

    run(scenario)


def test_legs_that_cannot_be_opened_say_why() -> None:
    async def scenario() -> None:
        async with gateway() as gw:
            with pytest.raises(LocalError, match="not an IP address"):
                await gw.client.open_leg(LEG, CALL, "nonsense")

    run(scenario)


def test_a_worker_outlives_neither_shutdown_nor_its_gateway() -> None:
    async def scenario() -> None:
        async with gateway() as gw:
            pid = gw.client.pid
        assert pid is not None
        assert is_gone(pid)

    run(scenario)
    ours, theirs = socket.socketpair()
    with theirs:
        process = spawn_raw(theirs)
    with ours:
        assert ours.recv(10)  # it runs
    assert process() == 0


def spawn_raw(theirs: socket.socket) -> Callable[[], int]:
    """A worker without a client; returns how to wait for its end."""
    line = [*command_line(CONFIG, vad=False, log_level="error"), "--fd", str(theirs.fileno())]
    pid = os.posix_spawn(
        sys.executable, line, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), theirs.fileno())]
    )
    return lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_worker_that_cannot_start_is_an_error_not_a_loop() -> None:
    async def scenario() -> None:
        lost: list[str] = []
        client = MediaClient([sys.executable, "-c", "raise SystemExit(1)"], lambda event: None, lost.append)
        with pytest.raises(LocalError, match="did not start"):
            await client.start()
        assert lost == []

    run(scenario)


def test_broken_commands_are_counted_and_do_no_harm() -> None:
    async def scenario() -> None:
        async with gateway() as gw:
            worker = gw.client._worker
            assert worker is not None
            worker.write(b"\0\0\0\3abc")
            await gw.until(lambda: bool(gw.client.report and gw.client.report.counters.get("commands_malformed")))
        assert gw.lost == []

    run(scenario)
