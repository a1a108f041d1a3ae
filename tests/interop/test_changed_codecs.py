"""Codecs that change in mid-call, and payload types that differ between the two ways.

sipp signals, FFmpeg codes what is said and decodes what is heard.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.interop.cluster_calls import until
from tests.interop.fault_server import FaultServer
from tests.interop.ffmpeg_codecs import FORMATS, coded, decoded, sine
from tests.interop.rtp import RtpPeer, packet
from tests.interop.server import Server
from tests.interop.sipp_peer import Sipp
from tests.interop.sipp_script import answered, expect, invite, pause, request, script, sdp
from tests.interop.sound import read_any_wav, seconds_with, speech_seconds

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

HZ, PEAK = 440, 8000
LONGEST_S = 40
NUMBERS = {"PCMU": 0, "PCMA": 8, "G722": 9, "opus": 96}
ORDER = ("G722", "PCMU", "PCMA", "opus")
PERIOD_MS = 3000
TALKER = """
name: talker
greeting_interruptible: false
greeting: >-
  This is the talking clock, which is glad to have somebody to talk to. It goes on for as long as anybody listens,
  and tells of the weather, of ships and shoes and sealing wax, of cabbages and kings, and why the sea is boiling
  hot, and whether pigs have wings.
limits: {no_input_ms: 20000}
steps:
  - ask: {save: keys, type: digits, length: 4, confirm: never, prompt: Please press four keys.}
