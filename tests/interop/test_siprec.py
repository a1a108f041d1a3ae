"""sipp as a recording client: voices are recorded each on its side, with who they are and what changes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.interop.api_desk import ApiDesk
from tests.interop.fault_server import MEDIA, FaultServer
from tests.interop.recording_client import (
    INACTIVE,
    METADATA,
    Voice,
    answered_ports,
    forks,
    ports_in,
    speak,
    streams,
    take_recordings,
)
from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipp_peer import Sipp
from tests.interop.sipp_script import answer, answered, expect, pause, refused, request, script, until_told
from tests.interop.sound import seconds_with, tone
from voicegw.testing.ports import free_port

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
            pause(3000),
            forks(2, (here, paused)),
            answered(cseq=2),
            pause(2000),
            forks(3, (here, there)),
            answered(cseq=3),
            pause(2500),
            bye(4),
        )
        server = Server(tmp_path)
        take_recordings(server)
        with server:
            with Sipp(tmp_path, story, target=server.address, extra=("-t", transport)) as sipp:
                speak(sipp, server, (alice, tone(ALICE_HZ, 40)), (bob, tone(BOB_HZ, 40)))
                sipp.passed()
            log = server.call()
            left, right = server.recording(log)
    answer = sipp.received("SIP/2.0 200", "INVITE")[0]
    assert ";+sip.srs" in answer.header("Contact") and "siprec" in answer.header("Supported")
    assert answer.body.count("a=recvonly") == 2 and "a=label:96" in answer.body and "a=label:97" in answer.body
    assert seconds_with(left, ALICE_HZ) >= 5.0 and seconds_with(left, BOB_HZ) == 0
    assert seconds_with(right, BOB_HZ) >= 2.8 and seconds_with(right, ALICE_HZ) == 0
    assert [(fact["label"], fact["side"]) for fact in log.all("StreamWasAgreed")] == [
        ("96", "left"),
        ("97", "right"),
    ]
    assert [fact["paused"] for fact in log.all("StreamWasPaused")] == [True, False]
    (_, paused_ms), (_, resumed_ms) = log.dated("StreamWasPaused")
    silent_s = seconds_with(left, ALICE_HZ) - seconds_with(right, BOB_HZ)
    longer_s = silent_s - (resumed_ms - paused_ms) / 1000
    assert -0.7 - server.lost_s < longer_s < 0.7, "Alice goes on meanwhile, but for what a busy machine leaves out"
    assert [one["name"] for one in log.one("RecordingWasDescribed")["participants"]] == [
        "Alice Adler",
        "Bob Brandt",
    ]
    assert log.cause == "caller_hangup" and not log.all("AgentSpoke")
    assert not alice.packets and not bob.packets, "the recorder says nothing"


def test_a_session_goes_on_when_its_media_worker_is_killed(tmp_path: Path) -> None:
    with RtpPeer() as alice, RtpPeer() as bob:
        voices = (Voice(alice.port, 96), Voice(bob.port, 97))
        story = script(
            forks(1, voices, METADATA),
            answered(),
            expect("INVITE") + answer("200 OK", body=streams(voices, 2)) + expect("ACK"),
            pause(5000),
            bye(2),
        )
        server = FaultServer(tmp_path, expected=("media worker lost", "stalled", "prepare recogniser"))
        folder = server.home / "recordings"
        take_recordings(server)
        with server:
            with Sipp(tmp_path, story, target=server.address) as sipp:
                speak(sipp, server, (alice, tone(ALICE_HZ, 3)), (bob, tone(BOB_HZ, 3)))
                server.wait(lambda: any(folder.glob("*.part")), 30, "the recording")
                server.kill_workers(MEDIA)
                moved = ports_in(sipp.wait_for("INVITE ").body)
                for voice, port, hz in zip((alice, bob), moved, (ALICE_HZ, BOB_HZ), strict=True):
                    voice.start((server.host, port), tone(hz, 5))
                sipp.passed()
            log = server.call()
            left, right = server.recording(log)
    assert log.cause == "caller_hangup"
    assert "media worker" in log.one("RecordingHasFailed")["reason"]
    assert log.one("RecordingHasEnded")["path"].endswith("-2.wav")
    assert seconds_with(left, ALICE_HZ) >= 1.5 and seconds_with(right, BOB_HZ) >= 1.5


def test_the_api_tells_who_was_recorded(tmp_path: Path) -> None:
    port = free_port()
    api = {"enabled": True, "listen_port": port, "key_file": "secrets.key"}
    server = FaultServer(tmp_path, settings={"api": api})
    take_recordings(server)
    with RtpPeer() as alice, RtpPeer() as bob:
        voices = (Voice(alice.port, 96), Voice(bob.port, 97))
        story = script(forks(1, voices, METADATA), answered(), pause(5000), bye(2))
        with server, ApiDesk(server, None, f"http://127.0.0.1:{port}") as desk:
            with Sipp(tmp_path, story, target=server.address) as sipp:
                speak(sipp, server, (alice, tone(ALICE_HZ, 6)), (bob, tone(BOB_HZ, 6)))
                live = desk.wait_call()
                sipp.passed()
            server.call()
            detail = wait_stored(desk, live)
    people = {one["name"]: (one["aor"], one["speaks_in"]) for one in detail["recorded"]["participants"]}
    assert people["Bob Brandt"] == ("sip:+4940987654@pbx.example.net", ["97"])
    assert detail["recorded"]["sessions"][0]["started"] == "2026-03-03T10:00:00Z"
    streams = [leg for leg in detail["legs"] if leg["role"] == "stream"]
    assert [leg["party"] for leg in streams] == ["+493012345", "+4940987654"]
    assert all(leg["packets_received"] > 100 and leg["packets_sent"] == 0 for leg in streams)
    assert detail["call"]["has_recording"] and detail["recording_ms"] > 2000


def wait_stored(desk: ApiDesk, call_id: str) -> dict[str, Any]:
    """The call as the store has it, once its last fact is there."""
    deadline = time.monotonic() + 30
    while not (detail := desk.get(f"/v1/calls/{call_id}"))["call"]["ended_at"]:
        assert time.monotonic() < deadline, detail
        time.sleep(0.1)
    return dict(detail)


def test_whoever_may_not_record_is_told_which_extension_is_refused(tmp_path: Path) -> None:
    voices = (Voice(40_000, 96), Voice(40_002, 97))
    with Server(tmp_path) as server:
        with Sipp(tmp_path, script(forks(1, voices, METADATA), refused(420)), target=server.address) as sipp:
            sipp.passed()
        assert sipp.received("SIP/2.0 420")[0].header("Unsupported") == "siprec"


def test_metadata_that_is_none_is_recorded_all_the_same_and_nine_streams_are_too_many(tmp_path: Path) -> None:
    broken = "<!DOCTYPE recording><recording><session></recording>"
    with RtpPeer() as alice:
        voices = tuple(Voice(alice.port if number == 0 else 40_000 + 2 * number, number) for number in range(10))
        story = script(forks(1, voices, broken), answered(), until_told(), bye(2))
        server = Server(tmp_path)
        take_recordings(server)
        with server:
            with Sipp(tmp_path, story, target=server.address) as sipp:
                ports = answered_ports(sipp)
                alice.start((server.host, ports[0]), tone(ALICE_HZ, 3))
                server.wait_recorded(lambda left, _right: seconds_with(left, ALICE_HZ) >= 1)
                sipp.tell()
                sipp.passed()
            log = server.call()
            left, _ = server.recording(log)
    assert [bool(port) for port in ports] == [True] * 8 + [False] * 2
    assert not log.one("RecordingWasDescribed")["readable"]
    assert seconds_with(left, ALICE_HZ) >= 1.0
