"""Silence that is not sent (RFC 3389), both ways: a caller's pauses are neither loss nor a dead line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.interop.pcap import write_pcap
from tests.interop.rtp import packet
from tests.interop.server import Server
from tests.interop.sipp_peer import Sipp
from tests.interop.sipp_script import answered, expect, invite, play, request, script, sdp
from tests.interop.sound import FRAME, RATE_HZ, seconds_with, speech_seconds, tone, ulaw_encode
from voicegw.rtp.stats import mos

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CALLER_HZ = 1000
NOISE = 13
PAUSE_S = 4


@pytest.fixture
def quiet_line(tmp_path: Path) -> Iterator[Server]:
    """It sends comfort noise, and takes nobody for alive who sends nothing for a second and a half."""
    settings = {
        "sip": {"codecs": ["PCMU"], "comfort_noise": "send"},
        "media": {"no_media_timeout_ms": 1500},
        "call": {"no_media_ms": 1500},
    }
    with Server(tmp_path, agent="few_words", settings=settings) as server:
        yield server


def talk_with_a_pause(path: Path) -> Path:
    """A second of tone, comfort noise for some seconds and another second of tone, with markers."""
    codes = ulaw_encode(tone(CALLER_HZ, 1))
    begins = (0, (1 + PAUSE_S) * RATE_HZ)
    spoken = [
        (begin + at, 0, codes[at : at + FRAME], at == 0) for begin in begins for at in range(0, len(codes), FRAME)
    ]
    noise = [((1 + second) * RATE_HZ, NOISE, bytes([62]), False) for second in range(PAUSE_S)]
    after = [((2 + PAUSE_S) * RATE_HZ + at, 0, b"\xff" * FRAME, False) for at in range(0, 20 * FRAME, FRAME)]
    ordered = sorted([*spoken, *noise, *after])
    return write_pcap(
        path,
        [
            (at * 1_000_000 // RATE_HZ, packet(kind, number, at, payload, marker=marker))
            for number, (at, kind, payload, marker) in enumerate(ordered)
        ],
    )


def test_pauses_are_neither_loss_nor_a_dead_line(quiet_line: Server, tmp_path: Path) -> None:
    server = quiet_line
    capture = talk_with_a_pause(tmp_path / "pauses.pcap")
    offer = sdp("[media_port]").replace("RTP/AVP 0 101", f"RTP/AVP 0 {NOISE} 101")
    steps = script(
        invite(1, offer), answered(), play(capture, (3 + PAUSE_S) * 1000), request("BYE", 2), expect(200)
    )
    with Sipp(tmp_path, steps, target=server.address) as sipp:
        sipp.passed()
    assert "13 CN/8000" in sipp.final_answers()[0].body
    log = server.call()
    caller, agent = server.recording(log)
    measured = log.one("MediaWasMeasured")
    assert log.cause == "caller_hangup"
    assert (measured["packets_lost"], measured["packets_rejected"]) == (0, 0)
    late = measured["packets_late"]  # what a busy machine makes so
    missing = late + server.ticks_lost
    least = mos(late / measured["packets_received"] + 0.01, 400) if missing else 4.2
    assert measured["mos"] >= least, "no pause was counted as loss"
    levels = np.abs(caller[: len(caller) // FRAME * FRAME].reshape(-1, FRAME).astype(int)).mean(axis=1)
    loud = np.flatnonzero(levels > 2000)
    # In frames of 20 ms: in blocks of 100 ms a second is ten or eleven of them, by where it happens to begin.
    assert len(loud) * FRAME / RATE_HZ == pytest.approx(2, abs=0.15 + missing * FRAME / RATE_HZ)
    assert seconds_with(caller, CALLER_HZ) >= 1.8 - missing * 0.1, "and it is the caller's tone"
    pauses = np.diff(loud)
    assert pauses.max() * FRAME / RATE_HZ == pytest.approx(PAUSE_S, abs=0.15), "each word is heard at its time"
    assert 1 < levels[loud[pauses.argmax()] + 20 : loud[pauses.argmax() + 1] - 20].mean() < 60, "noise, as was said"
    assert speech_seconds(agent) >= 1
    assert measured["packets_sent"] < 0.8 * log.one("CallHasEnded")["duration_ms"] / 20