"""


class Turncoat:
    """Speaks one sine without a break, in whatever codec it is told to."""

    def __init__(self) -> None:
        self.codec = ORDER[0]
        self._payloads = {name: coded(name, sine(HZ, LONGEST_S, FORMATS[name].rate_hz)) for name in ORDER}

    def packets(self) -> Iterator[tuple[bytes, int]]:
        """20 ms each; timestamps go on by the clock of the codec."""
        timestamp = 0
        for place in count():
            name = self.codec
            yield packet(NUMBERS[name], place, timestamp, self._payloads[name][place]), 160
            timestamp += FORMATS[name].clock_hz // 50


def describing(name: str, port: int, version: int) -> str:
    known, number = FORMATS[name], NUMBERS[name]
    text = sdp(port, version=version).replace("RTP/AVP 0 101", f"RTP/AVP {number} 101")
    return text.replace("rtpmap:0 PCMU/8000", f"rtpmap:{number} {known.rtpmap}")


def test_a_caller_changes_the_codec_in_mid_call_and_nothing_clicks(tmp_path: Path) -> None:
    server = FaultServer(tmp_path)
    (flow := tmp_path / "talker.yaml").write_text(TALKER)
    server.use_agent(flow)
    with server, RtpPeer() as media:
        caller = Turncoat()
        turns = [
            invite(number, describing(name, media.port, number)) + answered(cseq=number) + pause(PERIOD_MS)
            for number, name in enumerate(ORDER, 1)
        ]
        steps = script(*turns, request("BYE", 9), expect(200))
        with Sipp(tmp_path, steps, target=server.address) as sipp:
            media.play(("127.0.0.1", sipp.answered_port()), caller.packets())
            for number, name in enumerate(ORDER[1:], 2):
                sipp.wait_for("SIP/2.0 200", f"{number} INVITE")
                caller.codec = name
            sipp.passed()
        log = server.call()
    (said, _sent), rate_hz = read_any_wav(Path(log.one("RecordingHasEnded")["path"]))
    assert rate_hz == FORMATS[ORDER[0]].rate_hz
    # Whatever is late is less than one period, without which a codec would not have been heard at all.
    assert seconds_with(said[:: rate_hz // 8000], HZ) >= (len(ORDER) - 0.8) * PERIOD_MS / 1000
    steepest = PEAK * 2 * np.pi * HZ / rate_hz
    clicks = np.count_nonzero(np.abs(np.diff(said.astype(np.float64))) >= 2.2 * steepest)
    late = sum(fact["packets_late"] for fact in log.all("MediaWasMeasured"))
    held_up = late + server.counters.get("media_lost_frames", 0)
    assert clicks <= 2 * held_up, (
        "of a sine of one phase, in all codecs, but at both ends of what a busy machine tore out"
    )
    sources = []
    for name in ORDER:
        packets = [data for data in media.packets if data[1] & 0x7F == NUMBERS[name]]
        heard = decoded(name, [data[12:] for data in packets])
        assert speech_seconds(heard[:: FORMATS[name].rate_hz // 8000]) >= 0.5, name
        sources.append({data[8:12] for data in packets})
    assert sources[0] == sources[1] == sources[2] != sources[3], "another clock is another stream (RFC 7160 §4.1)"


@dataclass(frozen=True, slots=True)
class Numbers:
    """Under which a phone wants audio and keys, and under which it sends them."""

    audio: int
    keys: int
    sends_audio: int
    sends_keys: int

    def answer(self, port: int) -> str:
        """Its description: Opus in packets of 20 ms, keys of the same clock."""
        lines = (f"a=rtpmap:{self.audio} opus/48000/2", f"a=rtpmap:{self.keys} telephone-event/48000", "a=ptime:20")
        kept = [
            line for line in sdp(port, *lines).splitlines() if not line.startswith(("a=rtpmap:0", "a=rtpmap:101"))
        ]
        text = "\n".join(line for line in kept if not line.startswith("a=fmtp:101"))
        return text.replace("RTP/AVP 0 101", f"RTP/AVP {self.audio} {self.keys}") + "\n"

    def packets(self, opus: list[bytes]) -> Iterator[tuple[bytes, int]]:
        """Opus of 40 ms, with keys in between."""
        sequence = timestamp = 0
        for place, payload in enumerate(opus):
            for digit in KEYS if place == AFTER else "":
                for part in range(1, 9):  # 100 ms, and the end three times (RFC 4733 §2.5.1.4)
                    event = struct.pack("!BBH", int(digit), 0x8A if part > 5 else 0x0A, min(part, 6) * 960)
                    yield packet(self.sends_keys, sequence, timestamp, event, marker=part == 1), 160
                    sequence += 1
                timestamp += 8 * 960
            yield packet(self.sends_audio, sequence, timestamp, payload), 320
            sequence, timestamp = sequence + 1, timestamp + 2 * 960


KEYS, AFTER = "42", 50
PHONES = {
    "crossed": Numbers(audio=110, keys=111, sends_audio=111, sends_keys=110),
    "careless": Numbers(audio=96, keys=97, sends_audio=96, sends_keys=97),
}
"""We offer Opus at 111 and its keys at 110. One obeys, the other one sends what it wants to receive."""


def test_a_phone_has_other_numbers_for_opus_and_its_keys_and_longer_packets(tmp_path: Path) -> None:
    opus = coded("opus", sine(HZ, LONGEST_S, 48000), 40)
    with ExitStack() as stack:
        server = stack.enter_context(Server(tmp_path))
        media = {name: stack.enter_context(RtpPeer()) for name in PHONES}
        calls = {}
        for name, phone in PHONES.items():
            body = phone.answer(media[name].port)
            ack = request("ACK", 1, body=body, kind="application/sdp").replace(' retrans="500"', "")
            taken = answered().partition("<send")[0]
            steps = script(invite(1, ""), taken, ack, pause(8000), request("BYE", 2), expect(200))
            calls[name] = stack.enter_context(Sipp(tmp_path, steps, target=server.address, service=name))
        for name, phone in PHONES.items():
            port = calls[name].answered_port()
            # What we understand is in the ACK, which the first packet may not overtake.
            until(lambda name=name: bool(media[name].packets), "we know where to send")  # type: ignore[misc]
            media[name].play(("127.0.0.1", port), phone.packets(opus))
        for sipp in calls.values():
            sipp.passed()
        logs = {log.one("CallWasOffered")["called"]: log for log in server.calls(len(PHONES))}
    for name, phone in PHONES.items():
        log, packets = logs[name], media[name].packets
        assert log.keys == KEYS, name
        (said, _sent), rate_hz = read_any_wav(Path(log.one("RecordingHasEnded")["path"]))
        assert seconds_with(said[:: rate_hz // 8000], HZ) >= 3, name
        assert log.one("MediaWasMeasured")["packets_rejected"] == 0, name
        assert {data[1] & 0x7F for data in packets} == {phone.audio}, name
        times = [int.from_bytes(data[4:8], "big") for data in packets]
        steps_of_time = {(later - earlier) & 0xFFFFFFFF for earlier, later in pairwise(times)}
        # A worker that is held up for longer than it can make good leaves whole packets out.
        assert min(steps_of_time) == 960 and not any(step % 960 for step in steps_of_time), name
        assert speech_seconds(decoded("opus", [data[12:] for data in packets])[::6]) >= 1.5, name
