"""Connections of AudioSocket against real sockets on loopback: the far end is a plain TCP client."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, ParamSpec
from uuid import UUID

import numpy as np
import pytest

from voicegw.audio import g711
from voicegw.base.causes import HangupCause
from voicegw.base.clock import SystemClock
from voicegw.base.errors import LocalError
from voicegw.base.ids import LegId
from voicegw.base.metrics import Counters
from voicegw.gateway.audiosocket import connection
from voicegw.gateway.audiosocket.announcements import Announcement, Announcements
from voicegw.gateway.audiosocket.config import AudioSocketConfig, AudioSocketListener
from voicegw.gateway.audiosocket.frames import Frame, FrameReader, Kind
from voicegw.gateway.audiosocket.legs import REFUSED, AudioSocketLegs
from voicegw.gateway.events import LegConfirmed, LegEnded, LegEvent, LegInfo, LegInvited
from voicegw.rtp.packet import RtpPacket

P = ParamSpec("P")
NAME = UUID("40325ec2-5efd-4bd3-805f-53576e581d13")
LOUD = np.full(160, 8000, "<i2").tobytes()


def in_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that is a coroutine, run to its end."""

    @functools.wraps(test)
    def run(*args: P.args, **named: P.kwargs) -> None:
        asyncio.run(test(*args, **named))

    return run


class House:
    """The legs, what they told, and a socket in the place of the media worker."""

    def __init__(self, **settings: object) -> None:
        listener = AudioSocketListener(port=0, called="7100", **settings)  # type: ignore[arg-type]
        self.phones: list[Phone] = []
        self.events: asyncio.Queue[LegEvent] = asyncio.Queue()
        self.counters = Counters()
        config = AudioSocketConfig((listener,), id_s=0.2)
        self.legs = AudioSocketLegs(config, self.events.put_nowait, os.urandom, SystemClock(), self.counters)

    async def event(self) -> LegEvent:
        async with asyncio.timeout(30):
            return await self.events.get()

    async def invited(self) -> LegInvited:
        event = await self.event()
        assert isinstance(event, LegInvited)
        return event

    async def connect(self) -> Phone:
        reader, writer = await asyncio.open_connection(*self.legs.addresses[0])
        phone = Phone(reader, writer)
        self.phones.append(phone)
        return phone


class Phone:
    """The side of Asterisk."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._frames = FrameReader()

    def send(self, kind: int, payload: bytes = b"") -> None:
        self._writer.write(Frame(kind, payload).to_bytes())

    async def rest(self) -> list[Frame]:
        """All that comes until the end of the connection."""
        async with asyncio.timeout(30):
            return self._frames.feed(await self._reader.read(-1))

    async def frame(self) -> Frame:
        async with asyncio.timeout(30):
            header = await self._reader.readexactly(3)
            return Frame(header[0], await self._reader.readexactly(int.from_bytes(header[1:], "big")))

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        """Close as a program does that has not read all that it was sent."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()


@asynccontextmanager
async def _house(**settings: object) -> AsyncIterator[House]:
    house = House(**settings)
    await house.legs.start()
    try:
        yield house
    finally:
        for phone in house.phones:
            phone.close()
        await house.legs.close()


class Worker(asyncio.DatagramProtocol):
    """What the media worker would get."""

    def __init__(self) -> None:
        self.packets: asyncio.Queue[tuple[RtpPacket, tuple[str, int]]] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.packets.put_nowait((RtpPacket.parse(data), addr))


async def _worker() -> tuple[asyncio.DatagramTransport, Worker, int]:
    loop = asyncio.get_running_loop()
    transport, worker = await loop.create_datagram_endpoint(Worker, local_addr=("127.0.0.1", 0))
    return transport, worker, transport.get_extra_info("sockname")[1]


