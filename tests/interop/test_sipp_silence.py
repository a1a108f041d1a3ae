"""Peers that say nothing from the beginning, or nothing more: the alarm, and the end of the call."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.interop.process import BusyMachine
from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sound import speech_seconds, tone, ulaw_encode

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


def test_a_caller_of_whom_nothing_arrives_is_an_alarm_within_three_seconds(server: Server, tmp_path: Path) -> None:
    with RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": TOLD}
        busy = BusyMachine(server.process.pid)
        with Sipp(tmp_path, "uac", target=server.address, values=values) as sipp:
            server.wait_happened(lambda log: bool(log.all("AudioWasMissing")), "the alarm")
            took_ms = 1000 * busy.took_s
            media.wait_heard(lambda heard: speech_seconds(heard) >= 1.5)
            sipp.tell()
            sipp.passed()
    log = server.call()
    ((missing, moment),) = log.dated("AudioWasMissing")
    answered = log.dated("CallWasAnswered")[0][1]
    assert (missing["leg"], missing["direction"], missing["reason"]) == ("caller", "from_peer", "firewall")
    assert f"127.0.0.1:{media.port}" in missing["text"]
    assert moment - answered <= 3000 + took_ms


def test_a_caller_that_is_killed_in_mid_call_is_not_waited_for(tmp_path: Path) -> None:
    """The program that talked is gone without a word: its packets stop, and nobody answers our BYE."""
    sound = tmp_path / "tone.ulaw"
    sound.write_bytes(ulaw_encode(tone(1000, 20)))
    settings = {"media": {"no_media_timeout_ms": 1000}, "call": {"no_media_ms": 3000}, "sip": {"t1_ms": 50}}
    with Server(tmp_path, settings=settings) as server:
        values = {"ulaw": str(sound), "hold_ms": "20000"}
        with Sipp(tmp_path, "uac_rtp_stream", target=server.address, values=values) as sipp:
            sipp.wait_for("SIP/2.0 200", "INVITE")
            sipp.started(sent=2)
            os.kill(sipp.process.pid, signal.SIGKILL)
        log = server.call(within_s=30)
    assert log.cause == "no_media"
    ended = log.dated("CallHasEnded")[0][1]
    assert ended - log.dated("CallWasAnswered")[0][1] >= 3000
