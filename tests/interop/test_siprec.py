"""sipp as a recording client: voices are recorded each on its side, with who they are and what changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.recording_client import INACTIVE, METADATA, Voice, forks, speak, take_recordings
from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipp_peer import Sipp
from tests.interop.sipp_script import answered, expect, pause, request, script
from tests.interop.sound import seconds_with, tone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

ALICE_HZ, BOB_HZ = 1000, 1700


def bye(cseq: int) -> str:
    return request("BYE", cseq) + expect(200)


@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_two_voices_are_recorded_each_on_its_side_and_one_pauses(tmp_path: Path, transport: str) -> None:
    with RtpPeer() as alice, RtpPeer() as bob:
        here, there = Voice(alice.port, 96), Voice(bob.port, 97)
        paused = Voice(bob.port, 97, INACTIVE)
        story = script(
            forks(1, (here, there), METADATA),
            answered(),
            pause(2000),
            forks(2, (here, paused)),
            answered(cseq=2),
            pause(2000),
            forks(3, (here, there)),
            answered(cseq=3),
            pause(1500),
            bye(4),
        )
        server = Server(tmp_path)
        take_recordings(server)
        with server:
            with Sipp(tmp_path, story, target=server.address, extra=("-t", transport)) as sipp:
                speak(sipp, server, (alice, tone(ALICE_HZ, 12)), (bob, tone(BOB_HZ, 12)))
                sipp.passed()
            log = server.call()
            left, right = server.recording(log)
    answer = sipp.received("SIP/2.0 200", "INVITE")[0]
    assert ";+sip.srs" in answer.header("Contact") and "siprec" in answer.header("Supported")
    assert answer.body.count("a=recvonly") == 2 and "a=label:96" in answer.body and "a=label:97" in answer.body
    assert seconds_with(left, ALICE_HZ) >= 5.0 and seconds_with(left, BOB_HZ) == 0
    assert 2.8 <= seconds_with(right, BOB_HZ) <= 4.2 and seconds_with(right, ALICE_HZ) == 0
    assert [(fact["label"], fact["side"]) for fact in log.all("StreamWasAgreed")] == [
        ("96", "left"),
        ("97", "right"),
    ]
    assert [fact["paused"] for fact in log.all("StreamWasPaused")] == [True, False]
    assert [one["name"] for one in log.one("RecordingWasDescribed")["participants"]] == [
        "Alice Adler",
        "Bob Brandt",
    ]
    assert log.cause == "caller_hangup" and not log.all("AgentSpoke")
    assert not alice.packets and not bob.packets, "the recorder says nothing"