@in_loop
async def test_a_call_from_its_name_to_its_end() -> None:
    async with _house() as house:
        transport, worker, port = await _worker()
        phone = await house.connect()
        phone.send(Kind.ID, NAME.bytes)
        invited = await house.invited()
        assert (invited.called, invited.sip_call_id, invited.calling) == ("7100", str(NAME), "")
        session = house.legs.accept(invited.leg_id, port)
        assert await house.event() == LegConfirmed(invited.leg_id)
        phone.send(Kind.AUDIO, LOUD[:100])
        phone.send(Kind.AUDIO, LOUD[100:])
        async with asyncio.timeout(30):
            packet, source = await worker.packets.get()
        assert source[1] == session.remote_port and len(packet.payload) == 160
        heard = g711.decode(np.frombuffer(packet.payload, np.uint8), g711.Law.ULAW)
        assert abs(int(heard[80]) - 8000) < 300
        transport.sendto(packet.to_bytes(), source)
        answered = await phone.frame()
        assert answered.kind == Kind.AUDIO and len(answered.payload) == 320
        phone.send(Kind.KEY, b"7")
        assert await house.event() == LegInfo(
            invited.leg_id, "application/dtmf-relay", b"Signal=7\r\nDuration=100\r\n"
        )
        phone.send(Kind.TERMINATE)
        assert await house.event() == LegEnded(invited.leg_id, HangupCause.CALLER_HANGUP)
        assert house.legs.gauges() == {"audiosocket_connections": 0.0}
        transport.close()


@in_loop
async def test_the_agent_hangs_up_and_the_dialplan_goes_on() -> None:
    async with _house() as house:
        phone = await house.connect()
        phone.send(Kind.ID, NAME.bytes)
        leg_id = (await house.invited()).leg_id
        house.legs.hangup(leg_id, HangupCause.AGENT_HANGUP)
        assert (await phone.rest())[-1] == Frame(Kind.TERMINATE)
        assert await house.event() == LegEnded(leg_id, HangupCause.AGENT_HANGUP)


@in_loop
async def test_who_reads_nothing_is_hung_up_on_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Asterisk that has stopped: its kernel answers for it, and what it was sent waits for it for ever."""
    monkeypatch.setattr(connection, "LAST_WORDS_S", 0.05)
    async with _house() as house:
        with socket.create_connection(house.legs.addresses[0]) as stopped:
            stopped.sendall(Frame(Kind.ID, NAME.bytes).to_bytes())
            leg_id = (await house.invited()).leg_id
            while not house.counters.get(connection.DROPPED):
                house.legs._legs[leg_id].connection.send_audio(LOUD)
            house.legs.hangup(leg_id, HangupCause.AGENT_HANGUP)
            assert await house.event() == LegEnded(leg_id, HangupCause.AGENT_HANGUP)
            assert house.legs.gauges() == {"audiosocket_connections": 0.0}


@in_loop
async def test_one_too_many_is_refused_before_it_says_its_name() -> None:
    async with _house() as house:
        house.legs.use(replace(house.legs._config, max_connections=1))
        first = await house.connect()
        first.send(Kind.ID, NAME.bytes)
        await house.invited()
        second = await house.connect()
        assert await second.rest() == [Frame(Kind.TERMINATE)]
        assert house.counters.get(REFUSED) == 1


@in_loop
async def test_who_has_left_in_the_moment_of_coming_is_nobody() -> None:
    """A scanner's reset: the socket has no peer any more, and asyncio says None."""

    class Gone(asyncio.Transport):
        is_aborted = False

        def abort(self) -> None:
            self.is_aborted = True

    async with _house() as house:
        gone, came = Gone(), house.legs._new(0)
        came.connection_made(gone)
        came.connection_lost(None)
        assert gone.is_aborted and house.legs.gauges() == {"audiosocket_connections": 0.0}
        assert house.counters.get(REFUSED) == 0


@in_loop
async def test_a_call_that_a_fault_of_ours_does_not_take_is_hung_up_on() -> None:
    async with _house() as house:
        ended: list[LegEnded] = []

        def report(event: LegEvent) -> None:
            if not isinstance(event, LegEnded):
                raise ZeroDivisionError("ours")
            ended.append(event)

        house.legs._report = report
        phone = await house.connect()
        phone.send(Kind.ID, NAME.bytes)
        assert await phone.rest() == [Frame(Kind.TERMINATE)]


@pytest.mark.parametrize("leave", [Phone.close, Phone.reset])
@in_loop
async def test_who_leaves_before_the_answer_has_cancelled(leave: Callable[[Phone], None]) -> None:
    async with _house() as house:
        phone = await house.connect()
        phone.send(Kind.ID, NAME.bytes)
        leg_id = (await house.invited()).leg_id
        leave(phone)
        assert await house.event() == LegEnded(leg_id, HangupCause.CALLER_CANCELLED)


