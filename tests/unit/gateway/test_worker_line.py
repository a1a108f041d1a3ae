"""A browser's audio as RTP on loopback."""

from __future__ import annotations

import asyncio
import random
import socket

import numpy as np

from voicegw.api.browser_ports import Pcm
from voicegw.audio import g711
from voicegw.gateway.worker_line import FRAME_SAMPLES, RtpWriter, WorkerLine, read_ulaw
from voicegw.rtp.packet import RtpPacket

RANDOM = random.Random(7).randbytes
VOICE = (8000 * np.sin(np.arange(FRAME_SAMPLES) / 3)).astype(np.int16)


def test_a_stream_of_frames_is_one_stream_of_packets() -> None:
    writer = RtpWriter(RANDOM)
    packets = [RtpPacket.parse(writer.write(VOICE)) for _ in range(3)]
    first = packets[0]
    assert [packet.marker for packet in packets] == [True, False, False]
    assert [(packet.sequence - first.sequence) & 0xFFFF for packet in packets] == [0, 1, 2]
    assert [(packet.timestamp - first.timestamp) & 0xFFFFFFFF for packet in packets] == [0, 160, 320]
    assert {packet.ssrc for packet in packets} == {first.ssrc}
    assert {len(packet.payload) for packet in packets} == {FRAME_SAMPLES}


def test_lost_audio_stays_lost_time() -> None:
    writer = RtpWriter(RANDOM)
    first = RtpPacket.parse(writer.write(VOICE))
    later = RtpPacket.parse(writer.write(VOICE, 320))
    assert (later.timestamp - first.timestamp) & 0xFFFFFFFF == 480
    assert (later.sequence - first.sequence) & 0xFFFF == 1


def test_what_is_written_is_read() -> None:
    heard = read_ulaw(RtpWriter(RANDOM).write(VOICE))
    assert heard is not None
    assert np.array_equal(heard, g711.decode(g711.encode(VOICE, g711.Law.ULAW), g711.Law.ULAW))


def test_what_is_no_audio_is_passed_over() -> None:
    assert read_ulaw(b"") is None
    assert read_ulaw(b"\x80\x00") is None
    assert read_ulaw(RtpPacket(101, 1, 2, 3, b"\x01\x0a\x00\xa0").to_bytes()) is None
    assert read_ulaw(RtpPacket(0, 1, 2, 3, b"").to_bytes()) is None


def test_only_the_worker_is_listened_to() -> None:
    async def story() -> tuple[list[Pcm], bytes]:
        heard: list[Pcm] = []
        came = asyncio.Event()

        def hear(pcm: Pcm) -> None:
            heard.append(pcm)
            came.set()

        line = await WorkerLine.open(hear, RANDOM)
        worker, stranger = _socket(), _socket()
        line.speak(VOICE)  # to nobody yet
        line.connect(worker.getsockname()[1])
        line.speak(VOICE)
        packet = await asyncio.get_running_loop().sock_recv(worker, 2048)
        stranger.sendto(RtpWriter(RANDOM).write(np.zeros_like(VOICE)), ("127.0.0.1", line.port))
        worker.sendto(RtpWriter(RANDOM).write(VOICE), ("127.0.0.1", line.port))
        await came.wait()
        line.close()
        worker.close()
        stranger.close()
        return heard, packet

    heard, packet = asyncio.run(story())
    assert len(heard) == 1
    assert heard[0].any(), "the worker's, not the stranger's"
    assert RtpPacket.parse(packet).sequence


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.setblocking(False)
    return made
