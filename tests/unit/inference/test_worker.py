"""The worker's end of the socket."""

from __future__ import annotations

import socket

import pytest

from voicegw.base.ids import StreamId
from voicegw.base.messages import FrameDecoder, frame
from voicegw.inference.messages import (
    CloseStream,
    Command,
    Event,
    Message,
    Ping,
    Pong,
    StreamEnded,
    Synthesize,
    decode_event,
    encode,
)
from voicegw.inference.worker import ParentGone, WorkerChannel, serve


def synthesize(name: str) -> Synthesize:
    return Synthesize(StreamId(name), "text", "", "en-US", 1.0, 8000)


class Gateway:
    """The other end."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        self.channel = WorkerChannel(theirs)
        self._theirs = theirs

    def send(self, *messages: Message) -> None:
        self.socket.sendall(b"".join(frame(encode(message)) for message in messages))

    def received(self) -> list[Event]:
        self.socket.setblocking(False)
        return [decode_event(payload) for payload in FrameDecoder().feed(self.socket.recv(65536))]

    def close(self) -> None:
        self.socket.close()
        self._theirs.close()


class Recorder:
    """An engine that keeps what it was asked, and ends the gateway after the last one."""

    def __init__(self, gateway: Gateway) -> None:
        self.handled: list[str] = []
        self.forgotten: list[str] = []
        self._gateway = gateway

    def handle(self, command: Command) -> None:
        assert isinstance(command, Synthesize)
        self.handled.append(command.stream_id)
        if command.stream_id == "last":
            self._gateway.socket.shutdown(socket.SHUT_WR)

    def forget(self, stream_id: StreamId) -> None:
        self.forgotten.append(stream_id)


@pytest.fixture
def gateway() -> object:
    made = Gateway()
    yield made
    made.close()


def test_work_on_streams_that_were_closed_in_the_queue_is_skipped(gateway: Gateway) -> None:
    engine = Recorder(gateway)
    gateway.send(synthesize("a"), synthesize("b"), CloseStream(StreamId("b")), synthesize("last"))
    serve(gateway.channel, engine)
    assert engine.handled == ["a", "last"]
    assert engine.forgotten == ["b"]


def test_a_ping_is_answered_whenever_the_engine_looks(gateway: Gateway) -> None:
    gateway.send(synthesize("a"), Ping(7))
    assert gateway.channel.next() == synthesize("a")
    assert not gateway.channel.is_closed(StreamId("a"))
    [pong] = gateway.received()
    assert isinstance(pong, Pong) and pong.number == 7 and pong.rss_kb > 1000


def test_a_close_that_arrives_during_the_work_is_seen(gateway: Gateway) -> None:
    gateway.send(synthesize("a"))
    gateway.channel.next()
    assert not gateway.channel.is_closed(StreamId("a"))
    gateway.send(CloseStream(StreamId("a")))
    assert gateway.channel.is_closed(StreamId("a"))


def test_ids_of_finished_streams_are_not_kept(gateway: Gateway) -> None:
    for number in range(50):
        gateway.send(synthesize(str(number)))
        gateway.channel.next()
        gateway.channel.ended(StreamId(str(number)))
        gateway.send(CloseStream(StreamId(str(number))))
        gateway.channel.next()
    assert not gateway.channel.is_closed(StreamId("49"))
    assert not gateway.channel._open and not gateway.channel._closed


def test_the_end_of_the_gateway_ends_the_worker(gateway: Gateway) -> None:
    gateway.socket.close()
    with pytest.raises(ParentGone):
        gateway.channel.next()
    serve(gateway.channel, Recorder(gateway))
    with pytest.raises(ParentGone):
        gateway.channel.send(StreamEnded(StreamId("a")))