@in_loop
async def test_what_was_announced_is_the_call() -> None:
    async with _house() as house:
        house.legs.announce(NAME, Announcement("7005", "+4930123", "Ada", {"X-Queue": "gold"}))
        phone = await house.connect()
        phone.send(Kind.ID, NAME.bytes)
        invited = await house.invited()
        assert (invited.called, invited.calling, invited.display_name) == ("7005", "+4930123", "Ada")
        assert invited.headers == {"X-Queue": "gold"}


def _say_nothing(_phone: Phone) -> None:
    return


def _audio_first(phone: Phone) -> None:
    phone.send(Kind.AUDIO, LOUD)


def _short_name(phone: Phone) -> None:
    phone.send(Kind.ID, b"abc")


def _odd_audio(phone: Phone) -> None:
    phone.send(Kind.ID, NAME.bytes)
    phone.send(Kind.AUDIO, b"abc")


def _wide_audio(phone: Phone) -> None:
    phone.send(Kind.ID, NAME.bytes)
    phone.send(0x12, LOUD)


@pytest.mark.parametrize("speak", [_say_nothing, _audio_first, _short_name, _odd_audio, _wide_audio])
@in_loop
async def test_who_breaks_the_protocol_is_told_and_let_go(
    speak: Callable[[Phone], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with _house() as house:
        phone = await house.connect()
        speak(phone)
        assert (await phone.rest())[-1].kind == Kind.ERROR
        assert house.counters.get("audiosocket_faults") == 1
        assert "audiosocket" in caplog.text


@in_loop
async def test_a_fault_in_a_call_ends_it() -> None:
    async with _house() as house:
        phone = await house.connect()
        phone.send(Kind.ID, NAME.bytes)
        leg_id = (await house.invited()).leg_id
        phone.send(Kind.KEY, b"xyz")
        ended = await house.event()
        assert isinstance(ended, LegEnded) and ended.leg_id == leg_id
        assert ended.cause is HangupCause.PEER_ERROR and "a key" in ended.reason_text


@in_loop
async def test_who_may_not_connect_is_hung_up_on_before_it_says_anything() -> None:
    async with _house(allow=("10.0.0.0/8",)) as house:
        phone = await house.connect()
        assert await phone.rest() == [Frame(Kind.TERMINATE)]
        assert house.counters.get(REFUSED) == 1 and house.events.empty()


@in_loop
async def test_a_server_that_takes_no_more_calls_hangs_up() -> None:
    async with _house() as house:
        house.legs.drain()
        phone = await house.connect()
        phone.send(Kind.ID, NAME.bytes)
        assert await phone.rest() == [Frame(Kind.TERMINATE)]
        assert house.counters.get(REFUSED) == 1 and house.events.empty()
        house.legs.resume()
        (await house.connect()).send(Kind.ID, NAME.bytes)
        assert (await house.invited()).called == "7100"


@in_loop
async def test_a_taken_port_is_named() -> None:
    async with _house() as house:
        other = House()
        port = house.legs.addresses[0][1]
        listener = AudioSocketListener(port=port, called="1")
        legs = AudioSocketLegs(
            AudioSocketConfig((listener,)), other.events.put_nowait, os.urandom, SystemClock(), other.counters
        )
        with pytest.raises(LocalError, match=f"127.0.0.1:{port}"):
            await legs.start()


def test_an_announcement_is_good_once_and_for_a_while() -> None:
    announcements = Announcements(good_s=60)
    said = Announcement(calling="alice")
    announcements.add(NAME, said, now=0)
    assert announcements.take(NAME, now=59) == said
    assert announcements.take(NAME, now=59) == Announcement()
    announcements.add(NAME, said, now=0)
    assert announcements.take(NAME, now=61) == Announcement()


def test_a_thousand_announcements_may_wait() -> None:
    announcements = Announcements(good_s=60)
    for number in range(1000):
        announcements.add(UUID(int=number), Announcement(), now=0)
    with pytest.raises(LocalError, match="1000 announced calls"):
        announcements.add(NAME, Announcement(), now=1)
    announcements.add(NAME, Announcement(), now=61)


def test_no_leg_is_ours_before_it_is() -> None:
    assert not House().legs.owns(LegId("leg"))
